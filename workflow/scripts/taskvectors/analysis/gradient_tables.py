"""θ against gradient descent as a table: means over tasks with intervals, and paired differences to what each is compared with."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from taskvectors.analysis.gradient_measures import COSINES, GRADIENT, INCREMENT, OF_VECTORS, THETA
from taskvectors.analysis.names import ALL, KEY, MAIN
from taskvectors.analysis.statistics import CONFIDENCE, RESAMPLES

SUBJECT = ["measure", "of", "states", "step"]
COLUMNS = [*KEY, "layer", "share", *SUBJECT, "n", "value", "ci_low", "ci_high"]
COLUMNS += ["difference", "difference_ci_low", "difference_ci_high", "left_out"]

Subject = tuple[Any, ...]  # a value of each column of SUBJECT, None where there is none


def gradient_table(
    observations: pd.DataFrame, model: str, kinds: Mapping[str, Mapping[str, str]], seed: int
) -> pd.DataFrame:
    """The study's table `gradient.csv`: every measure by task and on the mean over tasks.

    Intervals are 95% bootstrap intervals over episodes, of the mean over tasks: a task has few episodes. `difference` is paired: to
    θ of what is measured of a vector, to the demonstrations' own gradient of a cosine. What every demonstration adds has a row for
    each, on the mean over tasks, and one for all together.

    Args:
        observations: as `taskvectors.experiments.gradient` gives them.
        kinds: of every task its family and role.
        seed: of the bootstrap.
    """
    head = {"model": model, "layer": observations["layer"].iloc[0], "share": observations["share"].iloc[0]}
    if (absent := observations["left_out"].dropna()).size:
        rows = [{**head, "family": ALL, "role": MAIN, "task": ALL, "n": 0, "left_out": absent.iloc[0]}]
        return _typed(pd.DataFrame(rows))
    values = dict(_by_subject(observations))
    rows = []
    for subject, own in values.items():
        compared = _reference(subject)
        difference = None
        if compared in values:
            difference = (own - values[compared].reindex(own.index)).dropna()
        of_demonstration = subject[0] == INCREMENT and subject[3] is not None
        tasks = [] if of_demonstration else list(dict.fromkeys(own.index.get_level_values("task")))
        names = dict(zip(SUBJECT, subject, strict=True))
        for task in tasks:
            kind = {name: kinds[task][name] for name in ("family", "role")}
            row = {"n": len(own.loc[[task]]), "value": own.loc[[task]].mean()}
            if difference is not None and task in difference.index:
                row["difference"] = difference.loc[[task]].mean()
            rows.append({**head, **kind, "task": task, **names, **row})
        row = {"n": len(own), **_with_interval("value", "ci", own, seed)}
        if difference is not None and len(difference):
            row |= _with_interval("difference", "difference_ci", difference, seed)
        rows.append({**head, "family": ALL, "role": MAIN, "task": ALL, **names, **row})
    return _typed(pd.DataFrame(rows))


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    return table.reindex(columns=COLUMNS).astype({"layer": "Int64", "step": "Int64", "n": "Int64"})


def _by_subject(observations: pd.DataFrame) -> Iterator[tuple[Subject, pd.Series]]:
    """What is measured of what, with a value for every task and episode."""
    for key, rows in observations.groupby(SUBJECT, sort=False, dropna=False):
        subject = tuple(None if pd.isna(part) else part for part in key)
        yield subject, rows.set_index(["task", "episode"])["value"].astype(float)
    added = observations[observations["measure"] == INCREMENT]
    for (of, states), rows in added.groupby(["of", "states"], sort=False):
        yield (INCREMENT, of, states, None), rows.groupby(["task", "episode"], sort=False)["value"].mean()


def _reference(subject: Subject) -> Subject | None:
    """What a subject is compared with; nothing of others, and of itself."""
    measure, _, states, step = subject
    reference: Subject | None = None
    if measure in OF_VECTORS:
        reference = (measure, THETA, None, None)
    elif measure in COSINES:
        reference = (measure, GRADIENT, states, step)
    return None if reference == subject else reference


def _with_interval(name: str, interval: str, values: pd.Series, seed: int) -> dict[str, float]:
    groups = [of_task.to_numpy() for _, of_task in values.groupby(level="task")]
    return dict(zip((name, f"{interval}_low", f"{interval}_high"), mean_of_few(groups, seed), strict=True))


def mean_of_few(groups: Sequence[np.ndarray], seed: int) -> tuple[float, float, float]:
    """Mean over tasks of the mean within each, and its 95% bootstrap interval, for tasks of few episodes.

    Of n episodes n − 1 are drawn (Rao and Wu 1988): drawing n makes an interval √((n − 1)/n) times as wide as it should be, which for
    two episodes is 0.71.

    Args:
        groups: for each task the values of its episodes; of a single one nothing is known but itself.
        seed: of the resampling.
    """
    rng = np.random.default_rng(seed)
    means = np.zeros(RESAMPLES)
    for values in groups:
        drawn = rng.integers(len(values), size=(RESAMPLES, max(1, len(values) - 1)))
        means += values[drawn].mean(axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means / len(groups), [tail, 1 - tail])
    return float(np.mean([values.mean() for values in groups])), float(low), float(high)
