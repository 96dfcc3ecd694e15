"""Recognition or learning, by task and on the mean over tasks."""

from collections.abc import Collection
from itertools import pairwise

import pandas as pd

from taskvectors.names import ACCURACY, KEY, THETA, V0
from taskvectors.observations.intervals import ANSWERS, DIFFERENCES, NUMBERS
from taskvectors.observations.rows import Kinds, with_kinds
from taskvectors.observations.summaries import paired, summarized, with_bounds
from taskvectors.questions.recognition.names import LADDER, SUBJECTS

COLUMNS = [*KEY, "layer", "measure", "subject", "n", *with_bounds("value", "to_theta", "step")]


def recognition(observations: pd.DataFrame, model: str, kinds: Kinds, able: Collection[str], seed: int) -> pd.DataFrame:
    """The study's table `recognition.csv`: every measure of every subject.

    `to_theta` is the paired difference to θ; `step` that to the subject before it in `LADDER`.

    Args:
        observations: as `taskvectors.questions.recognition.measure` returns them.
        able: tasks above the floor.
        seed: of the bootstrap.
    """
    values = {
        (measure, subject): rows.set_index(["task", "episode"])["value"].astype(float)
        for (measure, subject), rows in observations.groupby(["measure", "subject"], sort=False)
    }
    tables = []
    for measure in dict.fromkeys(observations["measure"]):
        for subject in SUBJECTS:
            if (measure, subject) in values:
                tables.append(_rows(values, measure, subject, able, seed).assign(measure=measure, subject=subject))
    table = with_kinds(pd.concat(tables, ignore_index=True), model, kinds)
    return table.assign(layer=observations["layer"].iloc[0]).reindex(columns=COLUMNS)


def _rows(
    values: dict[tuple[str, str], pd.Series], measure: str, subject: str, able: Collection[str], seed: int
) -> pd.DataFrame:
    own = values[measure, subject]
    value, difference = (ANSWERS, DIFFERENCES) if measure == ACCURACY else (NUMBERS, NUMBERS)
    table = summarized(own, "value", value, seed, able=able)
    before = LADDER[LADDER.index(subject) - 1] if subject in LADDER[1:] else None
    for column, other in (("to_theta", LADDER[-1]), ("step", before)):
        if other is not None and other != subject and (measure, other) in values:
            compared = paired(own, values[measure, other])
            if len(compared):
                table = table.merge(
                    summarized(compared, column, difference, seed, able=able).drop(columns="n"), "left", "task"
                )
    return table


def parts_of(means: pd.DataFrame, measure: str) -> dict[str, float]:
    """The share of θ's effect, from v₀ on, that each step of the ladder adds; empty where a step is missing."""
    values = means[means["measure"] == measure].set_index("subject")["value"].to_dict()
    if not set(LADDER) <= set(values) or values[THETA] == values[V0]:
        return {}
    whole = values[THETA] - values[V0]
    return {after: (values[after] - values[before]) / whole for before, after in pairwise(LADDER)}
