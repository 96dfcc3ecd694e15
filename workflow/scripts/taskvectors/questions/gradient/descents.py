"""Descent on demonstrations, and θ behind any of them, for episodes that are handled together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from taskvectors.data.episodes import Episode
from taskvectors.engine.descent import AnswerLoss
from taskvectors.measuring.answer_loss import AnswerLosses, Pairs
from taskvectors.measuring.vectors import read_behind
from taskvectors.models.language_model import LanguageModel
from taskvectors.sizing import PART

LEAST = 1e-3  # of the mean deviation: a coordinate that hardly varies would decide everything


@dataclass(frozen=True)
class Part:
    """Episodes that are handled together, so that memory is bounded whatever the number of all.

    Attributes:
        lm: the model.
        layer: L.
        episodes: these.
        v0: θ of no demonstrations `[episode, hidden]`.
        theta: θ `[episode, hidden]`.
        length: of a step of descent `[episode]`.
        demonstration_sets: for every episode the demonstrations whose loss descent lowers: its own first, then, by
            name, those of controls; none where an episode has no such control.
        losses: of these demonstrations and of the query.
        deviation: of θ's coordinates over episodes `[hidden]`.
        seed: study seed.
    """

    lm: LanguageModel
    layer: int
    episodes: list[Episode]
    v0: Tensor
    theta: Tensor
    length: Tensor
    demonstration_sets: Mapping[str, Sequence[Pairs]]
    losses: AnswerLosses
    deviation: Tensor
    seed: int

    @property
    def names(self) -> list[str]:
        """How to call each episode in an error message."""
        return [episode.name for episode in self.episodes]


def part_of(
    lm: LanguageModel, layer: int, episodes: list[Episode], theta: Tensor, share: float,
    demonstration_sets: Mapping[str, Sequence[Pairs]], deviation: Tensor, seed: int,
) -> Part:  # fmt: skip
    """These episodes, ready for descent; a step is this share of θ's distance from v₀."""
    v0 = read_behind(lm, episodes, [()] * len(episodes), layer)
    pairs = [
        [(episode.query, episode.answers[0]), *(pair for one_set in of_episode for pair in one_set)]
        for episode, *of_episode in zip(episodes, *demonstration_sets.values(), strict=True)
    ]
    losses = AnswerLosses(lm, pairs, layer, [episode.name for episode in episodes])
    length = share * (theta - v0).norm(dim=-1)
    return Part(lm, layer, episodes, v0, theta, length, demonstration_sets, losses, deviation, seed)


def deviation_of(theta: Tensor) -> Tensor:
    """The standard deviation of every coordinate `[hidden]` over episodes `[episode, hidden]`; ones for a single
    one."""
    if len(theta) < 2:
        return torch.ones(theta.shape[-1], dtype=theta.dtype)
    deviation = theta.std(dim=0)
    return deviation.clamp_min(float(deviation.mean()) * LEAST)


def parts(count: int) -> list[slice]:
    """Which of so many episodes are handled together."""
    return [slice(start, start + PART) for start in range(0, count, PART)]


def theta_behind(part: Part, rows: Sequence[int], demos: Sequence[Pairs]) -> Tensor:
    """θ `[row, hidden]` behind these demonstrations of each row's episode; behind none and behind its own, the stored
    θ is used.

    Args:
        rows: the place of each row's episode in the part.
        demos: of each row.
    """
    shown = [tuple(of_row) for of_row in demos]
    theta = torch.stack([(part.theta if of_row else part.v0)[place] for place, of_row in zip(rows, shown, strict=True)])
    new = [row for row, of_row in enumerate(shown) if of_row and of_row != part.episodes[rows[row]].demos]
    if new:
        episodes = [part.episodes[rows[row]] for row in new]
        theta[new] = read_behind(part.lm, episodes, [shown[row] for row in new], part.layer)
    return theta


def descend(loss: AnswerLoss, start: Tensor, length: Tensor, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Vectors `[row, hidden]` and their losses `[row]` after 0, 1, … steps down the gradient, each step of a row's
    length `[row]`."""
    v = start
    for _ in range(steps):
        losses, slope = loss(v)
        yield v, losses
        v = v - length[:, None] * normalize(slope, dim=-1)
    yield v, loss.value(v)


def descend_online(part: Part, rows: Sequence[int], pairs: Sequence[Pairs]) -> Tensor:
    """Vectors `[row, hidden]` after a step down the gradient of each pair's loss, one pair after the other.

    Args:
        rows: the place of each row's episode in the part.
        pairs: of each row.
    """
    v, names = part.v0[rows].clone(), part.names
    for turn in range(max(map(len, pairs))):
        having = [row for row, of_row in enumerate(pairs) if turn < len(of_row)]
        loss = part.losses.loss_for([[pairs[row][turn]] for row in having], [names[rows[row]] for row in having])
        length = part.length[[rows[row] for row in having]]
        v[having] -= length[:, None] * normalize(loss(v[having])[1], dim=-1)
    return v
