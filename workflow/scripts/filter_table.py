"""Rule filter_table: pairs kept of total for every task, in one table."""

import pandas as pd

from taskvectors.progress import reported
from taskvectors.tables import read_csv, write_csv

if __name__ == "__main__":
    with reported(snakemake.log[0], "filter_table"):
        write_csv(snakemake.output.table, pd.concat(map(read_csv, snakemake.input.families), ignore_index=True))
