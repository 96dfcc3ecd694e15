"""Rule figure_layer_curves: dev accuracy of the patched model by layer."""

from taskvectors.figures import layer_curves, save, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_csv, read_csvs

if __name__ == "__main__":
    with reported(snakemake.log[0], "figure_layer_curves"):
        set_style()
        figure = layer_curves(
            read_csvs(snakemake.input.sweep),
            read_csv(snakemake.input.published),
            snakemake.params.models,
        )
        for path in snakemake.output:
            save(figure, path)
