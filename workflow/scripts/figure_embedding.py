"""Rule figure_embedding: t-SNE and UMAP of θ."""

from taskvectors.figure_geometry import embedding
from taskvectors.figure_style import legible, save, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_csvs

if __name__ == "__main__":
    with reported(snakemake.log[0], "figure_embedding"):
        set_style()
        source = read_csvs(snakemake.input.embedding)
        figure = embedding(
            source,
            read_csvs(snakemake.input.quality),
            read_csvs(snakemake.input.controls),
            legible(snakemake.params.models),
            legible(snakemake.params.tasks),
        )
        save(figure, source, snakemake.output)
