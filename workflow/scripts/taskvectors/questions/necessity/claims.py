"""Claims on what is lost without θ."""

from collections.abc import Mapping

import pandas as pd

from taskvectors.names import ABLE, V0
from taskvectors.observations.claims import ABLE_TASKS, Claim, Finding, Judged, judged, least, negated, over_tasks
from taskvectors.observations.intervals import Estimate, ratio
from taskvectors.observations.rows import Tables
from taskvectors.questions.necessity.names import TASK_PART, ZERO_SHOT

HALF, MORE = 0.5, 0.10
CLAIMS = {
    "necessary": Claim(
        "Without θ at the arrow the demonstrations are lost: at least half of what they add.",
        "accuracy that is lost with v₀ at the arrow, at the common layer, as a share of what demonstrations add to the bare "
        "query; the smaller of two: beside the unchanged prompt, and beside θ itself in the same place; mean over tasks "
        "above the floor",
        "necessity",
        HALF,
    ),
    "task_part_necessary": Claim(
        "The task's part of the state at the arrow carries the task: without it accuracy is lower than with a random change "
        "of the same length, and than without another task's part.",
        "the smaller of both differences of accuracy, at the common layer, mean over tasks",
        "necessity",
        MORE,
        over=ABLE_TASKS,
    ),
}


def claims(tables: Tables, labels: Mapping[str, str]) -> Judged:
    """None in an archive without the table."""
    if "necessity" not in tables:
        return judged(CLAIMS, {})
    choice, table = tables["layer_choice"], tables["necessity"]
    at_common = table[table["layer"] == choice["common_layer"].iloc[0]]
    part = at_common[at_common["change"] == TASK_PART]
    parts = [over_tasks(part, column, choice, ABLE_TASKS) for column in ("to_random", "to_other")]
    there = [negated(finding) for finding in parts if finding is not None]
    return judged(
        CLAIMS,
        {
            "necessary": lost(table[table["change"] == ZERO_SHOT], at_common[at_common["change"] == V0]),
            "task_part_necessary": least(there, MORE) if there else None,
        },
    )


def lost(bare: pd.DataFrame, without: pd.DataFrame) -> Finding | None:
    """What is lost without θ, as a share of what demonstrations add; the two are treated as independent."""
    added, own = (rows[rows["task"] == ABLE] for rows in (bare, without))
    if added.empty or own.empty:
        return None if without.empty else Finding(float("nan"), 0, basis=False)
    whole = Estimate(*added[["lost", "lost_low", "lost_high"]].iloc[0].astype(float))
    beside_prompt = Estimate(*own[["lost", "lost_low", "lost_high"]].iloc[0].astype(float))
    beside_theta = -Estimate(*own[["to_theta", "to_theta_low", "to_theta_high"]].iloc[0].astype(float))
    shares = [ratio(one, whole) for one in (beside_prompt, beside_theta)]
    n = int(own["n"].iloc[0])
    return least([Finding(s.value, n, s.low, s.high, basis=bool(s.low < s.high)) for s in shares], HALF)
