"""Rule figure_accuracy_bars: mean accuracy by method."""

from taskvectors.figure_accuracy import accuracy_bars
from taskvectors.figure_style import legible, save, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_tables

if __name__ == "__main__":
    with reported(snakemake.log[0], "figure_accuracy_bars"):
        set_style()
        tables = read_tables(snakemake.input)
        figure = accuracy_bars(
            tables["accuracy"],
            tables["published"],
            legible(snakemake.params.models),
        )
        save(figure, tables, snakemake.output)
