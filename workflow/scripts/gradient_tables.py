"""Rule gradient_tables: θ against gradient descent, on the mean over tasks and by task."""

from taskvectors.job import current_job
from taskvectors.questions.gradient.tables import gradient_measures
from taskvectors.store.parquet import read_parquets
from taskvectors.store.tables import write_csv

if __name__ == "__main__":
    with current_job() as job:
        observations = read_parquets([job.input.observations])
        table = gradient_measures(observations, job.wildcards.model, job.params.kinds, job.params.seed)
        write_csv(job.output.gradient, table)
