"""Rule figure_layer_curves: accuracy by layer."""

from taskvectors.figure_accuracy import layer_curves
from taskvectors.figure_style import legible, save, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_tables

if __name__ == "__main__":
    with reported(snakemake.log[0], "figure_layer_curves"):
        set_style()
        tables = read_tables(snakemake.input)
        figure = layer_curves(
            tables["sweep"],
            tables["published"],
            legible(snakemake.params.models),
        )
        save(figure, tables, snakemake.output)
