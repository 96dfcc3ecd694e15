"""State vector carried on: the mean of the states at the last arrows, and a step on along the way from each to the next.

What a demonstration adds to the state is taken for a step of descent; momentum weighs later ones more (after Li et al. 2024, arXiv
2404.11225, "momentum optimization").
"""

from collections.abc import Sequence

import torch

from taskvectors.data.episodes import Episode
from taskvectors.engine.definition import Change, Intervention
from taskvectors.representations import state_vector
from taskvectors.representations.reading import Reading, Setting, layer_of

LABEL = "state vector, momentum"
SETTING_OF = "theta"
MOMENTUM = 0.5  # weight of what a demonstration adds, as a share of that of what the next one adds

settings = state_vector.settings
unusable = state_vector.unusable


def changes(reading: Reading, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
    layer = layer_of(settings)
    states = state_vector.states_at_arrows(reading, episodes, layer)
    added = states.diff(dim=1)
    weights = MOMENTUM ** torch.arange(added.shape[1] - 1, -1, -1)
    step = (added * (weights / weights.sum())[:, None]).sum(dim=1)
    return [Intervention(layer, states.mean(dim=1) + step)]
