"""Claims on the layers of θ."""

from collections.abc import Mapping

import pandas as pd

from taskvectors.observations.claims import (
    ABLE_TASKS,
    Claim,
    Finding,
    Judged,
    judged,
    mean_difference,
    negated,
    only_if,
    share_of_tasks,
    theta_does_something,
)
from taskvectors.observations.rows import Tables, main_tasks

MIDDLE = (0.25, 0.75)  # relative depth
CLAIMS = {
    "one_layer": Claim(
        "One layer serves all tasks.",
        "common layer − layer per task, mean over tasks",
        "differences",
        -0.05,
        over=ABLE_TASKS,
    ),
    "middle": Claim(
        f"θ is in the middle of the network: between {MIDDLE[0]:.0%} and {MIDDLE[1]:.0%} of its depth.",
        "share of the tasks with a layer of their own that have it there",
        "layer_choice",
        0.75,
        no_effect=MIDDLE[1] - MIDDLE[0],  # the share of layers drawn at random
    ),
}


def claims(tables: Tables, labels: Mapping[str, str]) -> Judged:
    common = mean_difference(tables, "hypothesis_common", ABLE_TASKS)
    findings = {
        "one_layer": None if common is None else only_if(theta_does_something(tables), negated(common)),
        "middle": in_the_middle(tables["layer_choice"], tables["layer_sweep"]),
    }
    return judged(CLAIMS, findings)


def in_the_middle(choice: pd.DataFrame, sweep: pd.DataFrame) -> Finding:
    main = main_tasks(choice)
    depth = (main.loc[main["own"], "layer"] + 1) / (sweep["layer"].max() + 1)
    return share_of_tasks(depth.between(*MIDDLE))
