"""Rule figure_separation: where tasks separate, and where patching works."""

import pandas as pd

from taskvectors.figures import save, separation, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_csv

if __name__ == "__main__":
    with reported(snakemake.log[0], "figure_separation"):
        set_style()
        figure = separation(
            pd.concat(map(read_csv, snakemake.input.geometry), ignore_index=True),
            pd.concat(map(read_csv, snakemake.input.sweep), ignore_index=True),
            snakemake.params.models,
        )
        for path in snakemake.output:
            save(figure, path)
