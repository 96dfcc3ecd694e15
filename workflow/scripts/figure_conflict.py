"""Rule figure_conflict: conflicting tasks by layer."""

from taskvectors.figure_patching import conflict
from taskvectors.figure_style import legible, save, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_csvs

if __name__ == "__main__":
    with reported(snakemake.log[0], "figure_conflict"):
        set_style()
        source = read_csvs(snakemake.input.conflict)
        figure = conflict(
            source,
            read_csvs(snakemake.input.controls),
            legible(snakemake.params.models),
            legible(snakemake.params.tasks),
        )
        save(figure, source, snakemake.output)
