"""Rule conflict: how often a patched prompt of task A is answered as task B, by layer."""

from taskvectors.conflict import conflict_table
from taskvectors.progress import reported
from taskvectors.tables import read_parquets, write_csv

if __name__ == "__main__":
    with reported(snakemake.log[0], "conflict"):
        table = conflict_table(read_parquets([snakemake.input.predictions]), snakemake.wildcards.model)
        write_csv(snakemake.output.table, table)
