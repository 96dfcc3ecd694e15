"""Rungs of the ladder by task and on means over tasks, and the lowest rung that is enough for a task."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from taskvectors.names import ACCURACY, DIVERGENCE, KEY, MAIN, THETA
from taskvectors.observations.intervals import ANSWERS, CONFIDENCE, DIFFERENCES, NUMBERS, RESAMPLES, Bounds
from taskvectors.observations.rows import Kinds, with_kinds
from taskvectors.observations.summaries import paired, summarized, with_bounds
from taskvectors.questions.ladder.names import (
    CONSTANT,
    ELSEWHERE,
    FULL,
    MAP,
    NEAR,
    NONE,
    REGULAR,
    SHUFFLED,
    STATE,
)

COMPARED = {
    "to_theta": THETA,
    "to_constant": CONSTANT,
    "to_state": STATE,
    "to_shuffled": SHUFFLED,
    "to_regular": REGULAR,
}
COLUMNS = [*KEY, "layer", "rung", "rank", "n", *with_bounds("accuracy", "divergence", *COMPARED), "left_out"]
ROUNDING = 1e-9

Rung = tuple[str, int | None]
ByRung = Mapping[Rung, pd.Series]  # with task and episode in the index


def ladder(
    observations: pd.DataFrame,
    regular: pd.Series,
    model: str,
    kinds: Kinds,
    layer: int,
    able: Collection[str],
    seed: int,
) -> pd.DataFrame:
    """The study's table `ladder.csv`: accuracy, divergence and paired differences of accuracy of every rung.

    Args:
        observations: as `taskvectors.questions.ladder.measure` returns them.
        regular: whether the answer with demonstrations is right, by task and episode.
        layer: the common layer.
        able: tasks above the floor.
        seed: of the bootstrap.
    """
    answers, distances = (by_rung(observations, measure) for measure in (ACCURACY, DIVERGENCE))
    answers = dict(answers)
    if answers:
        tested = pd.concat([*answers.values()]).index.unique()
        answers[REGULAR, None] = regular.reindex(tested).dropna()
    main = [task for task, kind in kinds.items() if kind["role"] == MAIN]
    tables = []
    for (rung, rank), correct in answers.items():
        table = summarized(correct, "accuracy", ANSWERS, seed, main, able)
        added: dict[str, tuple[pd.Series | None, Bounds]] = {"divergence": (distances.get((rung, rank)), NUMBERS)}
        for column, other in COMPARED.items():
            reference = answers.get((other, None))
            if reference is not None and other != rung:
                added[column] = (paired(correct, reference), DIFFERENCES)
        for column, (values, between) in added.items():
            if values is not None and len(values):
                rows = summarized(values, column, between, seed, main, able)
                table = table.merge(rows.drop(columns="n"), "left", "task")
        tables.append(table.assign(rung=rung, rank=rank))
    reasons = observations[observations["left_out"].notna()]
    without = reasons.rename(columns={"subject": "rung", "step": "rank"}).assign(n=0)
    tables.append(without[["task", "rung", "rank", "n", "left_out"]])
    table = pd.concat([one for one in tables if len(one)] or tables, ignore_index=True)
    table = table.astype({"rank": "Int64"})
    return with_kinds(table, model, kinds).assign(layer=layer).reindex(columns=COLUMNS)


def by_rung(observations: pd.DataFrame, measure: str) -> ByRung:
    """The values of a measure of every rung and rank."""
    there = observations[(observations["measure"] == measure) & observations["left_out"].isna()]
    return {
        (str(rung), None if pd.isna(rank) else int(rank)): rows.set_index(["task", "episode"])["value"].astype(float)
        for (rung, rank), rows in there.groupby(["subject", "step"], sort=False, dropna=False)
    }


def ranks(observations: pd.DataFrame, regular: pd.Series, model: str, kinds: Kinds, seed: int) -> pd.DataFrame:
    """The study's table `ranks.csv`: of every task the lowest rung whose accuracy is within `NEAR` of that of the
    state itself, with the 95% interval of the percentile bootstrap over episodes.

    A constant is rank 0, the full map comes after all ranks; `none` where no map is enough; `elsewhere` where the
    state itself is further than that below the demonstrations: what they do does not pass through it. Of a task's n
    episodes n − 1 are drawn (Rao and Wu 1988). Tasks without a constant and a full map are left out.
    """
    answers = dict(by_rung(observations, ACCURACY))
    mapped = sorted((at for at in answers if at[0] == MAP), key=lambda at: at[1] or 0)
    rungs: list[Rung] = [(CONSTANT, None), *mapped, (FULL, None)]
    names = [*(f"{rank or 0}" for _, rank in rungs[:-1]), "full", NONE, ELSEWHERE]
    rows = []
    if {(CONSTANT, None), (FULL, None), (STATE, None)} <= set(answers):
        wide = pd.DataFrame({name: answers[at] for name, at in zip(names, rungs, strict=False)})
        wide = wide.assign(state=answers[STATE, None], regular=regular.reindex(wide.index)).dropna(
            subset=["0", "full", "state", "regular"]
        )
        for task, own in wide.groupby(level="task", sort=False):
            rows.append({"task": task, "n": len(own), **lowest_enough(own, names, seed)})
    columns = ["task", "n", "state", "regular", *with_bounds("rank")]
    return with_kinds(pd.DataFrame(rows, columns=columns), model, kinds)


def lowest_enough(own: pd.DataFrame, names: Sequence[str], seed: int) -> dict[str, Any]:
    """The lowest rung that is enough for one task, with its interval.

    Args:
        own: accuracy of every episode, columns of rungs, `state` and `regular`.
        names: of rungs, in order, then of what is beyond them.
    """
    there = [name for name in names if name in own and own[name].notna().all()]
    values = own[[*there, "state", "regular"]].to_numpy(dtype=float)
    drawn = np.random.default_rng(seed).integers(len(own), size=(RESAMPLES, max(len(own) - 1, 1)))

    def place(some: np.ndarray) -> int:
        *of_rungs, state, regular = some.mean(axis=0)
        if state < regular - NEAR - ROUNDING:
            return names.index(ELSEWHERE)
        enough = [name for name, value in zip(there, of_rungs, strict=True) if value >= state - NEAR - ROUNDING]
        return names.index(enough[0] if enough else NONE)

    tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    low, high = np.quantile([place(values[some]) for some in drawn], tails, method="inverted_cdf")
    bounds = (names[at] for at in (place(values), int(low), int(high)))
    means = {"state": own["state"].mean(), "regular": own["regular"].mean()}
    return means | dict(zip(with_bounds("rank"), bounds, strict=True))
