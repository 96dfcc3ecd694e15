"""From the residual stream to tokens."""

from typing import Any

import torch
from torch import Tensor, nn

from taskvectors.models.highest_logit import highest
from taskvectors.models.language_model import LanguageModel, block_hidden, with_hidden

UNEMBED_ROWS = 256  # last tokens unembedded at once: logits are rows × vocabulary
SCREENED_ROWS = (
    64  # from so many on a screen (`taskvectors.models.highest_logit`) pays; the check of a loaded model stays below
)


@torch.inference_mode()
def unembed(lm: LanguageModel, states: Tensor) -> Tensor:
    """Logits `[n, vocabulary]` of states `[n, hidden]` after the model's own final norm and unembedding.

    The states replace the output of the top block, so that the model itself applies whatever follows it.
    """
    one_token = torch.zeros(len(states), 1, dtype=torch.long, device=lm.device)

    def replace(block: nn.Module, inputs: Any, output: Any) -> Any:
        return with_hidden(output, states.to(block_hidden(output))[:, None])

    handle = lm.blocks[-1].register_forward_hook(replace)
    try:
        return lm.model(one_token, use_cache=False).logits[:, -1].cpu()
    finally:
        handle.remove()


@torch.inference_mode()
def next_tokens(lm: LanguageModel, hidden: Tensor) -> Tensor:
    """Greedy tokens `[n]` of final hidden states `[n, hidden]`, on the CPU; soft-capping and scaling keep the
    order."""
    if len(hidden) >= SCREENED_ROWS and lm.screen is not None:
        return lm.screen.highest(hidden)
    unembedding = lm.model.get_output_embeddings()
    chunks = hidden.to(unembedding.weight.device).split(UNEMBED_ROWS)
    return torch.cat([highest(unembedding(rows)) for rows in chunks]).cpu()
