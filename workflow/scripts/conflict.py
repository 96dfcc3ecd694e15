"""Rule conflict: how often a patched prompt of task A is answered as task A, as task B and as neither, by layer."""

from taskvectors.conflict import conflict_table, transfer_table
from taskvectors.progress import reported
from taskvectors.tables import read_parquets, write_csv

if __name__ == "__main__":
    with reported(snakemake.log[0], "conflict"):
        predictions = read_parquets([snakemake.input.predictions])
        model: str = snakemake.wildcards.model
        write_csv(snakemake.output.table, conflict_table(predictions, model, snakemake.params.pairs))
        write_csv(snakemake.output.transfer, transfer_table(predictions, model))
