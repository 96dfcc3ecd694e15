"""A vector learned by gradient descent on the answers of demonstrations, the model frozen."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from taskvectors.measuring.answer_loss import AnswerLosses, Pairs
from taskvectors.models.language_model import LanguageModel


def learned(
    lm: LanguageModel, pairs: Sequence[Pairs], start: Tensor, theta: Tensor, layer: int, learning: Mapping[str, Any], names: list[str]
) -> Tensor:  # fmt: skip
    """Vectors `[episode, hidden]` that minimise the loss of each episode's pairs, by Adam (Kingma and Ba 2015).

    Args:
        pairs: of every episode.
        start: where the descent begins `[episode, hidden]`.
        theta: θ `[episode, hidden]`: the rate is a share of its distance from the start, root mean square over
            entries, so that it suits models whose states are of any size.
        layer: whose output the vector replaces.
        learning: `steps` and `rate`.
        names: of the episodes, for error messages.
    """
    loss = AnswerLosses(lm, pairs, layer, names).loss_for(pairs, names)
    scale = learning["rate"] * (theta - start).float().square().mean(dim=-1, keepdim=True).sqrt()
    steps = torch.zeros_like(
        start, dtype=torch.float32
    ).requires_grad_()  # in units of the rate, which differs between episodes
    optimiser = torch.optim.Adam([steps], lr=1.0)
    for _ in range(learning["steps"]):
        _, gradient = loss(start + scale * steps.detach())
        steps.grad = (gradient * scale).float()
        optimiser.step()
    return start + scale * steps.detach()
