"""Rule paper_items: the paper's own items of a task, as a table."""

from taskvectors.data.items import fetch_items
from taskvectors.job import current_job

if __name__ == "__main__":
    with current_job() as job:
        entry = job.params.entry
        fetch_items(f"{job.params.base_url}/{entry['path']}", entry["sha256"], job.output.table)
