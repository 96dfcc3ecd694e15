"""Claims on tasks that one vector may not hold."""

from collections.abc import Mapping

import pandas as pd

from taskvectors.observations.claims import Claim, Judged, difference
from taskvectors.observations.rows import Tables

# Regular accuracy from which a task tells something about θ: beyond chance, which is one half for a bijection, whose
# direction can be guessed.
CAN_DO, CAN_DO_BIJECTION = 0.20, 0.60
HOLDS = "holds_"  # begins the names of these claims


def claims(tables: Tables, labels: Mapping[str, str]) -> Judged:
    for task in dict.fromkeys(tables["limits"]["task"]):
        finding = difference(tables["differences"], "regular", task, basis=can_do(tables["limits"], task))
        if finding is not None:
            claim = Claim(f"One vector holds {labels[task]}.", "hypothesis − regular", "differences", -0.10)
            yield f"{HOLDS}{task}", claim, finding


def can_do(limits: pd.DataFrame, task: str) -> bool:
    """Whether demonstrations make the model do a task, beyond chance."""
    regular = limits[(limits["task"] == task) & (limits["method"] == "regular")].set_index("outcome")["share"]
    return regular["right"] >= (CAN_DO_BIJECTION if "wrong_direction" in regular else CAN_DO)
