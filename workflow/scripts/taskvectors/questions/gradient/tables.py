"""θ against gradient descent as a table: means over tasks with intervals, and paired differences."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from taskvectors.names import ALL, KEY
from taskvectors.observations.intervals import ANSWERS, DIFFERENCES, NUMBERS
from taskvectors.observations.rows import Kinds, with_kinds
from taskvectors.observations.summaries import over_tasks, paired, summarized, with_bounds
from taskvectors.questions.gradient.names import ACCURACY, COSINES, GRADIENT, INCREMENT, OF_VECTORS, THETA

MEASURED = ["measure", "subject", "states", "step"]
COLUMNS = [*KEY, "layer", "share", *MEASURED, "n", *with_bounds("value", "difference"), "left_out"]

Measured = tuple[Any, ...]  # a value of each column of MEASURED, None where there is none


def gradient_measures(observations: pd.DataFrame, model: str, kinds: Kinds, seed: int) -> pd.DataFrame:
    """The study's table `gradient.csv`: every measure by task and on the mean over tasks.

    `difference` is paired: a measure of a vector is compared with that of θ, a cosine with that of the demonstrations'
    own gradient. The increment of every demonstration has a row on the mean over tasks, and one for all together.

    Args:
        observations: as `taskvectors.questions.gradient.measure` returns them.
        seed: of the bootstrap.
    """
    constants = {name: observations[name].iloc[0] for name in ("layer", "share")}
    if (absent := observations["left_out"].dropna()).size:
        table = pd.DataFrame([{"task": ALL, "n": 0, "left_out": absent.iloc[0]}])
    else:
        values = dict(_by_measure(observations))
        table = pd.concat([_rows(measured, values, seed) for measured in values], ignore_index=True)
    table = with_kinds(table, model, kinds).assign(**constants).reindex(columns=COLUMNS)
    return table.astype({"layer": "Int64", "step": "Int64", "n": "Int64"})


def _rows(measured: Measured, values: Mapping[Measured, pd.Series], seed: int) -> pd.DataFrame:
    """One measure of one subject in every task, and on the mean over tasks."""
    own, reference = values[measured], _reference(measured)
    value, difference = (ANSWERS, DIFFERENCES) if measured[0] == ACCURACY else (NUMBERS, NUMBERS)
    compared = (
        paired(own, values[reference]) if reference is not None and reference in values else pd.Series(dtype=float)
    )
    if measured[0] == INCREMENT and measured[3] is not None:  # of one demonstration: on the mean over tasks alone
        rows = pd.DataFrame([{"task": ALL} | over_tasks(own, "value", value, seed)])
        if len(compared):
            rows = rows.assign(**over_tasks(compared, "difference", difference, seed) | {"n": len(own)})
    else:
        rows = summarized(own, "value", value, seed)
        if len(compared):
            rows = rows.merge(summarized(compared, "difference", difference, seed).drop(columns="n"), "left", "task")
    return rows.assign(**dict(zip(MEASURED, measured, strict=True)))


def rows_of(
    table: pd.DataFrame, measure: str, subject: str, step: int | None = None, states: str | None = None
) -> pd.DataFrame:
    """The rows of one measure of one subject: of every task, and of the mean over tasks."""
    rows = table[(table["measure"] == measure) & (table["subject"] == subject)]
    rows = rows[rows["step"].isna() if step is None else rows["step"] == step]
    return rows[rows["states"].isna() if states is None else rows["states"] == states]


def _by_measure(observations: pd.DataFrame) -> Iterator[tuple[Measured, pd.Series]]:
    """Every measure of every subject, with a value for each task and episode."""
    for key, rows in observations.groupby(MEASURED, sort=False, dropna=False):
        measured = tuple(None if pd.isna(part) else part for part in key)
        yield measured, rows.set_index(["task", "episode"])["value"].astype(float)
    added = observations[observations["measure"] == INCREMENT]
    for (subject, states), rows in added.groupby(["subject", "states"], sort=False):
        yield (INCREMENT, subject, states, None), rows.groupby(["task", "episode"], sort=False)["value"].mean()


def _reference(measured: Measured) -> Measured | None:
    """What a measure is compared with; None for the reference itself and for all other measures."""
    measure, _, states, step = measured
    reference: Measured | None = None
    if measure in OF_VECTORS:
        reference = (measure, THETA, None, None)
    elif measure in COSINES:
        reference = (measure, GRADIENT, states, step)
    return None if reference == measured else reference
