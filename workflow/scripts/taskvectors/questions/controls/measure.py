"""Vectors that θ must beat, in its place: on the test episodes, at the layer chosen for the task.

A random vector of θ's norm, and θ of every other task of the family. Beside them the mean θ of other episodes.
"""

from collections.abc import Mapping

import pandas as pd
import torch
from torch import Tensor

from taskvectors.data.episodes import TEST, Episode, by_task, not_showing
from taskvectors.data.prompts import zero_shot_prompt
from taskvectors.data.scoring import scored
from taskvectors.data.tokens import prompt_ids
from taskvectors.engine.definition import Intervention
from taskvectors.engine.distribution import divergences_of_changes
from taskvectors.engine.patch import AS_IT_IS, answers_and_states
from taskvectors.measuring.predictions import predictions
from taskvectors.measuring.vectors import mean_of_others, random_directions
from taskvectors.models.language_model import LanguageModel
from taskvectors.progress import track
from taskvectors.store.thetas import Thetas

Patch = tuple[str, str | None, Tensor]  # method, task of θ if it is another one, vectors [episode, hidden]
NO_DIVERGENCES = pd.DataFrame(columns=["task", "episode", "method", "source", "layer", "divergence"])


def variants(
    lm: LanguageModel, episodes: list[Episode], thetas: Thetas, choice: pd.DataFrame, prefix_scored: Mapping[str, bool],
    answer_tokens: int, seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """Predictions of methods `random_theta`, `other_theta` and `mean_theta`; and divergences from the regular prompt's
    next-token distribution, in bits, of these, of the bare query (`zero_shot`) and of θ itself (`hypothesis`).

    Args:
        episodes: of the tasks of one family.
        thetas: theirs.
        choice: `layer_choice.csv`.
        prefix_scored: by task, whether answers count by prefix.
        seed: the study seed whose episodes these are.
    """
    tasks = by_task(episode for episode in episodes if (episode.split, episode.seed) == (TEST, seed))
    if not tasks:  # all left out for this model
        return scored([], "mean_theta", {}).assign(source=None), NO_DIVERGENCES
    chosen = choice.set_index("task")["layer"]
    tables, far = [], []
    for task, test in track(tasks.items(), len(tasks), "patch_variants"):
        layer = int(chosen[task])
        theta = {name: torch.from_numpy(thetas.of(name, TEST, seed).theta)[:, layer] for name in tasks}
        patches = [("hypothesis", None, theta[task]), *replacements(theta, test, seed)]
        # An episode whose query every other episode shows has no mean θ: a zero in its place is run, and not kept.
        has_mean = [bool(not_showing(episode, test)) for episode in test]
        vectors = [vectors.nan_to_num() if method == "mean_theta" else vectors for method, _, vectors in patches]
        changes = [AS_IT_IS, *(Intervention(layer, one) for one in vectors)]
        ids = prompt_ids(lm.tokenizer, [zero_shot_prompt(episode) for episode in test])
        tokens, states = answers_and_states(lm, ids, changes, answer_tokens, [episode.name for episode in test])
        divergence = divergences_of(lm, test, states, thetas)
        far.append(_divergences(test, "zero_shot", None, None, divergence[:, 0]))
        for place, (method, source, _) in enumerate(patches, start=1):
            there = [i for i in range(len(test)) if method != "mean_theta" or has_mean[i]]
            rows = [test[i] for i in there]
            far.append(_divergences(rows, method, source, layer, divergence[there, place]))
            if method != "hypothesis":  # the sweep has its answers
                answers = predictions(lm, rows, method, tokens[there, place, None], prefix_scored, [layer])
                tables.append(answers.assign(source=source).astype({"source": object}))
    return pd.concat(tables, ignore_index=True), pd.concat(far, ignore_index=True)


def replacements(theta: Mapping[str, Tensor], test: list[Episode], seed: int) -> list[Patch]:
    """Vectors that are put in θ's place. A new control: here, in `taskvectors/names.py`, and in words in `page.md`.

    Args:
        theta: by task `[episode, hidden]`.
        test: episodes of one of these tasks.
    """
    task = test[0].task
    own = theta[task]
    names = [("random theta", episode.task, episode.episode) for episode in test]
    others: list[Patch] = [
        ("other_theta", other, vectors[torch.arange(len(test)) % len(vectors)])
        for other, vectors in theta.items()
        if other != task
    ]
    return [
        ("random_theta", None, random_directions(seed, names, own)),
        *others,
        ("mean_theta", None, mean_of_others(own, test)),
    ]


def divergences_of(lm: LanguageModel, test: list[Episode], states: Tensor, thetas: Thetas) -> Tensor:
    """Divergences `[episode, change]` of final states `[episode, change, hidden]` from those of the regular
    prompts."""
    regular = torch.from_numpy(thetas.regular_of_episodes(episode.key for episode in test))
    return divergences_of_changes(lm, states, regular)


def _divergences(
    episodes: list[Episode], method: str, source: str | None, layer: int | None, values: Tensor
) -> pd.DataFrame:
    rows = [
        (episode.task, episode.episode, method, source, layer, value)
        for episode, value in zip(episodes, values.tolist(), strict=True)
    ]
    return pd.DataFrame(rows, columns=list(NO_DIVERGENCES)).astype({"source": object, "layer": "Int64"})
