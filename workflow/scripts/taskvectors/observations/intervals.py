"""95% intervals of accuracies, of means over tasks and of paired differences."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.optimize import brentq
from scipy.stats import binomtest, norm
from scipy.stats import t as student

CONFIDENCE = 0.95
RESAMPLES = 2000
Bounds = tuple[float, float] | None  # the least and the largest value that one episode can have, if there are such
# What can be measured of an episode: whether an answer is right; the difference of two such; a number without bounds.
ANSWERS, DIFFERENCES, NUMBERS = (0.0, 1.0), (-1.0, 1.0), None


@dataclass(frozen=True)
class Estimate:
    """A value with its 95% interval; NaN where there is none."""

    value: float = np.nan
    low: float = np.nan
    high: float = np.nan

    def __neg__(self) -> "Estimate":
        return Estimate(0 - self.value, 0 - self.high, 0 - self.low)


@cache  # tables need few different ones, thousands of times
def wilson(correct: int, n: int) -> tuple[float, float]:
    """95% Wilson score interval of a proportion (Wilson 1927)."""
    interval = binomtest(correct, n).proportion_ci(CONFIDENCE, method="wilson")
    return interval.low, interval.high


def bootstrap_mean(groups: Sequence[np.ndarray], seed: int, between: Bounds = None) -> tuple[float, float, float]:
    """Mean over groups of the mean within each, and its 95% percentile bootstrap interval (Efron and Tibshirani 1993).

    Episodes are resampled within their task; the tasks are those of the study, not a sample of tasks. Of a task's n
    episodes n − 1 are drawn (Rao and Wu 1988): drawing n would make an interval √((n − 1)/n) times as wide as it
    should be. There is no interval, NaN, where a task has one episode, nor where the episodes of every task agree in a
    number without bounds. An interval of bounded values allows for episodes unlike those sampled (`_with_unseen`).

    Args:
        groups: for each task the values of its episodes: 0 or 1 for an accuracy; for a paired difference of two
            methods the difference on each episode, -1, 0 or 1.
        seed: of the resampling.
        between: ANSWERS, DIFFERENCES or NUMBERS. NUMBERS are equal only where they are so by definition.
    """
    groups = [np.asarray(values, dtype=float) for values in groups]
    mean = float(np.mean([values.mean() for values in groups]))
    if min(map(len, groups)) == 1 or (between is None and all(np.ptp(values) == 0 for values in groups)):
        return mean, np.nan, np.nan
    rng = np.random.default_rng(seed)
    means = np.zeros(RESAMPLES)
    for values in groups:
        means += values[rng.integers(len(values), size=(RESAMPLES, len(values) - 1))].mean(axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = map(float, np.quantile(means / len(groups), [tail, 1 - tail]))
    return (mean, low, high) if between is None else (mean, *_with_unseen(groups, low, high, between))


def _with_unseen(
    groups: list[np.ndarray], low: float, high: float, between: tuple[float, float]
) -> tuple[float, float]:
    """The bootstrap's interval, widened for episodes unlike those sampled, which resampling cannot know.

    A share of a task's episodes may have the least or the largest value, as long as the chance that none of them was
    sampled in any task is 2.5% or more. For tasks that are alike this is Clopper and Pearson's bound (1934) for none
    of n, 1 − 0.025^(1/n) ("rule of three").
    """
    sizes, means = np.array([len(values) for values in groups]), np.array([values.mean() for values in groups])
    lowest = means.mean() - _furthest(means - between[0], sizes)
    highest = means.mean() + _furthest(between[1] - means, sizes)
    return min(low, float(lowest)), max(high, float(highest))


def _furthest(distances: np.ndarray, sizes: np.ndarray) -> float:
    """How far unseen episodes may move the mean over tasks: the largest mean of share × distance.

    The chance to sample none of them is ∏ (1 − share)^size. Where it is fixed, the mean is largest at
    1 − share = λ · size / distance, or 1 where that is more (Lagrange).

    Args:
        distances: for each task, from its mean to the bound.
        sizes: episodes sampled, by task.
    """
    moved = distances > 0
    if not moved.any():
        return 0.0
    sizes, ratios = sizes[moved], np.log(distances[moved] / sizes[moved])
    unseen = np.log((1 - CONFIDENCE) / 2)

    def beyond(log: float) -> float:
        return float((sizes * np.minimum(log - ratios, 0)).sum() - unseen)

    log = brentq(beyond, ratios.max() + unseen / sizes.min() - 1, ratios.max())
    shares = 1 - np.exp(np.minimum(log - ratios, 0))
    return float((shares * distances[moved]).sum() / len(distances))


def combined(estimates: Sequence[Estimate], weights: Sequence[float]) -> Estimate:
    """A weighted sum of independent estimates, its interval from theirs by MOVER (Zou and Donner 2008, equations 3 and
    4).

    NaN as an interval if one has none.
    """
    value = sum(weight * one.value for weight, one in zip(weights, estimates, strict=True))
    below, above = 0.0, 0.0
    for weight, one in zip(weights, estimates, strict=True):
        down, up = (
            (one.value - one.low, one.high - one.value) if weight >= 0 else (one.high - one.value, one.value - one.low)
        )
        below, above = below + (weight * down) ** 2, above + (weight * up) ** 2
    return Estimate(value, value - below**0.5, value + above**0.5)


def ratio(above: Estimate, below: Estimate) -> Estimate:
    """The ratio of two independent estimates, its interval by MOVER (Donner and Zou 2012). Without a lower bound above
    zero of the divisor, or with an upper one of twice its value, there is none."""
    if not (below.low > 0 and below.high < 2 * below.value):
        return Estimate(above.value / below.value if below.value > 0 else np.nan)
    product = above.value * below.value

    def bound(one: float, other: float, sign: int) -> float:
        scale = other * (2 * below.value - other)
        root = max(product**2 - one * scale * (2 * above.value - one), 0.0) ** 0.5
        return (product + sign * root) / scale

    return Estimate(above.value / below.value, bound(above.low, below.high, -1), bound(above.high, below.low, 1))


def across_groups(means: np.ndarray) -> Estimate:
    """The mean of groups with Student's interval for groups like these, not for these alone; no interval for a single
    one."""
    means = means[~np.isnan(means)]
    if len(means) < 2:
        return Estimate(float(means.mean()) if len(means) else np.nan)
    half = student.ppf((1 + CONFIDENCE) / 2, len(means) - 1) * means.std(ddof=1) / len(means) ** 0.5
    return Estimate(float(means.mean()), float(means.mean() - half), float(means.mean() + half))


def holm(estimates: Sequence[Estimate]) -> list[bool]:
    """Which of several values differ from zero, by Holm's procedure (1979) at 5% for all together.

    Each has the p-value of a normal distribution with its interval.
    """
    normal = norm.ppf((1 + CONFIDENCE) / 2)
    errors = [(one.high - one.low) / (2 * normal) for one in estimates]
    known = [error > 0 for error in errors]  # neither NaN nor zero
    p = np.array(
        [
            2 * norm.sf(abs(one.value) / error) if there else 1.0
            for one, error, there in zip(estimates, errors, known, strict=True)
        ]
    )
    order, apart = np.argsort(p, kind="stable"), np.zeros(len(p), dtype=bool)
    for rank, place in enumerate(order):
        if p[place] > (1 - CONFIDENCE) / (len(p) - rank):
            break
        apart[place] = True
    return apart.tolist()
