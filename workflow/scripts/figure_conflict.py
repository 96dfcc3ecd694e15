"""Rule figure_conflict: conflicting tasks by layer."""

from taskvectors.figure_patching import conflict
from taskvectors.figure_style import legible, save, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_tables

if __name__ == "__main__":
    with reported(snakemake.log[0], "figure_conflict"):
        set_style()
        tables = read_tables(snakemake.input)
        figure = conflict(
            tables["conflict"],
            tables["controls"],
            legible(snakemake.params.models),
            legible(snakemake.params.tasks),
        )
        save(figure, tables, snakemake.output)
