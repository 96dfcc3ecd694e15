"""Rule necessity_tables: what is left of the demonstrations when the last token is changed, by task and layer."""

from taskvectors.job import current_job
from taskvectors.observations.rows import able_tasks
from taskvectors.questions.necessity.tables import necessity
from taskvectors.store.parquet import read_parquets
from taskvectors.store.tables import read_csv, write_csv

if __name__ == "__main__":
    with current_job() as job:
        observations = read_parquets([job.input.observations])
        choice = read_csv(job.input.choice)
        common, able = int(choice["common_layer"].iloc[0]), able_tasks(choice)
        table = necessity(observations, job.wildcards.model, job.params.kinds, common, able, job.params.seed)
        write_csv(job.output.necessity, table)
