"""Rule robustness_tables: what shakes θ, by task and on means over tasks."""

from taskvectors.job import current_job
from taskvectors.observations.rows import able_tasks
from taskvectors.questions.robustness.tables import robustness
from taskvectors.store.parquet import read_parquets
from taskvectors.store.tables import read_csv, write_csv

if __name__ == "__main__":
    with current_job() as job:
        choice = read_csv(job.input.choice)
        layer, able = int(choice["common_layer"].iloc[0]), able_tasks(choice)
        observations = read_parquets([job.input.observations])
        table = robustness(
            observations, job.wildcards.model, job.params.kinds, layer, job.params.shown, able, job.params.seed
        )
        write_csv(job.output.robustness, table)
