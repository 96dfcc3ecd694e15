"""Vectors that several questions put in θ's place: means of other θ, and random directions."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from taskvectors.data.episodes import Episode, not_showing
from taskvectors.data.sampling import episode_rng


def mean_of_others(theta: Tensor, episodes: Sequence[Episode]) -> Tensor:
    """For each episode the mean θ of the others that do not show its query; NaN where there is none.

    Args:
        theta: `[episode, …]`.
    """
    return torch.stack([theta[not_showing(episode, episodes)].mean(dim=0) for episode in episodes])


def random_directions(seed: int, names: Sequence[tuple[str | int, ...]], like: Tensor) -> Tensor:
    """A random direction for every row, drawn from its name, of the length and dtype of `like` `[row, hidden]`."""
    rngs = [np.random.default_rng(episode_rng(seed, *name).getrandbits(64)) for name in names]
    drawn = torch.from_numpy(np.stack([rng.standard_normal(like.shape[-1]) for rng in rngs])).to(like.dtype)
    return drawn * like.norm(dim=-1, keepdim=True) / drawn.norm(dim=-1, keepdim=True)
