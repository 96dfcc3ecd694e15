"""Whether θ moves along the gradient: cosines with the way down the demonstrations' loss, beside those of controls."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from taskvectors.analysis.gradient_measures import DIRECTION, GRADIENT, INCREMENT, RANDOM_DIRECTION
from taskvectors.data.episodes import Episode
from taskvectors.data.sampling import episode_rng
from taskvectors.experiments.descents import Part, observed, theta_behind
from taskvectors.names import CENTRED, RAW
from taskvectors.representations.learning import Pairs


@dataclass(frozen=True)
class Moves:
    """Changes of θ, and for each a way to compare it with.

    Attributes:
        measure: what kind of change.
        of: whose way.
        episodes: `[row]`.
        numbers: of the demonstration, where the change is what one adds; else 0 `[row]`.
        change: `[row, hidden]`.
        way: `[row, hidden]`.
    """

    measure: str
    of: str
    episodes: list[Episode]
    numbers: list[int]
    change: Tensor
    way: Tensor


def directions(part: Part) -> Iterator[Moves]:
    """θ − v₀ beside −∇ℓ(v₀) of the demonstrations, and beside that of controls."""
    rows = [(place, 0) for place in range(len(part.episodes))]
    yield from _moves(part, DIRECTION, rows, part.theta - part.v0, part.v0, part.ways)


def increments(part: Part) -> Iterator[Moves]:
    """θ_k − θ_{k−1}, what the k-th demonstration adds, beside −∇ of that demonstration's loss at θ_{k−1}, and beside controls."""
    behind = [(place, k) for place, episode in enumerate(part.episodes) for k in range(len(episode.demos) + 1)]
    demos = [part.episodes[place].demos[:k] for place, k in behind]
    theta = theta_behind(part, [place for place, _ in behind], demos)
    at = {row: number for number, row in enumerate(behind)}
    rows = [(place, k) for place, k in behind if k]
    before, after = (theta[[at[place, k - less] for place, k in rows]] for less in (1, 0))
    ways = {
        of: [[pairs[place][(k - 1) % len(pairs[place])]] if pairs[place] else () for place, k in rows]
        for of, pairs in part.ways.items()
    }
    yield from _moves(part, INCREMENT, rows, after - before, before, ways)


def _moves(
    part: Part, measure: str, rows: Sequence[tuple[int, int]], change: Tensor, start: Tensor, ways: Mapping[str, Sequence[Pairs]]
) -> Iterator[Moves]:  # fmt: skip
    """Changes of rows, each an episode's place and the number of a demonstration, beside every way that they have at their start."""

    def of_rows(having: list[int]) -> tuple[list[Episode], list[int]]:
        return [part.episodes[rows[row][0]] for row in having], [rows[row][1] for row in having]

    for of, pairs in ways.items():
        having = [row for row, of_row in enumerate(pairs) if of_row]
        if having:
            episodes, numbers = of_rows(having)
            loss = part.losses.of([pairs[row] for row in having], [episode.name for episode in episodes])
            yield Moves(measure, of, episodes, numbers, change[having], -loss(start[having])[1])
    if GRADIENT in ways:
        episodes, numbers = of_rows(list(range(len(rows))))
        drawn = random_directions(episodes, numbers, part.lm.hidden, part.seed)
        yield Moves(measure, RANDOM_DIRECTION, episodes, numbers, change, drawn)


def random_directions(episodes: Sequence[Episode], numbers: Sequence[int], hidden: int, seed: int) -> Tensor:
    """A direction for every row `[row, hidden]`, drawn of its episode and number."""
    drawn = []
    for episode, number in zip(episodes, numbers, strict=True):
        rng = episode_rng(seed, "random direction", episode.task, episode.episode, number)
        drawn.append(torch.randn(hidden, generator=torch.Generator().manual_seed(rng.getrandbits(63))))
    return torch.stack(drawn)


def cosines(moves: Iterable[Moves]) -> Iterator[pd.DataFrame]:
    """Of every row the cosine of a change with a way, as they are and with what tasks share taken from both.

    What the k-th demonstration adds is averaged over tasks for each k by itself.
    """
    of_kinds: dict[tuple[str, str], list[Moves]] = {}
    for of_part in moves:
        of_kinds.setdefault((of_part.measure, of_part.of), []).append(of_part)
    for (measure, of), of_parts in of_kinds.items():
        change, way = torch.cat([part.change for part in of_parts]), torch.cat([part.way for part in of_parts])
        episodes = [episode for part in of_parts for episode in part.episodes]
        numbers = [number for part in of_parts for number in part.numbers]

        def told(rows: Sequence[int], values: Tensor, states: str) -> pd.DataFrame:
            steps = [numbers[row] for row in rows] if measure == INCREMENT else None  # noqa: B023 (called in this turn)
            return observed([episodes[row] for row in rows], measure, of, values, steps, states)  # noqa: B023

        yield told(range(len(episodes)), cosine_similarity(change, way), RAW)
        tasks = [episode.task for episode in episodes]
        if rows := sharing(tasks, numbers):
            of_tasks, which = [tasks[row] for row in rows], [numbers[row] for row in rows]
            alike = cosine_similarity(centred(change[rows], of_tasks, which), centred(way[rows], of_tasks, which))
            yield told(rows, alike, CENTRED)


def sharing(tasks: Sequence[str], numbers: Sequence[int]) -> list[int]:
    """Rows of a number that several tasks have: what a single one has is not shared."""
    having: dict[int, set[str]] = {}
    for task, number in zip(tasks, numbers, strict=True):
        having.setdefault(number, set()).add(task)
    return [row for row, number in enumerate(numbers) if len(having[number]) > 1]


def centred(vectors: Tensor, tasks: Sequence[str], numbers: Sequence[int]) -> Tensor:
    """Unit vectors `[row, hidden]` less the mean over tasks of the means of each: no task weighs more for its large gradients."""
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
