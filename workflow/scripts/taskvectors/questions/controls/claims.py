"""Claims on what does the same as θ."""

from collections.abc import Mapping

import pandas as pd

from taskvectors.observations.claims import ROUNDING, Claim, Finding, Judged, judged, share_of_tasks
from taskvectors.observations.rows import Tables, able_tasks, main_tasks

# Episodes a task. Of fewer, a sign test tells nothing even if θ gets all right and a control gets all wrong.
TELLING = 6
OTHER_TASKS = "other_theta"
SHARE = "share of tasks above the floor in which {}; the upper bound counts tasks in which that is open"
CLAIMS = {
    "no_control": Claim(
        "Nothing simpler does the same.", SHARE.format("no control but θ of another task reaches θ"), "controls", 0.75
    ),
    "specific": Claim(
        "θ is of its task: θ of no other task of the family does the same.",
        SHARE.format("θ of no other task of the family reaches θ"),
        "controls",
        0.75,
    ),
}


def claims(tables: Tables, labels: Mapping[str, str]) -> Judged:
    """θ of a close relative is no simpler than θ, so it has a claim of its own. A task below the floor is no case:
    there nothing does the task."""
    controls, able = main_tasks(tables["controls"]), able_tasks(tables["layer_choice"])
    of_able = controls[controls["task"].isin(able)]
    other = of_able["control"] == OTHER_TASKS
    findings = {"no_control": beyond(of_able[~other]), "specific": beyond(of_able[other]) if other.any() else None}
    return judged(CLAIMS, findings)


def beyond(controls: pd.DataFrame) -> Finding:
    """The share of tasks in which no control reaches θ: surely, and with those in which it is open.

    A task counts surely if θ is above every control, the interval of each difference above zero. All must be, so no
    correction for their number is due (an intersection–union test: Berger 1982). A task does not count if one
    difference lies at zero or below.
    """
    by_task = controls["task"]
    beaten = (controls["difference_low"] > ROUNDING).groupby(by_task, sort=False).all()
    reached = (controls["difference_high"] <= ROUNDING).groupby(by_task, sort=False).any()
    enough = len(controls) > 0 and bool(controls["n"].min() >= TELLING)
    return share_of_tasks(beaten, ~beaten & ~reached, enough)
