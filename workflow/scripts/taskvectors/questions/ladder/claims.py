"""Claims on how much of the query must be seen."""

from collections.abc import Mapping

import pandas as pd

from taskvectors.names import LIMIT
from taskvectors.observations.claims import (
    ABLE_TASKS,
    Claim,
    Finding,
    Judged,
    finding_of,
    judged,
    least,
    only_if,
    over_tasks,
)
from taskvectors.observations.rows import Tables, able_tasks
from taskvectors.questions.ladder.names import CONSTANT, FULL, OFFSET, STATE

NEEDS = "needs_map_"  # begins the names of claims on single tasks
MORE = 0.10
CLAIMS = {
    "state_is_all": Claim(
        "What demonstrations do passes through the last token's state: that state alone, put into the bare query, does as "
        "much.",
        "accuracy with the query's state behind demonstrations − with demonstrations, mean over tasks",
        "ladder",
        -0.10,
        over=ABLE_TASKS,
    ),
    "constant_is_enough": Claim(
        "A constant is enough: the mean state does as much as the query's own state behind demonstrations.",
        "accuracy with the mean state − with the state itself, mean over tasks",
        "ladder",
        -0.10,
        over=ABLE_TASKS,
    ),
    "offset_is_enough": Claim(
        "An offset to the query's own bare state does as much as θ.",
        "accuracy with the offset − with θ of one episode, mean over tasks",
        "ladder",
        -0.10,
        over=ABLE_TASKS,
    ),
    "map_is_enough": Claim(
        "A linear map of the query's bare state does as much as its state behind demonstrations.",
        "accuracy with the map of full rank − with the state itself, mean over tasks",
        "ladder",
        -0.10,
        over=ABLE_TASKS,
    ),
    "map_does_more": Claim(
        "A linear map does more than a constant, and more than a map of shuffled pairs.",
        "the smaller of both differences of accuracy, full rank, mean over tasks",
        "ladder",
        0.05,
        over=ABLE_TASKS,
    ),
}


def claims(tables: Tables, labels: Mapping[str, str]) -> Judged:
    """None in an archive without the table.

    What does as much as a state that does nothing shows nothing: the state must surely do more than the bare query's,
    and for what demonstrations do, so must they.
    """
    if "ladder" not in tables:
        return
    table, choice = tables["ladder"], tables["layer_choice"]

    def mean(rung: str, column: str) -> Finding | None:
        return over_tasks(table[table["rung"] == rung], column, choice, ABLE_TASKS)

    def surely_less(reference: str) -> bool:
        bare = mean("bare", reference)
        return bare is not None and bare.basis and bare.high < -MORE

    does = surely_less("to_state")
    both = [finding for column in ("to_constant", "to_shuffled") if (finding := mean(FULL, column)) is not None]
    findings = {
        "state_is_all": mean(STATE, "to_regular"),
        "constant_is_enough": mean(CONSTANT, "to_state"),
        "offset_is_enough": mean(OFFSET, "to_theta"),
        "map_is_enough": mean(FULL, "to_state"),
        "map_does_more": least(both, 0.05) if len(both) == 2 else None,
    }
    known = {name: None if found is None else only_if(does, found) for name, found in findings.items()}
    whole = findings["state_is_all"]
    known["state_is_all"] = None if whole is None else only_if(surely_less("to_regular"), whole)
    yield from judged(CLAIMS, known)
    yield from of_limits(table, choice, labels)


def of_limits(table: pd.DataFrame, choice: pd.DataFrame, labels: Mapping[str, str]) -> Judged:
    """Of every task that one vector may not hold, whether a map does more than a constant and than a map of shuffled
    pairs. It has a basis if the model does the task with demonstrations beyond chance, on dev episodes."""
    able = able_tasks(choice)
    rows = table[(table["role"] == LIMIT) & (table["rung"] == FULL) & (table["n"] > 0)]
    for _, row in rows.iterrows():
        claim = Claim(
            f"{labels[row['task']]} takes more than a constant: a linear map does more.",
            "the smaller of two differences of accuracy: with the map of full rank − with the mean state, and − with a map of "
            "shuffled pairs",
            "ladder",
            MORE,
        )
        basis = row["task"] in able and row["n"] > 1
        both = [finding_of(row, column, basis) for column in ("to_constant", "to_shuffled") if pd.notna(row[column])]
        if len(both) == 2:
            yield f"{NEEDS}{row['task']}", claim, least(both, MORE)
