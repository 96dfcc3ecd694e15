"""Rule study_notebook: the report's notebook, made from the pages of the questions and executed on tables and
figures."""

from pathlib import Path

from taskvectors.job import current_job
from taskvectors.report.notebook import built, execute
from taskvectors.report.pages import Section
from taskvectors.store.tables import read_csvs

if __name__ == "__main__":
    with current_job() as job:
        files = {name: list(paths) for name, paths in job.input.items() if name in job.params.tables}
        files |= {f"paper/{Path(path).stem}": [path] for path in job.input.published}
        page, tables = job.params.page, {name: read_csvs(paths) for name, paths in files.items()}
        notebook = built([Section(**section) for section in job.params.sections], tables, page["config"])
        drawn = str(Path(job.input.figures[0]).parent) if job.input.figures else ""
        more = {
            "tables": files,
            "drawn": drawn,
            "provenance": job.input.provenance,
            "schematic_file": job.input.schematic,
        }
        execute(notebook, job.output.notebook, {**page, **more})
