"""θ read and patched in plain lines: one full forward pass a prompt, layer and token, with a hook; nothing batched or cached.

This is what the engine computes faster. `taskvectors.model_check` holds every model that is loaded against it, and the tests the
engine itself (paper, section 3).
"""

from typing import Any

import torch
from torch import Tensor, nn

from taskvectors.data.tokens import Ids
from taskvectors.models.language_model import LanguageModel, block_hidden, removed, with_hidden


@torch.no_grad()
def plain_states(lm: LanguageModel, ids: Ids) -> tuple[Tensor, list[Tensor] | None, Tensor]:
    """Of the last token: states after every block `[layer, hidden]`, the states that the model itself gives out after its embedding
    and every block (None if it gives none; the last may come after the final norm), and the logits `[vocabulary]`."""
    states: list[Tensor] = []
    hooks = [
        block.register_forward_hook(lambda block, inputs, output: states.append(block_hidden(output)[0, -1]))
        for block in lm.blocks
    ]
    with removed(hooks):
        output = lm.model(torch.tensor([ids], device=lm.device), use_cache=False, output_hidden_states=True)
    own = getattr(output, "hidden_states", None)
    own = [state[0, -1] for state in own] if own and all(state.dim() == 3 for state in own) else None
    return torch.stack([state.to(lm.device) for state in states]), own, output.logits[0, -1]


def plain_patched(lm: LanguageModel, ids: Ids, layer: int, theta: Tensor, answer_tokens: int = 1) -> tuple[Ids, Tensor]:
    """With the last token's state after block `layer` replaced by `theta` `[hidden]`: the answer, and the logits `[vocabulary]`
    of its first token.

    Later tokens of the answer see the patch, as every one is a pass over the whole prompt.
    """
    position = len(ids) - 1

    def patch(block: nn.Module, inputs: Any, output: Any) -> Any:
        hidden = block_hidden(output).clone()
        hidden[0, position] = theta.to(hidden)
        return with_hidden(output, hidden)

    with removed([lm.blocks[layer].register_forward_hook(patch)]):
        return plain_answer(lm, ids, answer_tokens)


@torch.no_grad()
def plain_answer(lm: LanguageModel, ids: Ids, answer_tokens: int) -> tuple[Ids, Tensor]:
    """The greedy continuation of a prompt, and the logits `[vocabulary]` of its first token."""
    logits: list[Tensor] = []
    whole = list(ids)
    for _ in range(answer_tokens):
        logits.append(lm.model(torch.tensor([whole], device=lm.device), use_cache=False).logits[0, -1])
        whole.append(int(logits[-1].argmax()))
    return whole[len(ids) :], logits[0]
