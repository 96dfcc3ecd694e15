"""Learned θ: the vector that minimises the loss of the episode's own demonstrations, from v₀ (arXiv 2509.24169, 2502.05390).

It sees as many labels as θ does; the query is not among them.
"""

from collections.abc import Sequence

from taskvectors.data.episodes import Episode
from taskvectors.engine.definition import Change, Intervention
from taskvectors.representations.learning import learned, not_differentiable
from taskvectors.representations.reading import Reading, Setting

LABEL = "learned θ, same labels"


def settings(reading: Reading) -> list[Setting]:
    return [Setting(reading.layer)]


def changes(reading: Reading, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
    size = reading.theta(episodes)[:, reading.layer].square().mean(dim=-1).sqrt()
    start, names = reading.bare(episodes)[:, reading.layer], [episode.name for episode in episodes]
    pairs = [episode.demos for episode in episodes]
    vectors = learned(reading.lm, pairs, start, reading.layer, size, reading.sizes["learning"], names)
    return [Intervention(reading.layer, vectors)]


def unusable(reading: Reading) -> str:
    if reason := not_differentiable(reading):
        return reason
    return "" if all(episode.demos for episode in reading.pool) else "an episode has no demonstrations"
