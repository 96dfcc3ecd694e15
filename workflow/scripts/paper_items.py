"""Rule paper_items: the paper's own items of a task, as a table."""

from taskvectors.items import fetch_items
from taskvectors.progress import reported

if __name__ == "__main__":
    with reported(snakemake.log[0], "paper_items"):
        entry = snakemake.params.entry
        fetch_items(f"{snakemake.params.base_url}/{entry['path']}", entry["sha256"], snakemake.output.table)
