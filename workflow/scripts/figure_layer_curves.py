"""Rule figure_layer_curves: accuracy by layer."""

from taskvectors.figure_accuracy import layer_curves
from taskvectors.figure_style import legible, save, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_csv, read_csvs

if __name__ == "__main__":
    with reported(snakemake.log[0], "figure_layer_curves"):
        set_style()
        source = read_csvs(snakemake.input.sweep)
        figure = layer_curves(
            source,
            read_csv(snakemake.input.published),
            legible(snakemake.params.models),
        )
        save(figure, source, snakemake.output)
