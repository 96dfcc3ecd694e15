"""Rule figure_separation: separation by layer."""

from taskvectors.figure_geometry import separation
from taskvectors.figure_style import legible, save, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_tables

if __name__ == "__main__":
    with reported(snakemake.log[0], "figure_separation"):
        set_style()
        tables = read_tables(snakemake.input)
        figure = separation(
            tables["geometry"],
            tables["sweep"],
            legible(snakemake.params.models),
        )
        save(figure, tables, snakemake.output)
