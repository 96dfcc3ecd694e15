"""Control: a random direction of θ's length, in θ's place."""

from collections.abc import Sequence

import numpy as np
import torch

from taskvectors.data.episodes import Episode
from taskvectors.data.sampling import episode_rng
from taskvectors.engine.definition import Change, Intervention
from taskvectors.representations.reading import Reading, Setting, layer_of

LABEL = "random direction"
CONTROL = True
SETTING_OF = "theta"


def settings(reading: Reading) -> list[Setting]:
    return reading.at_common_layer()


def changes(reading: Reading, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
    layer = layer_of(settings)
    theta = reading.theta(episodes)[:, layer]
    rngs = [episode_rng(reading.seed, "random direction", e.task, e.split, e.episode) for e in episodes]
    noise = torch.from_numpy(
        np.stack([np.random.default_rng(rng.getrandbits(64)).standard_normal(theta.shape[1]) for rng in rngs])
    ).to(theta.dtype)
    return [Intervention(layer, noise * theta.norm(dim=-1, keepdim=True) / noise.norm(dim=-1, keepdim=True))]
