"""Rule accuracy: accuracy of every method, controls, paired differences, and all predictions in one table."""

from taskvectors.accuracy import accuracy, by_method, controls, differences, tidy
from taskvectors.progress import reported
from taskvectors.tables import read_csv, read_parquets, write_csv, write_parquet

if __name__ == "__main__":
    with reported(snakemake.log[0], "accuracy"):
        predictions = tidy(
            read_parquets(snakemake.input.predictions), snakemake.wildcards.model, snakemake.params.families
        )
        chosen = by_method(predictions, read_csv(snakemake.input.choice))
        write_csv(snakemake.output.accuracy, accuracy(chosen, snakemake.params.seed))
        write_csv(snakemake.output.controls, controls(chosen))
        write_csv(snakemake.output.differences, differences(chosen, snakemake.params.seed))
        write_parquet(snakemake.output.predictions, predictions)
