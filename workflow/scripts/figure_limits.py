"""Rule figure_limits: tasks that one vector may not hold."""

from taskvectors.figure_accuracy import limits
from taskvectors.figure_style import legible, save, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_tables

if __name__ == "__main__":
    with reported(snakemake.log[0], "figure_limits"):
        set_style()
        tables = read_tables(snakemake.input)
        figure = limits(
            tables["limits"],
            tables["controls"],
            legible(snakemake.params.models),
            legible(snakemake.params.tasks),
        )
        save(figure, tables, snakemake.output)
