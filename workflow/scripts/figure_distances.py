"""Rule figure_distances: cosine distances."""

from taskvectors.figure_geometry import distances
from taskvectors.figure_style import save, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_csvs

if __name__ == "__main__":
    with reported(snakemake.log[0], "figure_distances"):
        set_style()
        source = read_csvs(snakemake.input.distances)
        figure = distances(
            source,
            read_csvs(snakemake.input.controls),
            snakemake.params.models,
            snakemake.params.tasks,
        )
        save(figure, source, snakemake.output)
