"""Rule figure_embedding: t-SNE and UMAP of θ."""

from taskvectors.figure_geometry import embedding
from taskvectors.figure_style import legible, save, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_tables

if __name__ == "__main__":
    with reported(snakemake.log[0], "figure_embedding"):
        set_style()
        tables = read_tables(snakemake.input)
        figure = embedding(
            tables["embedding"],
            tables["quality"],
            tables["controls"],
            legible(snakemake.params.models),
            legible(snakemake.params.tasks),
        )
        save(figure, tables, snakemake.output)
