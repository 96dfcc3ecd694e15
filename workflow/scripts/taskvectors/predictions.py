"""Predicted tokens as a tidy table."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import TypeVar

import pandas as pd
from torch import Tensor

from taskvectors.episodes import Episode
from taskvectors.models import LanguageModel
from taskvectors.scoring import is_correct
from taskvectors.tokens import decode_answers

Item = TypeVar("Item")


def by_task_and_split(episodes: Iterable[Episode]) -> dict[str, dict[str, list[Episode]]]:
    """Episodes of each task and split, in the order of their first appearance."""
    tasks: dict[str, dict[str, list[Episode]]] = {}
    for episode in episodes:
        tasks.setdefault(episode.task, {}).setdefault(episode.split, []).append(episode)
    return tasks


def words_by_layer(
    lm: LanguageModel, items: Sequence[Item], tokens: Tensor, layers: Sequence[int] | None = None
) -> Iterator[tuple[Item, int | None, str]]:
    """Each item with each layer (None if tokens are `[item, token]`, not `[item, layer, token]`) and the decoded answer."""
    columns = [None] if tokens.dim() == 2 else range(tokens.shape[1]) if layers is None else layers
    words = decode_answers(lm.tokenizer, tokens.flatten(0, -2).tolist(), lm.ends)
    for (item, layer), word in zip(product(items, columns), words, strict=True):
        yield item, layer, word


def predictions(
    lm: LanguageModel,
    episodes: list[Episode],
    method: str,
    tokens: Tensor,
    prefix: bool,
    layers: Sequence[int] | None = None,
) -> pd.DataFrame:
    """One row a prediction: task, split, episode, method, layer, predicted, answer, correct, exact.

    Args:
        tokens: `[episode, token]`, or `[episode, layer, token]`; without layers the column `layer` is empty.
        prefix: `correct` is by prefix (`taskvectors.scoring.is_correct`); `exact` never is.
        layers: those that the tokens are of; all by default.
    """
    return scored(words_by_layer(lm, episodes, tokens, layers), method, prefix)


def scored(answers: Iterable[tuple[Episode, int | None, str]], method: str, prefix: bool) -> pd.DataFrame:
    """The table of predictions from episodes, layers (or None) and predicted words."""
    rows = []
    for e, layer, word in answers:
        correct, exact = is_correct(word, e.answers, prefix=prefix), is_correct(word, e.answers)
        rows.append((e.task, e.split, e.episode, method, layer, word, e.answers[0], correct, exact))
    columns = ["task", "split", "episode", "method", "layer", "predicted", "answer", "correct", "exact"]
    return pd.DataFrame(rows, columns=columns).astype({"layer": "Int64"})
