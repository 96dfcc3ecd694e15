"""Rules figure_*: any figure of workflow/figures.yaml, drawn by `taskvectors.figures.<name>` from tables alone."""

from importlib import import_module

from taskvectors.figures.style import Labels, legible, save, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_tables

if __name__ == "__main__":
    name: str = snakemake.params.figure
    with reported(snakemake.log[0], f"figure_{name}"):
        set_style()
        tables = read_tables(snakemake.input)
        labels = Labels(legible(snakemake.params.models), legible(snakemake.params.tasks))
        save(import_module(f"taskvectors.figures.{name}").draw(tables, labels), tables, snakemake.output)
