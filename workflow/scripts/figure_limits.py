"""Rule figure_limits: tasks that one vector may not hold."""

from taskvectors.figure_accuracy import limits
from taskvectors.figure_style import legible, save, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_csvs

if __name__ == "__main__":
    with reported(snakemake.log[0], "figure_limits"):
        set_style()
        source = read_csvs(snakemake.input.limits)
        figure = limits(
            source,
            read_csvs(snakemake.input.controls),
            legible(snakemake.params.models),
            legible(snakemake.params.tasks),
        )
        save(figure, source, snakemake.output)
