"""Rule figure_transfer: transfer of θ between tasks."""

from taskvectors.figure_patching import transfer
from taskvectors.figure_style import legible, save, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_tables

if __name__ == "__main__":
    with reported(snakemake.log[0], "figure_transfer"):
        set_style()
        tables = read_tables(snakemake.input)
        figure = transfer(
            tables["transfer"],
            tables["accuracy"],
            tables["controls"],
            tables["choice"],
            legible(snakemake.params.models),
            legible(snakemake.params.tasks),
        )
        save(figure, tables, snakemake.output)
