"""The claim that nothing simpler does what θ does."""

from collections.abc import Mapping

import pandas as pd

from taskvectors.observations.claims import Claim, Finding, Judged, judged, share_of_tasks
from taskvectors.observations.rows import Tables, main_tasks

# Episodes a task. Of fewer, a sign test tells nothing even if θ gets all right and a control gets all wrong.
TELLING = 6
CLAIMS = {
    "no_control": Claim(
        "Nothing simpler does the same.", "share of tasks in which no control reaches the hypothesis", "controls", 0.75
    ),
}


def claims(tables: Tables, labels: Mapping[str, str]) -> Judged:
    return judged(CLAIMS, {"no_control": beyond_controls(tables["controls"])})


def beyond_controls(controls: pd.DataFrame) -> Finding:
    main = main_tasks(controls)
    enough = len(main) > 0 and bool(main["n"].min() >= TELLING)
    return share_of_tasks(~main.groupby("task")["reached"].any(), enough)
