"""The model that a job asks for, and the stamp of what the job computes with it."""

from typing import Any

import torch

from taskvectors.engine.model_check import load_model
from taskvectors.job import Job, fingerprints_of, note
from taskvectors.models.language_model import LanguageModel
from taskvectors.models.loading import made_by


def model_of(job: Job) -> tuple[LanguageModel, dict[str, Any]]:
    """Load and check the model in `weights`, with the dtype, device and threads of the job.

    Raises:
        StudyError: see `load_model`.
    """
    torch.set_num_threads(job.threads)
    lm = load_model(job.input.weights, job.params.dtype, job.params.device)
    made = made_by(lm, job.rule, job.input.weights, fingerprints_of(job))
    note(made)
    return lm, made
