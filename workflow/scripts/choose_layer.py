"""Rule choose_layer: accuracy by layer, and the layers chosen on dev episodes: by task, and one for all tasks."""

import pandas as pd

from taskvectors.accuracy import layer_choice, layer_sweep, tidy
from taskvectors.progress import reported
from taskvectors.tables import read_parquets, write_csv

if __name__ == "__main__":
    with reported(snakemake.log[0], "choose_layer"):
        seed: int = snakemake.params.seed
        predictions: pd.DataFrame = tidy(
            read_parquets(snakemake.input.predictions), snakemake.wildcards.model, snakemake.params.families, seed
        )
        first = predictions[predictions["seed"] == seed]
        write_csv(snakemake.output.sweep, layer_sweep(first))
        write_csv(snakemake.output.choice, layer_choice(first, seed))
