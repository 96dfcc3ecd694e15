"""Rule figure_formation: how θ forms."""

from taskvectors.figure_patching import formation
from taskvectors.figure_style import legible, save, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_csvs

if __name__ == "__main__":
    with reported(snakemake.log[0], "figure_formation"):
        set_style()
        source = read_csvs(snakemake.input.formation)
        figure = formation(
            source,
            read_csvs(snakemake.input.variance),
            read_csvs(snakemake.input.accuracy),
            legible(snakemake.params.models),
        )
        save(figure, source, snakemake.output)
