"""Predicted tokens as a tidy table."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import TypeVar

import pandas as pd
import torch
from torch import Tensor

from taskvectors.data.episodes import Episode
from taskvectors.data.scoring import scored
from taskvectors.data.tokens import decode_answers
from taskvectors.models.language_model import LanguageModel
from taskvectors.names import ACCURACY

Item = TypeVar("Item")


def words_by_layer(
    lm: LanguageModel, items: Sequence[Item], tokens: Tensor, layers: Sequence[int] | None = None
) -> Iterator[tuple[Item, int | None, str]]:
    """Each item with each layer (None if tokens are `[item, token]`, not `[item, layer, token]`) and the decoded
    answer."""
    columns = [None] if tokens.dim() == 2 else range(tokens.shape[1]) if layers is None else layers
    words = decode_answers(lm.tokenizer, tokens.flatten(0, -2).tolist(), lm.ends)
    for (item, layer), word in zip(product(items, columns), words, strict=True):
        yield item, layer, word


def predictions(
    lm: LanguageModel,
    episodes: list[Episode],
    method: str,
    tokens: Tensor,
    prefix_scored: Mapping[str, bool],
    layers: Sequence[int] | None = None,
) -> pd.DataFrame:
    """One row a prediction: task, seed, split, episode, method, layer, predicted, answer, correct, exact.

    Args:
        tokens: `[episode, token]`, or `[episode, layer, token]`; without layers the column `layer` is empty.
        prefix_scored: by task, whether `correct` is by prefix (`taskvectors.data.scoring.is_correct`); `exact` never
            is.
        layers: those that the tokens are of; all by default.
    """
    return scored(words_by_layer(lm, episodes, tokens, layers), method, prefix_scored)


def observed_accuracy(
    lm: LanguageModel, episodes: list[Episode], subject: str, tokens: Tensor, prefix_scored: Mapping[str, bool],
    step: int | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Observations: whether the answers `[episode, token]` are right."""
    correct = predictions(lm, episodes, subject, tokens, prefix_scored)["correct"]
    return observed(episodes, ACCURACY, subject, torch.tensor(correct.to_numpy(dtype=float)), step)


def observed(
    episodes: Sequence[Episode], measure: str, subject: str, values: Tensor, step: int | Sequence[int] | None = None,
    states: str | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Observations: one measure of one subject, a value for every episode."""
    names = {"task": [e.task for e in episodes], "episode": [e.episode for e in episodes]}
    table = pd.DataFrame(names).assign(measure=measure, subject=subject, states=states, step=step)
    return table.assign(value=values.double().tolist()).astype({"step": "Int64", "states": object})
