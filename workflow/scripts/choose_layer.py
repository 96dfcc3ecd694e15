"""Rule choose_layer: accuracy by layer, and the layers chosen on dev episodes: by task, and one for all tasks."""

import pandas as pd

from taskvectors.job import current_job
from taskvectors.observations.rows import with_kinds
from taskvectors.questions.layers.tables import layer_choice, layer_sweep
from taskvectors.store.parquet import read_parquets, write_parquet
from taskvectors.store.tables import write_csv

if __name__ == "__main__":
    with current_job() as job:
        predictions = with_kinds(read_parquets(job.input.predictions), job.wildcards.model, job.params.kinds)
        by_seed, seed = dict(list(predictions.groupby("seed", sort=False))), job.params.seed
        choices = {
            of_seed: layer_choice(rows, seed, job.params.bijections).assign(seed=of_seed)
            for of_seed, rows in by_seed.items()
        }
        write_csv(job.output.sweep, layer_sweep(by_seed[seed]))
        write_csv(job.output.choice, choices[seed].drop(columns="seed"))
        write_parquet(job.output.choices, pd.concat(choices.values(), ignore_index=True))
