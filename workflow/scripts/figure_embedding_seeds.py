"""Rule figure_embedding_seeds: t-SNE and UMAP at every seed."""

from taskvectors.figure_geometry import embedding_seeds
from taskvectors.figure_style import legible, save, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_tables

if __name__ == "__main__":
    with reported(snakemake.log[0], "figure_embedding_seeds"):
        set_style()
        tables = read_tables(snakemake.input)
        figure = embedding_seeds(
            tables["embedding"],
            tables["quality"],
            legible(snakemake.params.models),
        )
        save(figure, tables, snakemake.output)
