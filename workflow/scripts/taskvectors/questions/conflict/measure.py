"""Prompts of task A patched with θ of task B at every layer, demonstrations of A kept and without them (paper, section
4.2)."""

from collections.abc import Callable, Mapping

import pandas as pd
import torch

from taskvectors.data.episodes import Episode
from taskvectors.data.prompts import dummy_prompts, regular_prompt, zero_shot_prompt
from taskvectors.data.scoring import is_correct
from taskvectors.data.tokens import prompt_ids, prompt_ids_of_each
from taskvectors.engine.patch import sweep_layers
from taskvectors.engine.read import read_theta
from taskvectors.measuring.predictions import words_by_layer
from taskvectors.models.language_model import LanguageModel
from taskvectors.names import KEPT, WITHOUT
from taskvectors.progress import counted

Both = tuple[Episode, Episode]  # an episode of A and one of B on the same query
# Columns and their types; a row without a layer is an unpatched prompt.
COLUMNS = {
    "task_a": object,
    "task_b": object,
    "demonstrations": object,
    "episode": int,
    "layer": "Int64",
    "predicted": object,
    "answer_a": object,
    "answer_b": object,
    "correct_a": bool,
    "correct_b": bool,
}


def sweep_pairs(
    lm: LanguageModel, episodes: list[Episode], prefix_scored: Mapping[str, bool], answer_tokens: int, without: int
) -> pd.DataFrame:
    """One row an episode, layer and kind of prompt, scored for A and for B.

    Args:
        prefix_scored: by task, whether answers count by prefix.
        without: how many episodes of each pair are also patched without demonstrations.
    """
    pairs = in_pairs(episodes)
    dummies = prompt_ids_of_each(lm.tokenizer, [dummy_prompts(b) for _, b in pairs])
    theta, _, _ = read_theta(lm, dummies, names=[b.name for _, b in pairs])
    few = [place for place, (a, _) in enumerate(pairs) if a.episode < without]
    kept = answers(lm, pairs, regular_prompt, theta, answer_tokens)
    bare = answers(lm, [pairs[place] for place in few], zero_shot_prompt, theta[few], answer_tokens)
    tables = [score([], KEPT, prefix_scored)]
    for task in dict.fromkeys(a.task for a, _ in pairs):
        for demonstrations, answered in ((KEPT, kept), (WITHOUT, bare)):
            tables.append(score([row for row in answered if row[0][0].task == task], demonstrations, prefix_scored))
    return pd.concat(tables, ignore_index=True)


def in_pairs(episodes: list[Episode]) -> list[Both]:
    """The pairs of episodes: those of the prompts and those of θ follow one another."""
    return list(zip(episodes[::2], episodes[1::2], strict=True))


def answers(
    lm: LanguageModel, pairs: list[Both], prompt: Callable[[Episode], str], theta: torch.Tensor, answer_tokens: int
) -> list[tuple[Both, int | None, str]]:
    """Answers to A's unpatched prompts (no layer), and with θ of B `[episode, layer, hidden]` patched in at every
    layer."""
    if not pairs:
        return []
    ids = prompt_ids(lm.tokenizer, [prompt(a) for a, _ in pairs])
    names, done = [a.name for a, _ in pairs], counted("sweep_conflict", len(pairs), "episode")
    patched, regular = sweep_layers(lm, ids, theta, answer_tokens, names, done=done)
    return [*words_by_layer(lm, pairs, regular), *words_by_layer(lm, pairs, patched)]


def score(
    answered: list[tuple[Both, int | None, str]], demonstrations: str, prefix_scored: Mapping[str, bool]
) -> pd.DataFrame:
    """One row an episode and layer, scored for A and for B."""
    rows = []
    for (a, b), layer, word in answered:
        correct_a = is_correct(word, a.answers, prefix_scored=prefix_scored[a.task], query=a.query)
        correct_b = is_correct(word, b.answers, prefix_scored=prefix_scored[b.task], query=b.query)
        names = (a.task, b.task, demonstrations, a.episode, layer)
        rows.append((*names, word, a.answers[0], b.answers[0], correct_a, correct_b))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
