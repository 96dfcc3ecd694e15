"""Rule accuracy: accuracy of every method, controls, paired differences, seeds, limits, and all predictions in one table."""

from taskvectors.accuracy import accuracy, by_method, by_seed, controls, differences, limits, seed_spread, tidy, views
from taskvectors.progress import reported
from taskvectors.tables import read_csv, read_parquets, write_csv, write_parquet

if __name__ == "__main__":
    with reported(snakemake.log[0], "accuracy"):
        seed: int = snakemake.params.seed
        predictions = tidy(
            read_parquets(snakemake.input.predictions), snakemake.wildcards.model, snakemake.params.families, seed
        )
        choice = read_csv(snakemake.input.choice)
        chosen = by_method(predictions[predictions["seed"] == seed], choice)
        table = accuracy(chosen, seed)
        write_csv(snakemake.output.accuracy, table)
        write_csv(snakemake.output.controls, controls(chosen, seed))
        write_csv(snakemake.output.differences, differences(chosen, seed))
        write_csv(snakemake.output.views, views(chosen, table, choice, seed))
        write_csv(snakemake.output.limits, limits(chosen, snakemake.params.limits, snakemake.params.bijections))
        seeds = by_seed(predictions, seed)
        write_csv(snakemake.output.seeds, seeds)
        write_csv(snakemake.output.spread, seed_spread(seeds))
        write_parquet(snakemake.output.predictions, predictions)
