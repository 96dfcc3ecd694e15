"""Rule study_notebook: the report's notebook, executed on the study's tables and figures."""

from pathlib import Path

from taskvectors.job import current_job
from taskvectors.report.notebook import execute

if __name__ == "__main__":
    with current_job() as job:
        tables = {name: list(files) for name, files in job.input.items() if name in job.params.tables}
        tables |= {f"paper/{Path(file).stem}": [file] for file in job.input.published}
        files = {name: job.input[name] for name in ("provenance", "schematic")}
        execute(job.input.notebook, job.output.notebook, {**job.params.page, **files, "tables": tables})
