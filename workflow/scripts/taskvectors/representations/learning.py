"""A vector learned by gradient descent on the answers of demonstrations, the model frozen."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from taskvectors.data.prompts import prompt
from taskvectors.data.tokens import answer_ids, prompt_ids
from taskvectors.engine.descent import PRECISE, AnswerLoss
from taskvectors.models.language_model import LanguageModel
from taskvectors.representations.reading import Reading

Pairs = Sequence[tuple[str, str]]  # of input and answer


def learned(
    lm: LanguageModel, pairs: Sequence[Pairs], start: Tensor, theta: Tensor, layer: int, learning: Mapping[str, Any], names: list[str]
) -> Tensor:  # fmt: skip
    """Vectors `[episode, hidden]` that minimise the loss of each episode's pairs, by Adam (Kingma and Ba 2015).

    Args:
        pairs: of every episode.
        start: where the descent begins `[episode, hidden]`.
        theta: θ `[episode, hidden]`: the rate is a share of its distance from the start, root mean square over entries, so that it
            suits models whose states are of any size.
        layer: whose output the vector replaces.
        learning: `steps` and `rate`.
        names: how to call each episode in an error message.
    """
    loss = answer_loss(lm, pairs, layer, names)
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


def answer_loss(lm: LanguageModel, pairs: Sequence[Pairs], layer: int, names: list[str]) -> AnswerLoss:
    """The loss of the first token of each answer, behind its input's bare prompt."""
    texts = [[prompt((), x) for x, _ in of_episode] for of_episode in pairs]
    ids = [prompt_ids(lm.tokenizer, of_episode) for of_episode in texts]
    wanted = [
        [tokens[0] for tokens in answer_ids(lm.tokenizer, of_texts, [y for _, y in of_episode])]
        for of_texts, of_episode in zip(texts, pairs, strict=True)
    ]
    return AnswerLoss(lm, ids, wanted, layer, names)


def not_differentiable(reading: Reading) -> str:
    """Why nothing is learned with this model at this layer; empty if it is."""
    if reading.lm.dtype not in PRECISE:
        return f"gradients in {str(reading.lm.dtype).removeprefix('torch.')} are too coarse; it takes `dtype: float32`"
    return ""
