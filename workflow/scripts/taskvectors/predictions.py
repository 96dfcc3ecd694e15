"""Predicted tokens as a tidy table."""

from collections import defaultdict

import pandas as pd
from torch import Tensor

from taskvectors.episodes import Episode
from taskvectors.models import LanguageModel
from taskvectors.scoring import is_correct
from taskvectors.tokens import decode


def split_by_task(episodes: list[Episode]) -> dict[tuple[str, str], list[Episode]]:
    """Episodes by (task, split), in the order of their first appearance."""
    groups = defaultdict(list)
    for episode in episodes:
        groups[episode.task, episode.split].append(episode)
    return dict(groups)


def predictions(lm: LanguageModel, episodes: list[Episode], method: str, tokens: Tensor, prefix: bool) -> pd.DataFrame:
    """One row a prediction: task, split, episode, method, layer, predicted, answer, correct.

    Args:
        tokens: `[episode]`, or `[episode, layer]`; without layers the column `layer` is empty.
        prefix: score by prefix (`taskvectors.scoring.is_correct`).
    """
    layers = range(tokens.shape[1]) if tokens.dim() == 2 else [None]
    words = iter(decode(lm.tokenizer, tokens.flatten().tolist()))
    rows = [
        (
            e.task,
            e.split,
            e.episode,
            method,
            layer,
            word := next(words),
            e.answers[0],
            is_correct(word, e.answers, prefix=prefix),
        )
        for e in episodes
        for layer in layers
    ]
    columns = ["task", "split", "episode", "method", "layer", "predicted", "answer", "correct"]
    return pd.DataFrame(rows, columns=columns).astype({"layer": "Int64"})
