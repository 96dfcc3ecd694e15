"""What θ says when it is unembedded: the paper's filter of tokens, and the ranks of given words (paper, section
5.2)."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from taskvectors.data.episodes import TEST, Episode
from taskvectors.data.prompts import prompt, zero_shot_prompt
from taskvectors.data.tokens import Tokenizer, answer_ids, decode
from taskvectors.engine.unembed import unembed
from taskvectors.errors import StudyError
from taskvectors.models.language_model import LanguageModel
from taskvectors.observations.rows import with_head
from taskvectors.progress import track
from taskvectors.store.thetas import Thetas

SHORTEST_WORD = 3  # of a task's name: "to" says nothing
Words = Mapping[str, list[int]]


def decode_thetas(
    lm: LanguageModel,
    thetas: Thetas,
    choice: pd.DataFrame,
    episodes: list[Episode],
    labels: Mapping[str, str],
    top: int,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The study's tables `decoded_tokens.csv` and `decoded_ranks.csv`.

    Args:
        choice: `layer_choice.csv`, limits aside.
        episodes: whose answers are looked for.
        labels: of tasks; their words are looked for, too.
        top: how many tokens.
        seed: the study seed whose θ these are.
    """
    answers = first_tokens(lm.tokenizer, episodes)
    tokens, places = [], []
    for row in track(choice.itertuples(), len(choice), "decode_theta"):
        theta = torch.from_numpy(thetas.of(row.task, TEST, seed).theta)
        logits = unembed(lm, theta.float().mean(dim=0)).float()
        own = answers[row.task]
        others = sorted({token for task in answers for token in answers[task]} - set(own))
        names = task_words(lm.tokenizer, re.sub(r"\(.*?\)", "", labels[row.task]))
        tokens.append(with_head(top_tokens(lm, logits, top), row))
        places.append(with_head(answer_and_name_ranks(logits, own, others, names), row))
    return pd.concat(tokens, ignore_index=True), pd.concat(places, ignore_index=True)


def filtered_ranks(tokens: Sequence[str]) -> list[int | None]:
    """Ranks among the tokens that the paper shows: alphabetic ones, each once whatever its case and outer spaces."""
    seen: set[str] = set()
    places_of: list[int | None] = []
    for token in tokens:
        word = token.strip().lower()
        shown = word.isalpha() and word not in seen
        if shown:
            seen.add(word)
        places_of.append(len(seen) if shown else None)
    return places_of


class Ranks:
    """The rank, from 1, of any token among all by its logit `[vocabulary]`; equal logits share the better rank."""

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits.numpy()
        self.ordered = np.sort(self.logits)  # many times faster than torch's

    def of(self, ids: Sequence[int]) -> np.ndarray:
        """Of these tokens `[token]`."""
        return 1 + len(self.ordered) - np.searchsorted(self.ordered, self.logits[list(ids)], side="right")


def lower_median(numbers: np.ndarray) -> int:
    """The middle one, or the lower of two in the middle: a rank that a token has."""
    return int(np.sort(numbers)[(len(numbers) - 1) // 2])


def task_words(tokenizer: Any, name: str) -> dict[str, list[int]]:
    """The words of a task's name, and the single tokens that spell each behind an arrow, in any case, with or without
    a space."""
    tokens_of = {}
    for word in dict.fromkeys(re.findall(r"[^\W\d_]+", name.lower())):
        if len(word) < SHORTEST_WORD:
            continue
        spellings = [
            f"{space}{spelling}" for spelling in (word, word.capitalize(), word.upper()) for space in ("", " ")
        ]
        ids = answer_ids(tokenizer, [prompt((), "")] * len(spellings), spellings)
        tokens_of[word] = list({tokens[0]: None for tokens in ids if len(tokens) == 1})
    return tokens_of


def top_tokens(lm: LanguageModel, logits: Tensor, top: int) -> pd.DataFrame:
    """The `top` tokens of highest logit `[layer, vocabulary]`: layer, rank, filtered_rank, token, logit."""
    best = logits.topk(min(top, logits.shape[-1]), dim=-1)
    tables = []
    for layer, (ids, values) in enumerate(zip(best.indices.tolist(), best.values.tolist(), strict=True)):
        words = decode(lm.tokenizer, ids)
        table = {"layer": layer, "rank": range(1, len(ids) + 1), "filtered_rank": filtered_ranks(words)}
        tables.append(pd.DataFrame(table | {"token": words, "logit": values}))
    return pd.concat(tables, ignore_index=True).astype({"filtered_rank": "Int64"})


def answer_and_name_ranks(logits: Tensor, wanted: list[int], others: list[int], names: Words) -> pd.DataFrame:
    """Ranks of the task's own answers, other tasks' answers and the words of its name among all tokens, by layer."""
    rows = []
    for layer, of_layer in enumerate(logits):
        ranks = Ranks(of_layer)
        own, foreign = ranks.of(wanted), ranks.of(others)
        named = {word: int(ranks.of(ids).min()) for word, ids in names.items() if ids}
        word = min(named, key=named.__getitem__) if named else None
        rows.append(
            {
                "layer": layer,
                "vocabulary": len(of_layer),
                "answers": len(wanted),
                "answer_rank_best": int(own.min()),
                "answer_rank_median": lower_median(own),
                "other_answer_rank_median": lower_median(foreign) if others else None,
                "name_word": word,
                "name_rank": named[word] if word else None,
            }
        )
    integers = ["other_answer_rank_median", "name_rank"]
    return pd.DataFrame(rows).astype(dict.fromkeys(integers, "Int64"))


def first_tokens(tokenizer: Tokenizer, episodes: list[Episode]) -> dict[str, list[int]]:
    """By task, the first token of each answer in its place, behind the arrow of its query.

    Raises:
        StudyError: if the tokenizer joins every answer of a task with the arrow.
    """
    behind_arrows: dict[str, dict[int, None]] = {episode.task: {} for episode in episodes}
    ids = answer_ids(tokenizer, list(map(zero_shot_prompt, episodes)), [episode.answers[0] for episode in episodes])
    for episode, tokens in zip(episodes, ids, strict=True):
        behind_arrows[episode.task] |= dict.fromkeys(tokens[:1])
    if empty := next((task for task, first in behind_arrows.items() if not first), None):
        raise StudyError(f"task {empty}: the tokenizer joins every answer with the arrow. Leave the task out.")
    return {task: list(tokens) for task, tokens in behind_arrows.items()}
