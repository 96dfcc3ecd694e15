"""Rule figure_accuracy_bars: mean accuracy by method."""

from taskvectors.figure_accuracy import accuracy_bars
from taskvectors.figure_style import legible, save, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_csv, read_csvs

if __name__ == "__main__":
    with reported(snakemake.log[0], "figure_accuracy_bars"):
        set_style()
        source = read_csvs(snakemake.input.accuracy)
        figure = accuracy_bars(
            source,
            read_csv(snakemake.input.published),
            legible(snakemake.params.models),
        )
        save(figure, source, snakemake.output)
