"""What demonstrations add to θ, added to the last token's state after a block: h + α(θ − v₀), v₀ being θ of no demonstrations.

The literature on steering adds differences of states so (Turner et al. 2023, arXiv 2308.10248).
"""

from collections.abc import Sequence
from itertools import product

from taskvectors.data.episodes import Episode
from taskvectors.engine.definition import Change
from taskvectors.representations.reading import Reading, Setting, at_layer

LABEL = "θ − v₀, added"


def settings(reading: Reading) -> list[Setting]:
    return [Setting(*both) for both in product(reading.layers, reading.sizes["strengths"])]


def changes(reading: Reading, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
    added = reading.theta(episodes) - reading.bare(episodes)
    return [at_layer(added, setting) for setting in settings]
