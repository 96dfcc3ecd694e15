"""Control: a random direction of θ's length, in θ's place."""

from collections.abc import Sequence

import numpy as np
import torch

from taskvectors.data.episodes import Episode
from taskvectors.data.sampling import episode_rng
from taskvectors.engine.definition import Change, Intervention
from taskvectors.representations.reading import Reading, Setting

LABEL = "random direction"
CONTROL = True


def settings(reading: Reading) -> list[Setting]:
    return [Setting(reading.layer)]


def changes(reading: Reading, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
    theta = reading.theta(episodes)[:, reading.layer]
    rngs = [episode_rng(reading.seed, "random direction", e.task, e.split, e.episode) for e in episodes]
    noise = torch.from_numpy(
        np.stack([np.random.default_rng(rng.getrandbits(64)).standard_normal(theta.shape[1]) for rng in rngs])
    ).to(theta.dtype)
    return [Intervention(reading.layer, noise * theta.norm(dim=-1, keepdim=True) / noise.norm(dim=-1, keepdim=True))]
