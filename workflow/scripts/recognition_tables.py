"""Rule recognition_tables: parts of the effect of θ, by task and on the mean over tasks."""

from taskvectors.job import current_job
from taskvectors.observations.rows import able_tasks
from taskvectors.questions.recognition.tables import recognition
from taskvectors.store.parquet import read_parquets
from taskvectors.store.tables import read_csv, write_csv

if __name__ == "__main__":
    with current_job() as job:
        observations = read_parquets([job.input.observations])
        able = able_tasks(read_csv(job.input.choice))
        table = recognition(observations, job.wildcards.model, job.params.kinds, able, job.params.seed)
        write_csv(job.output.recognition, table)
