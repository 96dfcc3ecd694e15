"""Rule geometry: cosine distances of θ within and between tasks, and how well θ separates tasks, at every layer."""

import pandas as pd

from taskvectors.geometry import distance_histogram, geometry_at_layer, raw_and_centred
from taskvectors.progress import reported, track
from taskvectors.tables import ALL, in_order, main_tasks, read_csv, write_csv
from taskvectors.thetas import read_thetas


def labelled(table: pd.DataFrame, choice: pd.DataFrame, layer: int, states: str) -> pd.DataFrame:
    """Put model, family, task, layer and whether the states are raw or centred in front."""
    families = choice.set_index("task")["family"]
    table = table.assign(model=choice["model"].iloc[0], family=table["task"].map(families).fillna(ALL))
    table = table.assign(layer=layer, states=states)
    first = ["model", "family", "task", "layer", "states"]
    return in_order(table[[*first, *(column for column in table.columns if column not in first)]], choice["task"])


if __name__ == "__main__":
    with reported(snakemake.log[0], "geometry"):
        chosen = main_tasks(read_csv(snakemake.input.choice))
        theta, tasks, _ = read_thetas(snakemake.input.theta, chosen["task"], "test")
        layers = theta.shape[1]
        tables = [
            labelled(geometry_at_layer(its, tasks, snakemake.params.seed), chosen, layer, states)
            for layer in track(range(layers), layers, "geometry", unit="layer")
            for states, its in raw_and_centred(theta[:, layer], tasks).items()
        ]
        common = int(chosen["common_layer"].iloc[0])
        write_csv(snakemake.output.geometry, pd.concat(tables, ignore_index=True))
        histograms = [
            labelled(distance_histogram(its, tasks), chosen, common, states)
            for states, its in raw_and_centred(theta[:, common], tasks).items()
        ]
        write_csv(snakemake.output.distances, pd.concat(histograms, ignore_index=True))
