"""Observations summed up: by task and on the mean over tasks, with 95% intervals.

An observation is one value of one episode: task, episode, what was measured, the value, and what it was measured with.
A column `accuracy` of a table has its interval in `accuracy_low` and `accuracy_high`; so has every other.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import pandas as pd

from taskvectors.names import ABLE, ALL, KEY
from taskvectors.observations.intervals import ANSWERS, DIFFERENCES, Bounds, bootstrap_mean, wilson


def with_bounds(*columns: str) -> list[str]:
    """Columns, each with those of its interval."""
    return [name for column in columns for name in (column, f"{column}_low", f"{column}_high")]


def shares(table: pd.DataFrame, by: list[str], column: str = "accuracy", hits: str = "correct") -> pd.DataFrame:
    """The share of hits in every group, with Wilson's interval: columns `by`, n, `column` and its bounds."""
    rows = []
    for key, group in table.groupby(by, sort=False, dropna=False):
        correct, n = int(group[hits].sum()), len(group)
        rows.append((*key, n, correct / n, *wilson(correct, n)))
    return pd.DataFrame(rows, columns=[*by, "n", *with_bounds(column)])


def share(column: str, hits: pd.Series) -> dict[str, float]:
    """The share of hits, with Wilson's interval."""
    return dict(zip(with_bounds(column), (hits.mean(), *wilson(int(hits.sum()), len(hits))), strict=True))


def interval(values: pd.Series, between: Bounds, seed: int) -> tuple[float, float, float]:
    """The mean over tasks and its interval. Answers of a single task have Wilson's, all else the bootstrap's.

    Args:
        values: of episodes, with their task in the index.
    """
    groups = [of_task.to_numpy(dtype=float) for _, of_task in values.groupby(level="task")]
    if between == ANSWERS and len(groups) == 1 and bool(values.isin((0, 1)).all()):
        return float(groups[0].mean()), *wilson(int(groups[0].sum()), len(groups[0]))
    return bootstrap_mean(groups, seed, between)


def summarized(
    values: pd.Series, column: str, between: Bounds, seed: int, mean_of: Collection[str] | None = None,
    able: Collection[str] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """A row for every task, then one for the mean over tasks: task, n (episodes), `column` and its bounds.

    Args:
        values: one for each episode; task and episode in the index.
        between: ANSWERS, DIFFERENCES or NUMBERS.
        seed: of the bootstrap.
        mean_of: tasks of the mean; by default all. Without any of them there is no such row.
        able: tasks above the floor: of those among them there is a second mean, in a row `able`.
    """
    values = values.astype(float)
    tasks = list(dict.fromkeys(values.index.get_level_values("task")))
    rows = [(task, int((own := values.loc[[task]]).size), *interval(own, between, seed)) for task in tasks]
    every = [task for task in tasks if mean_of is None or task in mean_of]
    for name, wanted in ((ALL, every), (ABLE, [task for task in every if able is not None and task in able])):
        meant = values.loc[wanted]
        if len(meant):
            rows.append((name, len(meant), *_over_tasks(meant, between, seed)))
    return pd.DataFrame(rows, columns=["task", "n", *with_bounds(column)])


def over_tasks(values: pd.Series, column: str, between: Bounds, seed: int) -> dict[str, Any]:
    """The mean over tasks alone: n, `column` and its bounds."""
    return {"n": len(values), **dict(zip(with_bounds(column), _over_tasks(values, between, seed), strict=True))}


def _over_tasks(values: pd.Series, between: Bounds, seed: int) -> tuple[float, float, float]:
    """Sorted by task: in which order tasks are studied has no influence."""
    groups = [of_task.to_numpy(dtype=float) for _, of_task in values.groupby(level="task")]
    return bootstrap_mean(groups, seed, between)


def by_episode(rows: pd.DataFrame, column: str = "correct") -> pd.Series:
    """A column of observations with task and episode in the index."""
    return rows.set_index(["task", "episode"])[column].astype(float)


def paired(values: pd.Series, reference: pd.Series) -> pd.Series:
    """The difference of two methods on the episodes that both have."""
    return (values - reference.reindex(values.index)).dropna()


def paired_differences(
    predictions: pd.DataFrame, method: str, references: Iterable[str], seed: int, mean_of: Collection[str] | None = None,
    able: Collection[str] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """How much better a method is than others on the same episodes, by task and on the mean over tasks.

    Args:
        predictions: with columns task, episode, method, correct; one row for each episode and method.
        references: those that the predictions lack are left out.
        mean_of: the tasks of the mean; all by default.
        able: tasks above the floor, for a second mean.

    Returns:
        Columns task (then `all`), method, reference, n, difference and its bounds.
    """
    wide = predictions.pivot(index=["task", "episode"], columns="method", values="correct").astype(float)
    tables = [
        summarized((wide[method] - wide[reference]).dropna(), "difference", DIFFERENCES, seed, mean_of, able).assign(
            method=method, reference=reference
        )
        for reference in references
        if reference in wide
    ]
    columns = ["task", "method", "reference", "n", *with_bounds("difference")]
    return pd.concat([table for table in tables if len(table)] or [pd.DataFrame(columns=columns)], ignore_index=True)[
        columns
    ]


def once_per_episode(chosen: pd.DataFrame) -> pd.DataFrame:
    """One row for each episode and method: for θ of other tasks the mean over these."""
    key = [*KEY, "method", "layer", "episode"]
    return chosen.groupby(key, sort=False, dropna=False)[["correct", "exact"]].mean().reset_index()


def mean_accuracies(predictions: pd.DataFrame, by: Sequence[str], seed: int) -> pd.DataFrame:
    """Mean accuracy over tasks in every group: columns `by`, n (episodes), accuracy and its bounds."""
    rows = [
        dict(zip(by, key, strict=True)) | over_tasks(group.set_index("task")["correct"], "accuracy", ANSWERS, seed)
        for key, group in predictions.groupby(list(by), sort=False, dropna=False)
    ]
    return pd.DataFrame(rows, columns=[*by, "n", *with_bounds("accuracy")])
