"""θ read and patched in plain lines: one full forward pass a prompt, layer and token, with a hook; nothing batched or cached.

This is what the engine computes faster. `taskvectors.model_check` holds every model that is loaded against it, and the tests the
engine itself (paper, section 3).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from taskvectors.models import LanguageModel, block_hidden, with_hidden
from taskvectors.tokens import Ids


@torch.no_grad()
def plain_logits(lm: LanguageModel, ids: Ids) -> Tensor:
    """The model's own logits `[token, vocabulary]` of one prompt."""
    return lm.model(torch.tensor([ids], device=lm.device), use_cache=False).logits[0]


def plain_states(lm: LanguageModel, ids: Ids) -> tuple[Tensor, Tensor]:
    """States of the last token after every block `[layer, hidden]`, and the logits behind it `[vocabulary]`."""
    states: list[Tensor] = []
    hooks = [
        block.register_forward_hook(lambda block, inputs, output: states.append(block_hidden(output)[0, -1]))
        for block in lm.blocks
    ]
    with _removed(hooks):
        logits = plain_logits(lm, ids)[-1]
    return torch.stack([state.to(lm.device) for state in states]), logits


def plain_patched(lm: LanguageModel, ids: Ids, layer: int, theta: Tensor, answer_tokens: int = 1) -> tuple[Tensor, Ids]:
    """With the last token's state after block `layer` replaced by `theta` `[hidden]`: the logits at that token, and the answer.

    Later tokens of the answer see the patch, as every one is a pass over the whole prompt.
    """
    position = len(ids) - 1

    def patch(block: nn.Module, inputs: Any, output: Any) -> Any:
        hidden = block_hidden(output).clone()
        hidden[0, position] = theta.to(hidden)
        return with_hidden(output, hidden)

    with _removed([lm.blocks[layer].register_forward_hook(patch)]):
        answer = plain_answer(lm, ids, answer_tokens)
        return plain_logits(lm, ids)[-1], answer


def plain_answer(lm: LanguageModel, ids: Ids, answer_tokens: int) -> Ids:
    """The greedy continuation of a prompt."""
    whole = list(ids)
    for _ in range(answer_tokens):
        whole.append(int(plain_logits(lm, whole)[-1].argmax()))
    return whole[len(ids) :]


@contextmanager
def _removed(hooks: list[Any]) -> Iterator[None]:
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
