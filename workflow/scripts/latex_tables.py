"""Rule latex_tables: the page's main tables for a paper."""

from pathlib import Path

from taskvectors.job import current_job
from taskvectors.report.latex import latex_table
from taskvectors.report.pages import page_table
from taskvectors.store.files import write_text
from taskvectors.store.tables import read_tables

if __name__ == "__main__":
    with current_job() as job:
        tables = read_tables(job.input)
        for file in map(Path, job.output):
            entry = job.params.tables[file.stem]
            table = page_table(file.stem, entry, tables, job.params.config)
            write_text(file, latex_table(table, file.stem, entry["caption"]))
