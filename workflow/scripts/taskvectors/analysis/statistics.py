"""Accuracies and their differences, with intervals."""

from collections.abc import Collection, Sequence
from functools import cache

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import binomtest

from taskvectors.names import ALL, KEY

CONFIDENCE = 0.95
RESAMPLES = 2000
# Between which values of one episode lie.
ANSWERS, DIFFERENCES = (0.0, 1.0), (-1.0, 1.0)


@cache  # tables ask for few different ones, thousands of times
def wilson(correct: int, n: int) -> tuple[float, float]:
    """95% Wilson score interval of a proportion (Wilson 1927)."""
    interval = binomtest(correct, n).proportion_ci(CONFIDENCE, method="wilson")
    return interval.low, interval.high


def accuracies(predictions: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Share of correct predictions per group: columns `by`, n, accuracy, ci_low, ci_high."""
    rows = []
    for key, group in predictions.groupby(by, sort=False, dropna=False):
        correct, n = int(group["correct"].sum()), len(group)
        low, high = wilson(correct, n)
        rows.append((*key, n, correct / n, low, high))
    return pd.DataFrame(rows, columns=[*by, "n", "accuracy", "ci_low", "ci_high"])


def bootstrap_mean(
    groups: Sequence[np.ndarray], seed: int, between: tuple[float, float] | None = None
) -> tuple[float, float, float]:
    """Mean over groups of the mean within each, and its 95% percentile bootstrap interval (Efron and Tibshirani 1993).

    Episodes are resampled within their task; the tasks are those of the study, not a sample of tasks. Of a task's n episodes n − 1 are
    drawn (Rao and Wu 1988): drawing n would make an interval √((n − 1)/n) times as wide as it should be. Where a task has one episode
    there is no interval, NaN; nor where the episodes of every task agree in a measure without bounds. One with bounds has an interval
    that reaches as far as episodes may that went unseen (`_with_unseen`).

    Args:
        groups: for each task the values of its episodes: 0 or 1 for an accuracy; for a paired difference of two methods
            the difference on each episode, -1, 0 or 1.
        seed: of the resampling.
        between: the least and the largest value that an episode can have, ANSWERS or DIFFERENCES; none of measures that are equal only
            where they are so by definition.
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


def mean_in_columns(
    columns: Sequence[str], values: pd.Series, seed: int, between: tuple[float, float] | None = None
) -> dict[str, float]:
    """The mean over tasks and the bounds of its interval (`bootstrap_mean`), under the names of three columns.

    Args:
        values: of episodes, with their task in the index.
    """
    groups = [of_task.to_numpy(dtype=float) for _, of_task in values.groupby(level="task")]
    return dict(zip(columns, bootstrap_mean(groups, seed, between), strict=True))


def _with_unseen(
    groups: list[np.ndarray], low: float, high: float, between: tuple[float, float]
) -> tuple[float, float]:
    """The bootstrap's interval of a mean, wide enough for episodes unlike those seen, of which resampling knows nothing.

    A share of a task's episodes may be as far off as can be, as long as the chance that none of them was seen in any task is 2.5% or
    more. Of tasks that are alike that is Clopper and Pearson's bound (1934) for none of n, 1 − 0.025^(1/n) ("rule of three").
    """
    sizes, means = np.array([len(values) for values in groups]), np.array([values.mean() for values in groups])
    lowest = means.mean() - _furthest(means - between[0], sizes)
    highest = means.mean() + _furthest(between[1] - means, sizes)
    return min(low, float(lowest)), max(high, float(highest))


def _furthest(distances: np.ndarray, sizes: np.ndarray) -> float:
    """How far episodes that went unseen may move the mean over tasks: the largest mean of share × distance.

    The chance to see none of them is ∏ (1 − share)^size. Where it is fixed, the mean is largest at 1 − share = λ · size / distance,
    or 1 where that is more (Lagrange).

    Args:
        distances: of each task, how far an episode may be from the others.
        sizes: how many episodes of each were seen.
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


def mean_over_tasks(predictions: pd.DataFrame, by: list[str], seed: int) -> pd.DataFrame:
    """Mean over tasks of their accuracies per group: columns `by`, n (episodes), accuracy, ci_low, ci_high."""
    rows = []
    for key, group in predictions.groupby(by, sort=False, dropna=False):
        values = [
            of_task["correct"].to_numpy() for _, of_task in group.groupby("task")
        ]  # sorted: their order has no say
        rows.append((*key, len(group), *bootstrap_mean(values, seed, ANSWERS)))
    return pd.DataFrame(rows, columns=[*by, "n", "accuracy", "ci_low", "ci_high"])


def paired_differences(
    predictions: pd.DataFrame,
    method: str,
    references: Sequence[str],
    seed: int,
    mean_of: Collection[str] | None = None,
) -> pd.DataFrame:
    """How much better a method is than others on the same episodes, by task and on the mean over tasks.

    Args:
        predictions: with columns task, episode, method, correct; one row an episode and method.
        references: those that the predictions lack are left out.
        mean_of: the tasks of the mean; all by default.

    Returns:
        Columns task (then `all`), method, reference, n, difference, ci_low, ci_high.
    """
    wide = predictions.pivot(index=["task", "episode"], columns="method", values="correct").astype(float)
    rows = []
    for reference in [name for name in references if name in wide]:
        difference = (wide[method] - wide[reference]).dropna()
        tasks = {task: values.to_numpy() for task, values in difference.groupby("task", sort=False)}
        together = [values for task, values in tasks.items() if mean_of is None or task in mean_of]
        for name, groups in [*((task, [values]) for task, values in tasks.items()), (ALL, together)]:
            if not groups:
                continue  # a method that no task has been run with
            rows.append((name, method, reference, sum(map(len, groups)), *bootstrap_mean(groups, seed, DIFFERENCES)))
    return pd.DataFrame(rows, columns=["task", "method", "reference", "n", "difference", "ci_low", "ci_high"])


def once_per_episode(chosen: pd.DataFrame) -> pd.DataFrame:
    """One row an episode and method: of θ of other tasks, the mean over those."""
    key = [*KEY, "method", "layer", "episode"]
    return chosen.groupby(key, sort=False, dropna=False)[["correct", "exact"]].mean().reset_index()
