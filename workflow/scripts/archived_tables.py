"""Rule archived_tables: tables of archived studies, checked, where figures and report look for them."""

from taskvectors.job import current_job
from taskvectors.store.unpacked import unpack

if __name__ == "__main__":
    with current_job() as job:
        unpack(job.params.origins, job.output.tables, job.output.provenance, job.output.resources)
