"""Whether θ moves along the gradient: cosines with the way down the demonstrations' loss, beside those of controls."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from taskvectors.analysis.gradient_measures import (
    COLUMNS,
    DIRECTION,
    GRADIENT,
    INCREMENT,
    ONLINE,
    ORDER,
    OTHER_TASK,
    RANDOM_DIRECTION,
    RANDOM_WEIGHTS,
    SHUFFLED,
    SPREAD,
    THETA,
)
from taskvectors.analysis.names import CENTRED, RAW
from taskvectors.data.episodes import Episode, by_task
from taskvectors.data.sampling import episode_rng, shuffled_answers
from taskvectors.experiments.descents import bare, descend_online, loss_at, observed, read_behind
from taskvectors.models.language_model import LanguageModel
from taskvectors.models.untrained import has_room_for_another, untrained
from taskvectors.progress import logger
from taskvectors.representations.learning import Pairs


def directions(
    lm: LanguageModel, test: list[Episode], others: list[Episode] | None, v0: Tensor, theta: Tensor, layer: int, seed: int
) -> pd.DataFrame:  # fmt: skip
    """Cosines of θ − v₀ with −∇ℓ(v₀) of the demonstrations, and with that of controls."""
    pairs: dict[str, Sequence[Pairs]] = {GRADIENT: [episode.demos for episode in test]}
    if shuffled := with_shuffled_answers(test, seed):
        pairs[SHUFFLED] = shuffled
    if others:
        pairs[OTHER_TASK] = [other.demos for other in others]
    names = [episode.name for episode in test]
    downhill = {of: -loss_at(lm, of_pairs, v0, layer, names)[1] for of, of_pairs in pairs.items()}
    downhill[RANDOM_DIRECTION] = random_directions(test, lm.hidden, seed)
    return cosines(test, DIRECTION, theta - v0, downhill)


def directions_untrained(lm: LanguageModel, test: list[Episode], layer: int, seed: int) -> pd.DataFrame:
    """The same of a model of this architecture with random weights; nothing where the memory does not hold both."""
    if not has_room_for_another(lm):
        logger.warning("gradient: without random weights: the memory does not hold a second model of this size")
        return pd.DataFrame(columns=COLUMNS)
    control = untrained(lm, seed)
    v0, theta = bare(control, test, layer), read_behind(control, test, [e.demos for e in test], layer)
    names = [episode.name for episode in test]
    _, slope = loss_at(control, [episode.demos for episode in test], v0, layer, names)
    return cosines(test, DIRECTION, theta - v0, {RANDOM_WEIGHTS: -slope})


def increments(
    lm: LanguageModel, test: list[Episode], others: list[Episode] | None, layer: int, seed: int
) -> pd.DataFrame:
    """Cosines of θ_k − θ_{k−1}, what the k-th demonstration adds, with −∇ of that demonstration's loss at θ_{k−1}, and of controls."""
    rows = [(place, k) for place, episode in enumerate(test) for k in range(len(episode.demos) + 1)]
    read = read_behind(lm, [test[place] for place, _ in rows], [test[place].demos[:k] for place, k in rows], layer)
    theta = dict(zip(rows, read, strict=True))
    added = [(place, k) for place, k in rows if k]
    before = torch.stack([theta[place, k - 1] for place, k in added])
    after = torch.stack([theta[place, k] for place, k in added])
    pairs: dict[str, Sequence[Pairs]] = {GRADIENT: [[test[place].demos[k - 1]] for place, k in added]}
    if shuffled := with_shuffled_answers(test, seed):
        pairs[SHUFFLED] = [[shuffled[place][k - 1]] for place, k in added]
    if others:
        pairs[OTHER_TASK] = [[others[place].demos[(k - 1) % len(others[place].demos)]] for place, k in added]
    of_rows = [test[place] for place, _ in added]
    names, numbers = [episode.name for episode in of_rows], [k for _, k in added]
    downhill = {of: -loss_at(lm, of_pairs, before, layer, names)[1] for of, of_pairs in pairs.items()}
    downhill[RANDOM_DIRECTION] = random_directions(of_rows, lm.hidden, seed, numbers)
    return cosines(of_rows, INCREMENT, after - before, downhill, numbers)


def over_orders(
    lm: LanguageModel, test: list[Episode], v0: Tensor, length: Tensor, layer: int, count: int, seed: int
) -> pd.DataFrame:
    """How far θ, and the end of online descent, lie from their means over orders of the demonstrations, and whether on the same side.

    Descent on all demonstrations at once knows no order. Of an episode with one order there is nothing.
    """
    rows = [(place, order) for place, episode in enumerate(test) for order in orders_of(episode, count, seed)]
    rows = [(place, order) for place, order in rows if len(test[place].demos) > 1]
    if not rows:
        return pd.DataFrame(columns=COLUMNS)
    places = [place for place, _ in rows]
    of_rows, names = [test[place] for place in places], [test[place].name for place in places]
    asked = list(dict.fromkeys(places))
    answers = dict(zip(asked, with_shuffled_answers([test[place] for place in asked], seed) or [], strict=True))
    shown = [[test[place].demos[i] for i in order] for place, order in rows]
    untrue = [[answers[place][i] for i in order] for place, order in rows]
    ends = {THETA: read_behind(lm, of_rows, shown, layer)}
    for of, pairs in ((GRADIENT, shown), (SHUFFLED, untrue)):
        ends[of] = descend_online(lm, pairs, v0[places], length[places], layer, names)
    tables = []
    for place in asked:
        own = torch.tensor([row for row, other in enumerate(places) if other == place])
        middle = {of: vectors[own].mean(dim=0) for of, vectors in ends.items()}
        away = {of: vectors[own] - middle[of] for of, vectors in ends.items()}
        episode = [test[place]]
        for of, name in ((THETA, THETA), (GRADIENT, ONLINE)):
            distance = away[of].square().sum(dim=-1).mean().sqrt() / (middle[of] - v0[place]).norm()
            tables.append(observed(episode, SPREAD, name, distance[None]))
        for of in ends:
            if of != THETA:
                alike = cosine_similarity(away[THETA], away[of]).mean()
                tables.append(observed(episode, ORDER, of, alike[None]))
    return pd.concat(tables)


def orders_of(episode: Episode, count: int, seed: int) -> list[tuple[int, ...]]:
    """Different orders of an episode's demonstrations, its own first; all if there are not so many."""
    number = len(episode.demos)
    rng = episode_rng(seed, "orders", episode.task, episode.episode)
    orders = dict.fromkeys([tuple(range(number))])
    while len(orders) < min(count, math.factorial(number)):
        orders[tuple(rng.sample(range(number), number))] = None
    return list(orders)


def of_next_task(episodes: list[Episode]) -> list[Episode] | None:
    """For each episode one of the next task; None of a single task."""
    tasks = list(by_task(episodes).values())
    if len(tasks) < 2:
        return None
    following = zip(tasks, [*tasks[1:], tasks[0]], strict=True)
    return [of_next[place % len(of_next)] for own, of_next in following for place in range(len(own))]


def with_shuffled_answers(episodes: list[Episode], seed: int) -> list[Pairs] | None:
    """Demonstrations, each with the answer of another; None if an episode has a single one."""
    if any(len(episode.demos) < 2 for episode in episodes):
        return None
    return [shuffled_answers(e.demos, seed, "gradient", e.task, e.episode) for e in episodes]


def random_directions(episodes: list[Episode], hidden: int, seed: int, numbers: Sequence[int] | None = None) -> Tensor:
    """A direction for every row `[row, hidden]`, drawn of its episode and number."""
    drawn = []
    for episode, number in zip(episodes, numbers or [0] * len(episodes), strict=True):
        rng = episode_rng(seed, "random direction", episode.task, episode.episode, number)
        drawn.append(torch.randn(hidden, generator=torch.Generator().manual_seed(rng.getrandbits(63))))
    return torch.stack(drawn)


def cosines(
    episodes: list[Episode], measure: str, change: Tensor, downhill: Mapping[str, Tensor], numbers: Sequence[int] | None = None
) -> pd.DataFrame:  # fmt: skip
    """Of every row the cosine of a change with each way down, as they are and with what tasks share taken from both.

    Args:
        numbers: of the demonstration, where the change is what one adds; tasks are then averaged for each number by itself.
    """
    tasks = [episode.task for episode in episodes]
    counted = numbers or [0] * len(tasks)
    sharing = {
        number: {task for task, other in zip(tasks, counted, strict=True) if other == number} for number in counted
    }
    rows = [row for row, number in enumerate(counted) if len(sharing[number]) > 1]  # where tasks can share something
    tables = []
    for of, way in downhill.items():
        alike = cosine_similarity(change, way)
        tables.append(observed(episodes, measure, of, alike, numbers, states=RAW))
        if rows:
            asked, which = [episodes[row] for row in rows], [counted[row] for row in rows]
            names = [episode.task for episode in asked]
            less = cosine_similarity(centred(change[rows], names, which), centred(way[rows], names, which))
            tables.append(observed(asked, measure, of, less, which if numbers else None, states=CENTRED))
    return pd.concat(tables)


def centred(vectors: Tensor, tasks: Sequence[str], numbers: Sequence[int] | None = None) -> Tensor:
    """Unit vectors `[row, hidden]` less the mean over tasks of the means of each: no task weighs more for its large gradients."""
    unit = normalize(vectors, dim=-1)
    keys = list(zip(numbers or [0] * len(tasks), tasks, strict=True))
    shared = {}
    for number in {number for number, _ in keys}:
        of_tasks = {
            key: unit[[row for row, other in enumerate(keys) if other == key]].mean(dim=0)
            for key in keys
            if key[0] == number
        }
        shared[number] = torch.stack(list(of_tasks.values())).mean(dim=0)
    return unit - torch.stack([shared[number] for number, _ in keys])
