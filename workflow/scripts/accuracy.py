"""Rule accuracy: baseline, hypothesis and regular accuracy of every task, and all predictions in one table."""

from taskvectors.accuracy import accuracy, tidy
from taskvectors.progress import reported
from taskvectors.tables import read_csv, read_parquets, write_csv, write_parquet

if __name__ == "__main__":
    with reported(snakemake.log[0], "accuracy"):
        predictions = tidy(
            read_parquets(snakemake.input.predictions), snakemake.wildcards.model, snakemake.params.families
        )
        write_csv(snakemake.output.accuracy, accuracy(predictions, read_csv(snakemake.input.choice)))
        write_parquet(snakemake.output.predictions, predictions)
