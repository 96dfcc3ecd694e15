"""Vectors that several questions put in θ's place: θ behind any demonstrations, means of other θ, and random
directions."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from taskvectors.data.episodes import Episode, by_task, not_showing
from taskvectors.data.prompts import prompt
from taskvectors.data.sampling import episode_rng
from taskvectors.data.tokens import Ids, prompt_ids_of_each
from taskvectors.engine.read import read_theta, read_theta_at
from taskvectors.measuring.answer_loss import Pairs
from taskvectors.models.language_model import LanguageModel
from taskvectors.store.thetas import Thetas


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


def of_file(thetas: Thetas, episodes: list[Episode], layer: int) -> Tensor:
    """θ as it was extracted `[episode, hidden]`."""
    return torch.from_numpy(thetas.of_episodes(episode.key for episode in episodes)[:, layer].copy())


def dummies_behind(lm: LanguageModel, episodes: Sequence[Episode], demos: Sequence[Pairs]) -> list[list[Ids]]:
    """For every row an episode's dummy queries behind these demonstrations, as token ids."""
    texts = [[prompt(tuple(shown), x) for x in e.dummies] for e, shown in zip(episodes, demos, strict=True)]
    return prompt_ids_of_each(lm.tokenizer, texts)


def v0_of(lm: LanguageModel, episodes: Sequence[Episode]) -> Tensor:
    """v₀ `[episode, layer, hidden]`: θ of no demonstrations, the mean state of the dummy queries' own prompts."""
    ids = dummies_behind(lm, episodes, [()] * len(episodes))
    return read_theta(lm, ids, names=[episode.name for episode in episodes])[0]


def read_behind(lm: LanguageModel, episodes: Sequence[Episode], demos: Sequence[Pairs], layer: int) -> Tensor:
    """θ `[row, hidden]` of an episode's dummy queries behind these demonstrations, for every row."""
    ids = dummies_behind(lm, episodes, demos)
    # A copy: what inference mode makes cannot be differentiated.
    return read_theta_at(lm, ids, layer, [episode.name for episode in episodes]).clone()


def of_next_task(episodes: list[Episode]) -> list[Episode] | None:
    """For each episode one of the task whose name comes next, whatever the order in which tasks are studied; None of a
    single task."""
    tasks = by_task(episodes)
    if len(tasks) < 2:
        return None
    names = sorted(tasks)
    following = dict(zip(names, [*names[1:], names[0]], strict=True))
    others = [(own, tasks[following[name]]) for name, own in tasks.items()]
    return [of_next[place % len(of_next)] for own, of_next in others for place in range(len(own))]
