"""Learned θ with many labels: one vector for the task, learned on pairs that no query of the test episodes is among."""

from collections.abc import Sequence

from taskvectors.data.episodes import TEST, Episode
from taskvectors.engine.definition import Change, Intervention
from taskvectors.representations.learning import Pairs, learned, not_differentiable
from taskvectors.representations.reading import Reading, Setting

LABEL = "learned θ, many labels"
FEWEST = 2  # pairs


def settings(reading: Reading) -> list[Setting]:
    return [Setting(reading.layer)]


def changes(reading: Reading, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
    return [of_pairs(reading, episodes, training_pairs(reading, episodes))]


def of_pairs(reading: Reading, episodes: list[Episode], pairs: Pairs) -> Intervention:
    """One vector learned on pairs, for all episodes; begun and sized as the mean of theirs."""
    start, theta = (
        states(episodes)[:, reading.layer].mean(dim=0, keepdim=True) for states in (reading.bare, reading.theta)
    )
    size = theta.square().mean(dim=-1).sqrt()
    learning, names = reading.sizes["learning"], [f"task {reading.task}"]
    vector = learned(reading.lm, [pairs], start, reading.layer, size, learning, names)
    return Intervention(reading.layer, vector.expand(len(episodes), -1))


def training_pairs(reading: Reading, episodes: Sequence[Episode]) -> Pairs:
    """Demonstrations of the pool whose inputs are not among these episodes' queries, each once, as many as `learning: pairs`."""
    asked = {episode.query for episode in episodes}
    shown = dict.fromkeys(demo for episode in reading.pool for demo in episode.demos if demo[0] not in asked)
    return list(shown)[: reading.sizes["learning"]["pairs"]]


def unusable(reading: Reading) -> str:
    if reason := not_differentiable(reading):
        return reason
    tested = [episode for episode in reading.pool if episode.split == TEST]
    return (
        ""
        if len(training_pairs(reading, tested)) >= FEWEST
        else "all its pairs are asked for: none is left to learn from"
    )
