"""Whether θ depends on the order of demonstrations as online descent does. Descent on all of them at once knows no
order."""

import math
from collections.abc import Iterator

import pandas as pd
from torch.nn.functional import cosine_similarity

from taskvectors.data.episodes import Episode
from taskvectors.data.sampling import episode_rng
from taskvectors.measuring.predictions import observed
from taskvectors.questions.gradient.descents import Part, descend_online, theta_behind
from taskvectors.questions.gradient.names import GRADIENT, ONLINE, ORDER, SPREAD, THETA


def over_orders(part: Part, count: int) -> Iterator[pd.DataFrame]:
    """How far θ, and the end of online descent, spread over orders of the demonstrations, and whether to the same
    side.

    The spread is the standard deviation over orders, as a share of the distance from v₀. An episode with one order has
    none. There is no cosine where all demonstrations, or all pairs of the descent, are the same: rounding has no
    direction.

    Args:
        count: of the orders.
    """
    several = [place for place, episode in enumerate(part.episodes) if len(episode.demos) > 1]
    ordered = [(place, order) for place in several for order in orders_of(part.episodes[place], count, part.seed)]
    if not ordered:
        return
    places = [place for place, _ in ordered]
    sets = {THETA: [episode.demos for episode in part.episodes], **part.demonstration_sets}
    # An episode without such pairs descends on its own instead, and is not compared.
    shown = {
        subject: [
            [(pairs[place] or part.episodes[place].demos)[i % len(pairs[place] or order)] for i in order]
            for place, order in ordered
        ]
        for subject, pairs in sets.items()
    }
    ends = {subject: descend_online(part, places, shown[subject]) for subject in part.demonstration_sets}
    ends[THETA] = theta_behind(part, places, shown[THETA])
    for place in several:
        own = [row for row, other in enumerate(places) if other == place]
        middle = {subject: vectors[own].mean(dim=0) for subject, vectors in ends.items()}
        away = {subject: vectors[own] - middle[subject] for subject, vectors in ends.items()}
        episode = [part.episodes[place]]
        depends = {subject for subject, rows in shown.items() if len({tuple(rows[row]) for row in own}) > 1}
        for subject in part.demonstration_sets:
            if depends >= {THETA, subject} and sets[subject][place]:
                cosine = cosine_similarity(away[THETA], away[subject]).mean()
                yield observed(episode, ORDER, subject, cosine[None])
        if GRADIENT in ends:
            for end, subject in ((THETA, THETA), (GRADIENT, ONLINE)):
                deviation = (away[end].square().sum() / (len(own) - 1)).sqrt()
                yield observed(episode, SPREAD, subject, (deviation / (middle[end] - part.v0[place]).norm())[None])


def orders_of(episode: Episode, count: int, seed: int) -> list[tuple[int, ...]]:
    """Different orders of an episode's demonstrations, its own first; all if there are not so many."""
    number = len(episode.demos)
    rng = episode_rng(seed, "orders", episode.task, episode.episode)
    orders = dict.fromkeys([tuple(range(number))])
    while len(orders) < min(count, math.factorial(number)):
        orders[tuple(rng.sample(range(number), number))] = None
    return list(orders)
