"""Tasks that one vector may not hold: answers with demonstrations and with θ."""

from collections.abc import Collection, Iterable

import pandas as pd

from taskvectors.names import KEY, LIMIT, MEANS, THETA
from taskvectors.observations.intervals import ANSWERS, DIFFERENCES
from taskvectors.observations.rows import Kinds, with_kinds
from taskvectors.observations.summaries import by_episode, paired, shares, summarized, with_bounds
from taskvectors.questions.limits.names import ADDED, CONTROL_OF, REGULAR


def limits(chosen: pd.DataFrame, bijections: Iterable[str], long: Iterable[str] = ()) -> pd.DataFrame:
    """Regular and hypothesis where one vector may not suffice: the study's table `limits.csv`.

    Outcomes: `right`; for bijections `wrong_direction`, the right item in the wrong form: the answer is the query
    itself; for lists as answers `first_part`, the first item alone is right, whatever follows.

    Args:
        chosen: test answers of every method.
        bijections: tasks that have two directions.
        long: tasks whose answers are compared by several tokens.
    """
    of_limits = chosen[chosen["role"] == LIMIT]
    queries = of_limits[of_limits["method"] == "copy_query"].set_index(["task", "episode"])["predicted"].str.strip()
    rows = of_limits[of_limits["method"].isin(["regular", "hypothesis"])]
    right = rows.assign(outcome="right")
    turned = rows[rows["task"].isin(list(bijections))].assign(outcome="wrong_direction")
    keys = pd.MultiIndex.from_frame(turned[["task", "episode"]])
    turned["correct"] = turned["predicted"].str.strip().to_numpy() == queries.reindex(keys).to_numpy()
    begun = rows[rows["task"].isin(list(long))].assign(outcome="first_part")
    begun["correct"] = first_part(begun["predicted"]) == first_part(begun["answer"])
    table = shares(pd.concat([right, turned, begun]), [*KEY, "method", "outcome", "layer"], "share")
    return table.astype({"layer": "Int64"})


def first_part(answers: pd.Series) -> pd.Series:
    """What stands before the first comma."""
    return answers.astype(str).str.split(",").str[0].str.strip()


COMPARED = {"to_theta": THETA, "to_added": ADDED, "to_regular": REGULAR}
COLUMNS = [*KEY, "method", "n", *with_bounds("accuracy", *COMPARED, "to_copies"), "left_out"]


def several(
    observations: pd.DataFrame, regular: pd.Series, model: str, kinds: Kinds, able: Collection[str], seed: int
) -> pd.DataFrame:
    """The study's table `several.csv`: several vectors in the demonstrations' place, by task and on the mean over
    tasks of limits.

    `to_copies` is the paired difference to as many copies of one.

    Args:
        observations: as `taskvectors.questions.limits.measure` returns them.
        regular: whether the answer with demonstrations is right, by task and episode.
        able: tasks above the floor.
        seed: of the bootstrap.
    """
    there = observations[observations["left_out"].isna()]
    answers = {str(name): by_episode(rows, "value") for name, rows in there.groupby("subject", sort=False)}
    if answers:
        tested = pd.concat(list(answers.values())).index.unique()
        answers[REGULAR] = regular.reindex(tested).dropna()
    tables = [pd.DataFrame(columns=["task"])]
    for method, correct in answers.items():
        references = {column: other for column, other in COMPARED.items() if other != method}
        references |= {"to_copies": CONTROL_OF[method]} if method in CONTROL_OF else {}
        table = summarized(correct, "accuracy", ANSWERS, seed, able=able)
        for column, reference in references.items():
            difference = paired(correct, answers[reference]) if reference in answers else pd.Series(dtype=float)
            if len(difference):
                rows = summarized(difference, column, DIFFERENCES, seed, able=able)
                table = table.merge(rows.drop(columns="n"), "left", "task")
        tables.append(table.assign(method=method))
    without = observations[observations["left_out"].notna()].rename(columns={"subject": "method"}).assign(n=0)
    tables.append(without[["task", "method", "n", "left_out"]])
    table = pd.concat([one for one in tables if len(one)] or tables, ignore_index=True)
    table = with_kinds(table, model, kinds).reindex(columns=COLUMNS)
    return table.assign(role=table["role"].where(~table["task"].isin(MEANS), LIMIT))  # of limits alone
