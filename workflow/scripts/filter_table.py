"""Rule filter_table: pairs kept of total for every task, in one table."""

from taskvectors.progress import reported
from taskvectors.tables import read_csvs, write_csv

if __name__ == "__main__":
    with reported(snakemake.log[0], "filter_table"):
        write_csv(snakemake.output.table, read_csvs(snakemake.input.families))
