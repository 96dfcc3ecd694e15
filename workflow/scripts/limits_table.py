"""Rule limits_table: tasks that one vector may not hold, with demonstrations and with θ."""

from taskvectors.job import current_job
from taskvectors.questions.limits.tables import limits
from taskvectors.store.parquet import read_parquets
from taskvectors.store.tables import write_csv

if __name__ == "__main__":
    with current_job() as job:
        write_csv(job.output.limits, limits(read_parquets([job.input.chosen]), job.params.bijections, job.params.long))
