"""Rule figure_separation: separation by layer."""

from taskvectors.figure_geometry import separation
from taskvectors.figure_style import legible, save, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_csvs

if __name__ == "__main__":
    with reported(snakemake.log[0], "figure_separation"):
        set_style()
        source = read_csvs(snakemake.input.geometry)
        figure = separation(
            source,
            read_csvs(snakemake.input.sweep),
            legible(snakemake.params.models),
        )
        save(figure, source, snakemake.output)
