"""θ against gradient descent as a table: means over tasks with intervals, and paired differences to what each is compared with."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from taskvectors.analysis.gradient_measures import ACCURACY, COSINES, GRADIENT, INCREMENT, OF_VECTORS, THETA
from taskvectors.analysis.roles import with_kinds
from taskvectors.analysis.statistics import ANSWERS, DIFFERENCES, mean_in_columns
from taskvectors.names import ALL, KEY

SUBJECT = ["measure", "of", "states", "step"]
VALUE = ["value", "ci_low", "ci_high"]
DIFFERENCE = ["difference", "difference_ci_low", "difference_ci_high"]
COLUMNS = [*KEY, "layer", "share", *SUBJECT, "n", *VALUE, *DIFFERENCE, "left_out"]

Subject = tuple[Any, ...]  # a value of each column of SUBJECT, None where there is none


def gradient_table(
    observations: pd.DataFrame, model: str, kinds: Mapping[str, Mapping[str, str]], seed: int
) -> pd.DataFrame:
    """The study's table `gradient.csv`: every measure by task and on the mean over tasks.

    Intervals are 95% bootstrap intervals over episodes, of the mean over tasks. `difference` is paired: to
    θ of what is measured of a vector, to the demonstrations' own gradient of a cosine. What every demonstration adds has a row for
    each, on the mean over tasks, and one for all together.

    Args:
        observations: as `taskvectors.experiments.gradient` gives them.
        kinds: of every task its family and role.
        seed: of the bootstrap.
    """
    everywhere = {name: observations[name].iloc[0] for name in ("layer", "share")}
    if (absent := observations["left_out"].dropna()).size:
        rows = [{"task": ALL, "n": 0, "left_out": absent.iloc[0]}]
    else:
        values = dict(_by_subject(observations))
        rows = [row for subject in values for row in _rows(subject, values, seed)]
    table = with_kinds(pd.DataFrame(rows), model, kinds).assign(**everywhere).reindex(columns=COLUMNS)
    return table.astype({"layer": "Int64", "step": "Int64", "n": "Int64"})


def _rows(subject: Subject, values: Mapping[Subject, pd.Series], seed: int) -> Iterator[dict[str, Any]]:
    """What is measured of a subject in every task, and on the mean over tasks."""
    own, reference = values[subject], _reference(subject)
    compared = values.get(reference) if reference else None
    difference = pd.Series() if compared is None else (own - compared.reindex(own.index)).dropna()
    names = dict(zip(SUBJECT, subject, strict=True))
    answers = subject[0] == ACCURACY
    of_demonstration = subject[0] == INCREMENT and subject[3] is not None
    if not of_demonstration:
        differences = dict(difference.groupby(level="task").mean()) if len(difference) else {}
        for task, of_task in own.groupby(level="task", sort=False):
            told = {"n": len(of_task), "value": of_task.mean(), "difference": differences.get(task)}
            yield {"task": task, **names, **told}
    row = {"task": ALL, **names, "n": len(own), **mean_in_columns(VALUE, own, seed, ANSWERS if answers else None)}
    if len(difference):
        row |= mean_in_columns(DIFFERENCE, difference, seed, DIFFERENCES if answers else None)
    yield row


def rows_of(
    table: pd.DataFrame, measure: str, of: str, step: int | None = None, states: str | None = None
) -> pd.DataFrame:
    """The rows of one subject: of every task, and of the mean over tasks."""
    rows = table[(table["measure"] == measure) & (table["of"] == of)]
    rows = rows[rows["step"].isna() if step is None else rows["step"] == step]
    return rows[rows["states"].isna() if states is None else rows["states"] == states]


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
