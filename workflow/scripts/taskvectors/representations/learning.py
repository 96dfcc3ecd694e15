"""A vector learned by gradient descent on the answers of demonstrations, the model frozen."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from taskvectors.data.prompts import prompt
from taskvectors.data.tokens import Ids, first_answer_ids, prompt_ids
from taskvectors.engine.descent import AnswerLoss, Prefilled, why_too_coarse
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
    loss = AnswerLosses(lm, pairs, layer, names).of(pairs, names)
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


class AnswerLosses:
    """Losses of the first tokens of answers, behind the bare prompts of their inputs, which are run once."""

    def __init__(self, lm: LanguageModel, pairs: Sequence[Pairs], layer: int, names: list[str]) -> None:
        """
        Args:
            pairs: of every episode; what is asked for later has no other inputs.
            layer: after whose block a vector stands in for the state of the last token.
            names: how to call each episode in an error message.
        """
        self.tokenizer = lm.tokenizer
        texts = list(dict.fromkeys(text for of_episode in pairs for text in _bare(of_episode)))
        self.ids = dict(zip(texts, prompt_ids(lm.tokenizer, texts), strict=True))
        self.prefilled = Prefilled(lm, [self._ids(of_episode) for of_episode in pairs], layer, names)

    def of(self, pairs: Sequence[Pairs], names: list[str]) -> AnswerLoss:
        """The loss of every row's pairs, as a function of a vector for each."""
        wanted = [
            first_answer_ids(self.tokenizer, _bare(of_row), [y for _, y in of_row], name)
            for of_row, name in zip(pairs, names, strict=True)
        ]
        return AnswerLoss(self.prefilled, list(map(self._ids, pairs)), wanted, names)

    def _ids(self, pairs: Pairs) -> list[Ids]:
        return [self.ids[text] for text in _bare(pairs)]


def _bare(pairs: Pairs) -> list[str]:
    return [prompt((), x) for x, _ in pairs]


def not_differentiable(reading: Reading) -> str:
    """Why nothing is learned with this model at this layer; empty if it is."""
    return why_too_coarse(reading.lm.dtype)
