"""The same architecture before any training: what a measure finds there is no trace of what a model has learned."""

from copy import deepcopy

import torch

from taskvectors.models.kernels import multiply_faster
from taskvectors.models.language_model import LanguageModel, find_blocks
from taskvectors.models.memory import memory_at_hand

SHARE = 0.7  # of the free memory; the rest is for passes


def has_room_for_another(lm: LanguageModel) -> bool:
    """Whether the memory that a model lies in holds it once more; a model that is spread over devices has none."""
    if lm.device.type == "cuda":
        torch.cuda.empty_cache()  # what torch keeps for later counts as taken else
        free = torch.cuda.mem_get_info(lm.device)[0]
    else:
        free = memory_at_hand()
    return lm.on_one_device and SHARE * free > sum(p.numel() * p.itemsize for p in lm.model.parameters())


def untrained(lm: LanguageModel, seed: int) -> LanguageModel:
    """A model of this configuration with weights as its own class draws them, beside the same tokenizer, on the same
    device.

    It takes as much memory again as the model itself.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = type(lm.model)._from_config(deepcopy(lm.model.config), dtype=lm.dtype)
    model = model.to(lm.device).eval().requires_grad_(False)
    if lm.device.type == "cpu" and lm.dtype == torch.float32:
        multiply_faster(model)
    return LanguageModel(model, lm.tokenizer, find_blocks(model))
