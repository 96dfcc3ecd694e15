"""Rule figure_layer_choice: accuracy by layer choice."""

from taskvectors.figure_accuracy import layer_choice
from taskvectors.figure_style import legible, save, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_tables

if __name__ == "__main__":
    with reported(snakemake.log[0], "figure_layer_choice"):
        set_style()
        tables = read_tables(snakemake.input)
        figure = layer_choice(
            tables["views"],
            legible(snakemake.params.models),
        )
        save(figure, tables, snakemake.output)
