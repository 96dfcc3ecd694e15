"""Rule figure_layer_curves: dev accuracy of the patched model by layer."""

import pandas as pd

from taskvectors.figures import layer_curves, save, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_csv

if __name__ == "__main__":
    with reported(snakemake.log[0], "figure_layer_curves"):
        set_style()
        figure = layer_curves(
            pd.concat(map(read_csv, snakemake.input.sweep), ignore_index=True),
            read_csv(snakemake.input.published),
            snakemake.params.models,
        )
        for path in snakemake.output:
            save(figure, path)
