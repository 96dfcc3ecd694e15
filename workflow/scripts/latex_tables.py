"""Rule latex_tables: the page's main tables for a paper."""

from pathlib import Path

from taskvectors.files import write_text
from taskvectors.progress import reported
from taskvectors.report import page_tables
from taskvectors.report.latex import latex_table
from taskvectors.tables import read_tables

if __name__ == "__main__":
    with reported(snakemake.log[0], "latex_tables"):
        tables = read_tables(snakemake.input)
        for file in map(Path, snakemake.output):
            table = getattr(page_tables, f"{file.stem}_table")(tables, snakemake.params.config)
            write_text(file, latex_table(table, file.stem, snakemake.params.captions[file.stem]))
