"""Rules figure_*: any figure, drawn by `figures/<name>.py` of its question from tables alone."""

from taskvectors.drawing.style import Labels, drawn, legible, save, set_style
from taskvectors.job import current_job
from taskvectors.store.tables import read_tables

if __name__ == "__main__":
    with current_job() as job:
        set_style()
        tables = read_tables(job.input)
        labels = Labels(legible(job.params.models), legible(job.params.tasks))
        save(drawn(job.params.drawing, tables, labels), tables, job.output)
