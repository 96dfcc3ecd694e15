"""Whether θ moves along the gradient: cosines with the descent direction of the demonstrations, beside those of
controls."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from taskvectors.data.episodes import Episode
from taskvectors.measuring.answer_loss import Pairs
from taskvectors.measuring.predictions import observed
from taskvectors.measuring.vectors import random_directions
from taskvectors.names import CENTRED, RAW, SCALED
from taskvectors.questions.gradient.descents import Part, theta_behind
from taskvectors.questions.gradient.names import DIRECTION, GRADIENT, INCREMENT, RANDOM_DIRECTION


@dataclass(frozen=True)
class Moves:
    """Changes of θ, and a descent direction to compare each with.

    Attributes:
        measure: kind of change.
        subject: whose descent direction.
        episodes: `[row]`.
        numbers: of the demonstration whose increment a change is, else 0 `[row]`.
        change: `[row, hidden]`.
        direction: `[row, hidden]`.
        deviation: of θ's coordinates over episodes `[hidden]`.
    """

    measure: str
    subject: str
    episodes: list[Episode]
    numbers: list[int]
    change: Tensor
    direction: Tensor
    deviation: Tensor


def directions(part: Part) -> Iterator[Moves]:
    """θ − v₀ beside −∇ℓ(v₀) of the demonstrations, and beside that of controls."""
    rows = [(place, 0) for place in range(len(part.episodes))]
    yield from _moves(part, DIRECTION, rows, part.theta - part.v0, part.v0, part.demonstration_sets)


def increments(part: Part) -> Iterator[Moves]:
    """θ_k − θ_{k−1}, what the k-th demonstration adds, beside −∇ of that demonstration's loss at θ_{k−1}, and beside
    controls."""
    behind = [(place, k) for place, episode in enumerate(part.episodes) for k in range(len(episode.demos) + 1)]
    demos = [part.episodes[place].demos[:k] for place, k in behind]
    theta = theta_behind(part, [place for place, _ in behind], demos)
    at = {row: number for number, row in enumerate(behind)}
    rows = [(place, k) for place, k in behind if k]
    before, after = (theta[[at[place, k - less] for place, k in rows]] for less in (1, 0))
    sets = {
        subject: [[pairs[place][(k - 1) % len(pairs[place])]] if pairs[place] else () for place, k in rows]
        for subject, pairs in part.demonstration_sets.items()
    }
    yield from _moves(part, INCREMENT, rows, after - before, before, sets)


def _moves(
    part: Part, measure: str, rows: Sequence[tuple[int, int]], change: Tensor, start: Tensor, sets: Mapping[str, Sequence[Pairs]]
) -> Iterator[Moves]:  # fmt: skip
    """Changes of rows beside the descent directions of every set of demonstrations, and beside a random one.

    Args:
        rows: an episode's place and the number of a demonstration.
        change: `[row, hidden]`.
        start: where gradients are taken `[row, hidden]`.
        sets: of demonstrations, for every row; a row without any has no such direction.
    """

    def named(places: Sequence[int]) -> tuple[list[Episode], list[int]]:
        return [part.episodes[rows[row][0]] for row in places], [rows[row][1] for row in places]

    for subject, pairs in sets.items():
        places = [row for row, of_row in enumerate(pairs) if of_row]
        if places:
            episodes, numbers = named(places)
            loss = part.losses.loss_for([pairs[row] for row in places], [episode.name for episode in episodes])
            yield Moves(measure, subject, episodes, numbers, change[places], -loss(start[places])[1], part.deviation)
    if GRADIENT in sets:
        episodes, numbers = named(range(len(rows)))
        names = [("random direction", e.task, e.episode, k) for e, k in zip(episodes, numbers, strict=True)]
        drawn = random_directions(part.seed, names, change)
        yield Moves(measure, RANDOM_DIRECTION, episodes, numbers, change, drawn, part.deviation)


def cosines(moves: Iterable[Moves]) -> Iterator[pd.DataFrame]:
    """The cosine of every change with its direction: of both as read, of both less what tasks share, and so again in
    coordinates that are divided by θ's deviation; there a gradient is multiplied by it.

    What the k-th demonstration adds is averaged over tasks for each k by itself.
    """
    kinds: dict[tuple[str, str], list[Moves]] = {}
    for of_part in moves:
        kinds.setdefault((of_part.measure, of_part.subject), []).append(of_part)
    for (measure, subject), parts in kinds.items():
        change, direction = torch.cat([part.change for part in parts]), torch.cat([part.direction for part in parts])
        episodes = [episode for part in parts for episode in part.episodes]
        numbers = [number for part in parts for number in part.numbers]
        steps = numbers if measure == INCREMENT else None
        yield observed(episodes, measure, subject, cosine_similarity(change, direction), steps, RAW)
        tasks = [episode.task for episode in episodes]
        if rows := sharing(tasks, numbers):
            of_tasks, which = [tasks[row] for row in rows], [numbers[row] for row in rows]
            own, scale = [episodes[row] for row in rows], parts[0].deviation
            for states, (moved, down) in {
                CENTRED: (change[rows], direction[rows]),
                SCALED: (change[rows] / scale, direction[rows] * scale),
            }.items():
                alike = cosine_similarity(centred(moved, of_tasks, which), centred(down, of_tasks, which))
                yield observed(own, measure, subject, alike, which if measure == INCREMENT else None, states)


def sharing(tasks: Sequence[str], numbers: Sequence[int]) -> list[int]:
    """Rows of a number that several tasks have: a single task shares nothing."""
    having: dict[int, set[str]] = {}
    for task, number in zip(tasks, numbers, strict=True):
        having.setdefault(number, set()).add(task)
    return [row for row, number in enumerate(numbers) if len(having[number]) > 1]


def centred(vectors: Tensor, tasks: Sequence[str], numbers: Sequence[int]) -> Tensor:
    """Unit vectors `[row, hidden]` less the mean over tasks of the means of each: no task weighs more for its large
    gradients."""
    unit = normalize(vectors, dim=-1)
    keys = list(zip(numbers, tasks, strict=True))
    shared = {}
    for number in set(numbers):
        of_tasks = {
            key: unit[[row for row, other in enumerate(keys) if other == key]].mean(dim=0)
            for key in keys
            if key[0] == number
        }
        shared[number] = torch.stack(list(of_tasks.values())).mean(dim=0)
    return unit - torch.stack([shared[number] for number in numbers])
