"""θ in the place of the last token's state after a block (Hendel et al. 2023, arXiv 2310.15916)."""

from collections.abc import Sequence

from taskvectors.data.episodes import Episode
from taskvectors.engine.definition import Change
from taskvectors.representations.reading import Reading, Setting, at_layer

LABEL = "θ"


def settings(reading: Reading) -> list[Setting]:
    return [Setting(layer) for layer in reading.layers]


def changes(reading: Reading, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
    theta = reading.theta(episodes)
    return [at_layer(theta, setting) for setting in settings]
