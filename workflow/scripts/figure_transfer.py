"""Rule figure_transfer: transfer of θ between tasks."""

from taskvectors.figure_patching import transfer
from taskvectors.figure_style import legible, save, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_csvs

if __name__ == "__main__":
    with reported(snakemake.log[0], "figure_transfer"):
        set_style()
        source = read_csvs(snakemake.input.transfer)
        figure = transfer(
            source,
            read_csvs(snakemake.input.accuracy),
            read_csvs(snakemake.input.controls),
            read_csvs(snakemake.input.choice),
            legible(snakemake.params.models),
            legible(snakemake.params.tasks),
        )
        save(figure, source, snakemake.output)
