"""Claims on the layers of θ."""

from collections.abc import Mapping

import pandas as pd

from taskvectors.observations.claims import Claim, Finding, Judged, difference, judged, negated, share_of_tasks
from taskvectors.observations.rows import Tables, main_tasks

MIDDLE = (0.25, 0.75)  # relative depth
CLAIMS = {
    "one_layer": Claim(
        "One layer serves all tasks.", "common layer − layer per task, mean over tasks", "differences", -0.05
    ),
    "middle": Claim(
        f"θ is in the middle of the network: between {MIDDLE[0]:.0%} and {MIDDLE[1]:.0%} of its depth.",
        "share of the tasks with a layer of their own that have it there",
        "layer_choice",
        0.75,
    ),
}


def claims(tables: Tables, labels: Mapping[str, str]) -> Judged:
    common = difference(tables["differences"], "hypothesis_common")
    findings = {
        "one_layer": None if common is None else negated(common),
        "middle": in_the_middle(tables["layer_choice"], tables["layer_sweep"]),
    }
    return judged(CLAIMS, findings)


def in_the_middle(choice: pd.DataFrame, sweep: pd.DataFrame) -> Finding:
    main = main_tasks(choice)
    depth = (main.loc[main["own"], "layer"] + 1) / (sweep["layer"].max() + 1)
    return share_of_tasks(depth.between(*MIDDLE))
