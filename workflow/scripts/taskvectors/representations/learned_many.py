"""Learned θ with many labels: one vector for the task, learned on more pairs than an episode shows, no query asked among them."""

from collections.abc import Mapping, Sequence

import torch

from taskvectors.data.episodes import TEST, Episode, by_task
from taskvectors.engine.definition import Change, Intervention
from taskvectors.representations.learning import Pairs, learned, not_differentiable
from taskvectors.representations.reading import Reading, Setting, layer_of

LABEL = "learned θ, many labels"
SETTING_OF = "theta"


def settings(reading: Reading) -> list[Setting]:
    return reading.at_common_layer()


def changes(reading: Reading, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
    tasks = by_task(episodes)
    pairs = {task: training_pairs(reading, task, of_task) for task, of_task in tasks.items()}
    return [of_pairs(reading, episodes, pairs, layer_of(settings))]


def of_pairs(reading: Reading, episodes: list[Episode], pairs: Mapping[str, Pairs], layer: int) -> Change:
    """One vector a task, learned on its pairs, for all its episodes; begun at the mean of their v₀."""
    tasks = list(pairs)
    numbers = torch.tensor([tasks.index(episode.task) for episode in episodes])
    start, theta = (states(episodes)[:, layer] for states in (reading.bare, reading.theta))
    start, theta = (torch.stack([of[numbers == n].mean(dim=0) for n in range(len(tasks))]) for of in (start, theta))
    learning, names = reading.sizes["learning"], [f"task {task}" for task in tasks]
    vectors = learned(reading.lm, list(pairs.values()), start, theta, layer, learning, names)
    return Intervention(layer, vectors[numbers])


def training_pairs(reading: Reading, task: str, episodes: Sequence[Episode]) -> Pairs:
    """Demonstrations of the task's episodes whose inputs are not among these episodes' queries, as many as `learning: pairs`."""
    asked = {episode.query for episode in episodes}
    shown = dict.fromkeys(demo for episode in reading.pools[task] for demo in episode.demos if demo[0] not in asked)
    return list(shown)[: reading.sizes["learning"]["pairs"]]


def unusable(reading: Reading, task: str) -> str:
    if reason := not_differentiable(reading):
        return reason
    tested = reading.asked(TEST, task)
    if len(training_pairs(reading, task, tested)) > max(len(episode.demos) for episode in tested):
        return ""
    return "nearly all its inputs are asked for: too few are left to learn from"
