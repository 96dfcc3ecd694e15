"""Is θ necessary? In the prompt with demonstrations, the last token's state is replaced, or loses the task's part, at
every layer."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from taskvectors.data.episodes import DEV, TEST, Episode, by_task, first_of_tasks
from taskvectors.data.prompts import regular_prompt, zero_shot_prompt
from taskvectors.data.tokens import prompt_ids
from taskvectors.engine.definition import Intervention
from taskvectors.engine.distribution import divergences_of_changes
from taskvectors.engine.patch import AS_IT_IS, answers_and_states
from taskvectors.measuring.predictions import observed, observed_accuracy
from taskvectors.measuring.vectors import of_next_task, random_directions, v0_of
from taskvectors.models.language_model import LanguageModel
from taskvectors.names import DIVERGENCE, OTHER_THETA, THETA, V0
from taskvectors.progress import track
from taskvectors.questions.necessity.names import (
    MEAN,
    OTHER_PART,
    RANDOM_PART,
    REGULAR,
    TASK_PART,
    ZERO_SHOT,
)
from taskvectors.store.thetas import Thetas

Change = tuple[str, int, Intervention]  # its name, the layer, and what is done there


def necessity(
    lm: LanguageModel, episodes: list[Episode], thetas: Thetas, choice: pd.DataFrame, settings: Mapping[str, Any],
    prefix_scored: Mapping[str, bool], answer_tokens: int, seed: int,
) -> pd.DataFrame:  # fmt: skip
    """One row an episode, change and layer (`step`), measures accuracy and divergence from the unchanged prompt, in
    bits.

    Beside the changes `regular`, the unchanged prompt, and `zero_shot`, the bare query.

    Args:
        episodes: of all main tasks.
        thetas: theirs.
        choice: `layer_choice.csv`.
        settings: `necessity` of the configuration.
        prefix_scored: by task, whether answers count by prefix.
        seed: the study seed whose episodes are taken.
    """
    test = first_of_tasks(episodes, TEST, seed, settings["episodes"])
    layers = range(lm.layers - 1)[
        int(choice["common_layer"].iloc[0]) % settings["layer_step"] :: settings["layer_step"]
    ]
    others = of_next_task(test)
    means = means_of_tasks(thetas, by_task(test), seed)
    tasks, tables = by_task(test), []
    for task, own in track(tasks.items(), len(tasks), "necessity"):
        of_next = None if others is None else [others[place] for place, e in enumerate(test) if e.task == task]
        changes = list(changes_of(lm, own, of_next, thetas, means, layers, seed))
        tables += answers_under(lm, own, changes, prefix_scored, answer_tokens)
    return pd.concat(tables, ignore_index=True)


def means_of_tasks(thetas: Thetas, tasks: Mapping[str, Any], seed: int) -> dict[str, Tensor]:
    """The mean θ of every task's dev episodes `[layer, hidden]`, which share no episode with those tested."""
    return {task: torch.from_numpy(thetas.of(task, DEV, seed).theta).float().mean(dim=0) for task in tasks}


def changes_of(
    lm: LanguageModel, episodes: list[Episode], others: list[Episode] | None, thetas: Thetas,
    means: Mapping[str, Tensor], layers: Sequence[int], seed: int,
) -> Iterator[Change]:  # fmt: skip
    """What is done to episodes of one task, at these layers below the top block.

    The task's part is its mean θ less the mean over tasks. A removed part is that of the mean over tasks afterwards. A
    random direction hardly has a part to remove: a random vector as long as the task's part is added.

    Args:
        others: an episode of another task for each; None of a single task.
        means: of every task `[layer, hidden]`.
    """
    count, task = len(episodes), episodes[0].task
    v0 = v0_of(lm, episodes)
    theta = torch.from_numpy(thetas.of_episodes(episode.key for episode in episodes))
    over_tasks = torch.stack([*means.values()]).mean(dim=0)
    part = means[task] - over_tasks
    names = [("random part", episode.task, episode.episode) for episode in episodes]
    for layer in layers:
        mean = over_tasks[layer].expand(count, -1)

        def removed(name: str, direction: Tensor, layer: int = layer, mean: Tensor = mean) -> Change:
            return name, layer, Intervention(layer, direction.expand(count, -1), "project", base=mean)

        yield THETA, layer, Intervention(layer, theta[:, layer])
        yield V0, layer, Intervention(layer, v0[:, layer])
        if others is None:
            continue  # a single task has no part of its own
        of_others = torch.from_numpy(thetas.of_episodes(episode.key for episode in others)[:, layer].copy())
        yield MEAN, layer, Intervention(layer, mean)
        yield OTHER_THETA, layer, Intervention(layer, of_others)
        yield removed(TASK_PART, part[layer])
        yield removed(OTHER_PART, means[others[0].task][layer] - over_tasks[layer])
        drawn = random_directions(seed, [(*name, layer) for name in names], part[layer].expand(count, -1))
        yield RANDOM_PART, layer, Intervention(layer, drawn, "add")


def answers_under(
    lm: LanguageModel, episodes: list[Episode], changes: list[Change], prefix_scored: Mapping[str, bool],
    answer_tokens: int,
) -> list[pd.DataFrame]:  # fmt: skip
    """Answers to the prompts with demonstrations under every change, and to the bare queries."""
    names = [episode.name for episode in episodes]
    ids = prompt_ids(lm.tokenizer, [regular_prompt(episode) for episode in episodes])
    interventions = [AS_IT_IS, *(intervention for *_, intervention in changes)]
    tokens, states = answers_and_states(lm, ids, interventions, answer_tokens, names)
    bare_ids = prompt_ids(lm.tokenizer, [zero_shot_prompt(episode) for episode in episodes])
    bare_tokens, bare_states = answers_and_states(lm, bare_ids, [AS_IT_IS], answer_tokens, names)
    tokens, states = torch.cat([bare_tokens, tokens], dim=1), torch.cat([bare_states, states], dim=1)
    far = divergences_of_changes(lm, states, states[:, 1])
    subjects = [(ZERO_SHOT, None), (REGULAR, None), *((name, layer) for name, layer, _ in changes)]
    tables = []
    for place, (name, layer) in enumerate(subjects):
        tables.append(observed_accuracy(lm, episodes, name, tokens[:, place], prefix_scored, layer))
        tables.append(observed(episodes, DIVERGENCE, name, far[:, place], layer))
    return tables
