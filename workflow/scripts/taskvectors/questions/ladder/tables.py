"""Rungs of the ladder by task and on means over tasks, and the lowest rung that is enough for a task."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from taskvectors.names import ACCURACY, DIVERGENCE, KEY, MAIN, THETA
from taskvectors.observations.intervals import ANSWERS, CONFIDENCE, DIFFERENCES, NUMBERS, RESAMPLES, Bounds
from taskvectors.observations.rows import Kinds, with_kinds
from taskvectors.observations.summaries import paired, summarized, with_bounds
from taskvectors.questions.ladder.names import CONSTANT, FULL, MAP, NEAR, REGULAR, SHUFFLED, STATE

COMPARED = {
    "to_theta": THETA,
    "to_constant": CONSTANT,
    "to_state": STATE,
    "to_shuffled": SHUFFLED,
    "to_regular": REGULAR,
}
COLUMNS = [*KEY, "layer", "rung", "rank", "n", *with_bounds("accuracy", "divergence", *COMPARED), "left_out"]
NONE = "none"  # no rung is enough

Rung = tuple[str, int | None]
ByRung = Mapping[Rung, pd.Series]  # with task and episode in the index


def ladder(
    observations: pd.DataFrame, regular: pd.Series, model: str, kinds: Kinds, able: Collection[str], seed: int
) -> pd.DataFrame:
    """The study's table `ladder.csv`: accuracy, divergence and paired differences of accuracy of every rung.

    Args:
        observations: as `taskvectors.questions.ladder.measure` returns them.
        regular: whether the answer with demonstrations is right, by task and episode.
        able: tasks above the floor.
        seed: of the bootstrap.
    """
    answers, distances = (by_rung(observations, measure) for measure in (ACCURACY, DIVERGENCE))
    tested = pd.concat([*answers.values()]).index.unique() if answers else regular.index[:0]
    answers = dict(answers) | {(REGULAR, None): regular.reindex(tested).dropna()}
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
    table = pd.concat([*tables, without[["task", "rung", "rank", "n", "left_out"]]], ignore_index=True)
    table = table.astype({"rank": "Int64"})
    return with_kinds(table, model, kinds).assign(layer=observations["layer"].iloc[0]).reindex(columns=COLUMNS)


def by_rung(observations: pd.DataFrame, measure: str) -> ByRung:
    """The values of a measure of every rung and rank."""
    there = observations[(observations["measure"] == measure) & observations["left_out"].isna()]
    return {
        (str(rung), None if pd.isna(rank) else int(rank)): rows.set_index(["task", "episode"])["value"].astype(float)
        for (rung, rank), rows in there.groupby(["subject", "step"], sort=False, dropna=False)
    }


def ranks(observations: pd.DataFrame, model: str, kinds: Kinds, seed: int) -> pd.DataFrame:
    """The study's table `ranks.csv`: of every task the lowest rung whose accuracy is within `NEAR` of that of the
    state itself, with the 95% interval of the percentile bootstrap over episodes.

    A constant is rank 0, the full map comes after all ranks; `none` where no map is enough.
    """
    answers = by_rung(observations, ACCURACY)
    rungs = [(CONSTANT, None), *sorted((at for at in answers if at[0] == MAP), key=lambda at: at[1] or 0), (FULL, None)]
    names = [*(f"{rank or 0}" for _, rank in rungs[:-1]), "full", NONE]
    wide = pd.DataFrame({at: answers[at] for at in [*rungs, (STATE, None)] if at in answers})
    rows = []
    for task, own in wide.groupby(level="task", sort=False):
        there = [at for at in rungs if at in own and own[at].notna().all()]
        places = [rungs.index(at) for at in there] + [len(rungs)]
        values, top = own[there].to_numpy(dtype=float), own[(STATE, None)].to_numpy(dtype=float)
        rng = np.random.default_rng(seed)
        drawn = rng.integers(len(own), size=(RESAMPLES, len(own)))
        lowest = [places[first_enough(values[some], top[some])] for some in [np.arange(len(own)), *drawn]]
        low, high = np.quantile(lowest[1:], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], method="inverted_cdf")
        found = dict(zip(with_bounds("rank"), (names[int(place)] for place in (lowest[0], low, high)), strict=True))
        rows.append({"task": task, "n": len(own), "state": top.mean(), **found})
    columns = ["task", "n", "state", *with_bounds("rank")]
    return with_kinds(pd.DataFrame(rows, columns=columns), model, kinds)


def first_enough(values: np.ndarray, top: np.ndarray) -> int:
    """The place of the first rung that is near enough; one beyond the last if none is.

    Args:
        values: `[episode, rung]`.
        top: of the state itself `[episode]`.
    """
    near = values.mean(axis=0) >= top.mean() - NEAR - 1e-9
    return int(near.argmax()) if near.any() else len(near)
