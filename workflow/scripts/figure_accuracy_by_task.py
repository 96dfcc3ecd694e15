"""Rule figure_accuracy_by_task: accuracy by task."""

from taskvectors.figure_accuracy import accuracy_by_task
from taskvectors.figure_style import legible, save, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_tables

if __name__ == "__main__":
    with reported(snakemake.log[0], "figure_accuracy_by_task"):
        set_style()
        tables = read_tables(snakemake.input)
        figure = accuracy_by_task(
            tables["accuracy"],
            tables["controls"],
            tables["choice"],
            legible(snakemake.params.models),
            legible(snakemake.params.tasks),
        )
        save(figure, tables, snakemake.output)
