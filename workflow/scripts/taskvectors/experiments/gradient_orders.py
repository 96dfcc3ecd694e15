"""Whether θ depends on the order of demonstrations as online descent does; descent on all of them at once knows no order."""

import math
from collections.abc import Iterator

import pandas as pd
from torch.nn.functional import cosine_similarity

from taskvectors.analysis.gradient_measures import GRADIENT, ONLINE, ORDER, SPREAD, THETA
from taskvectors.data.episodes import Episode
from taskvectors.data.sampling import episode_rng
from taskvectors.experiments.descents import Part, descend_online, observed, theta_behind


def over_orders(part: Part, count: int) -> Iterator[pd.DataFrame]:
    """How far θ, and the end of online descent, spread over orders of the demonstrations, and whether to the same side.

    The spread is the standard deviation over orders, as a share of the distance from v₀. Of an episode with one order there is none;
    no cosine either where all demonstrations, or all pairs of the descent, are the same: differences of rounding have no direction.

    Args:
        count: of the orders.
    """
    several = [place for place, episode in enumerate(part.episodes) if len(episode.demos) > 1]
    ordered = [(place, order) for place in several for order in orders_of(part.episodes[place], count, part.seed)]
    if not ordered:
        return
    places = [place for place, _ in ordered]
    pairs = {THETA: [episode.demos for episode in part.episodes], **part.ways}
    shown = {
        of: [[of_way[place][i % len(of_way[place])] for i in order] for place, order in ordered]
        for of, of_way in pairs.items()
    }
    ends = {of: descend_online(part, places, shown[of]) for of in part.ways}
    ends[THETA] = theta_behind(part, places, shown[THETA])
    for place in several:
        own = [row for row, other in enumerate(places) if other == place]
        middle = {of: vectors[own].mean(dim=0) for of, vectors in ends.items()}
        away = {of: vectors[own] - middle[of] for of, vectors in ends.items()}
        episode = [part.episodes[place]]
        depends = {of for of, of_rows in shown.items() if len({tuple(of_rows[row]) for row in own}) > 1}
        for of in part.ways:
            if depends >= {THETA, of}:
                yield observed(episode, ORDER, of, cosine_similarity(away[THETA], away[of]).mean()[None])
        if GRADIENT in ends:
            for of, name in ((THETA, THETA), (GRADIENT, ONLINE)):
                deviation = (away[of].square().sum() / (len(own) - 1)).sqrt()
                yield observed(episode, SPREAD, name, (deviation / (middle[of] - part.v0[place]).norm())[None])


def orders_of(episode: Episode, count: int, seed: int) -> list[tuple[int, ...]]:
    """Different orders of an episode's demonstrations, its own first; all if there are not so many."""
    number = len(episode.demos)
    rng = episode_rng(seed, "orders", episode.task, episode.episode)
    orders = dict.fromkeys([tuple(range(number))])
    while len(orders) < min(count, math.factorial(number)):
        orders[tuple(rng.sample(range(number), number))] = None
    return list(orders)
