"""Rule filter_table: pairs kept of total for every task, in one table."""

from taskvectors.data.family_episodes import refuse_nothing_left
from taskvectors.job import current_job
from taskvectors.store.tables import read_csvs, write_csv

if __name__ == "__main__":
    with current_job() as job:
        filtered = read_csvs(job.input.families)
        refuse_nothing_left(filtered)
        write_csv(job.output.table, filtered)
