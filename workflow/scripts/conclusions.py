"""Rule conclusions: claims, thresholds and verdicts, from the tables of all models."""

from taskvectors.job import current_job
from taskvectors.report.conclusions import conclusions
from taskvectors.store.tables import read_tables, write_csv

if __name__ == "__main__":
    with current_job() as job:
        write_csv(job.output.conclusions, conclusions(read_tables(job.input), job.params.tasks, job.params.modules))
