"""Learned θ: the vector that minimises the loss of the episode's own demonstrations, from v₀ (arXiv 2509.24169, 2502.05390).

It sees as many labels as θ does; the query is not among them.
"""

from collections.abc import Sequence

from taskvectors.data.episodes import TEST, Episode
from taskvectors.engine.definition import Change, Intervention
from taskvectors.representations.learning import learned, not_differentiable
from taskvectors.representations.reading import Reading, Setting, layer_of

LABEL = "learned θ, same labels"
SETTING_OF = "theta"


def settings(reading: Reading) -> list[Setting]:
    return reading.at_common_layer()


def changes(reading: Reading, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
    layer = layer_of(settings)
    start, theta = (states(episodes)[:, layer] for states in (reading.bare, reading.theta))
    names = [episode.name for episode in episodes]
    pairs = [episode.demos for episode in episodes]
    vectors = learned(reading.lm, pairs, start, theta, layer, reading.sizes["learning"], names)
    return [Intervention(layer, vectors)]


def unusable(reading: Reading, task: str) -> str:
    if reason := not_differentiable(reading):
        return reason
    return "" if all(episode.demos for episode in reading.asked(TEST, task)) else "an episode has no demonstrations"
