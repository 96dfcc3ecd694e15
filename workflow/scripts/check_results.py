"""Rule check_results: every table of this study beside the archived one: equal, equal up to rounding, within interval
or different."""

import sys

from taskvectors.job import current_job
from taskvectors.store.archived import read_archive
from taskvectors.store.comparison import compared
from taskvectors.store.tables import write_csv

if __name__ == "__main__":
    with current_job() as job:
        table = compared(job.input.tables, read_archive(job.input.archive), job.params.kinds)
        write_csv(job.output.verdicts, table)
        sys.stderr.write(table.to_string(index=False) + "\n")
