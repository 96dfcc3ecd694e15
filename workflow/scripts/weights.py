"""Rule weights: one folder of safetensors and tokenizer files, whatever they came as."""

from pathlib import Path

from taskvectors.engine.model_check import check_prepared
from taskvectors.job import current_job
from taskvectors.models.preparation import prepare, prepare_random

if __name__ == "__main__":
    with current_job() as job:
        folder = Path(job.output.folder)
        if job.params.random is None:
            prepare(Path(job.params.source), folder, job.params.parameters)
        else:
            prepare_random(job.params.random, list(job.input.source), folder)
        check_prepared(folder, job.params.dtype)
