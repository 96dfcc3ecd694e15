"""Rules figure_*: any figure of workflow/figures.yaml, drawn by `taskvectors.figures.<name>` from tables alone."""

from importlib import import_module

from taskvectors.figures.style import Labels, legible, save, set_style
from taskvectors.job import current_job
from taskvectors.store.tables import read_tables

if __name__ == "__main__":
    with current_job() as job:
        set_style()
        tables = read_tables(job.input)
        labels = Labels(legible(job.params.models), legible(job.params.tasks))
        save(import_module(f"taskvectors.figures.{job.params.figure}").draw(tables, labels), tables, job.output)
