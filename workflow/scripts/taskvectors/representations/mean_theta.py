"""The mean θ of other episodes that do not show the query, in θ's place."""

from collections.abc import Sequence

import torch

from taskvectors.data.episodes import DEV, TEST, Episode
from taskvectors.engine.definition import Change
from taskvectors.representations.reading import Reading, Setting, at_layer

LABEL = "mean θ"


def settings(reading: Reading) -> list[Setting]:
    return [Setting(layer) for layer in reading.layers]


def changes(reading: Reading, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
    means = torch.stack([reading.theta(reading.others(episode)).mean(dim=0) for episode in episodes])
    return [at_layer(means, setting) for setting in settings]


def unusable(reading: Reading, task: str) -> str:
    episodes = [*reading.asked(DEV, task), *reading.asked(TEST, task)]
    return "" if all(map(reading.others, episodes)) else "every other episode shows the query"
