"""Rule figure_answer_ranks: ranks of answers by layer."""

from taskvectors.figure_patching import answer_ranks
from taskvectors.figure_style import legible, save, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_tables

if __name__ == "__main__":
    with reported(snakemake.log[0], "figure_answer_ranks"):
        set_style()
        tables = read_tables(snakemake.input)
        figure = answer_ranks(
            tables["ranks"],
            legible(snakemake.params.models),
        )
        save(figure, tables, snakemake.output)
