"""Rule figure_embedding: t-SNE and UMAP of θ."""

import pandas as pd

from taskvectors.figures import embedding, save, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_csv

if __name__ == "__main__":
    with reported(snakemake.log[0], "figure_embedding"):
        set_style()
        figure = embedding(
            pd.concat(map(read_csv, snakemake.input.embedding), ignore_index=True),
            snakemake.params.models,
            snakemake.params.tasks,
        )
        for path in snakemake.output:
            save(figure, path)
