"""Rule archived_tables: tables of an archived study, checked, where figures and report look for them."""

from pathlib import Path

from taskvectors.job import current_job
from taskvectors.store.archived import unpack

if __name__ == "__main__":
    with current_job() as job:
        wanted = {f"tables/{Path(file).parent.name}/{Path(file).name}": file for file in job.output.tables}
        wanted |= {Path(file).name: file for file in (job.output.provenance, job.output.resources)}
        unpack(job.input.archive, wanted)
