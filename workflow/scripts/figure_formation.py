"""Rule figure_formation: how θ forms."""

from taskvectors.figure_patching import formation
from taskvectors.figure_style import legible, save, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_tables

if __name__ == "__main__":
    with reported(snakemake.log[0], "figure_formation"):
        set_style()
        tables = read_tables(snakemake.input)
        figure = formation(
            tables["formation"],
            tables["variance"],
            tables["accuracy"],
            legible(snakemake.params.models),
        )
        save(figure, tables, snakemake.output)
