"""Claims on tasks that one vector may not hold."""

from collections.abc import Mapping

from taskvectors.observations.claims import Claim, Judged, difference
from taskvectors.observations.rows import Tables, able_tasks

HOLDS = "holds_"  # begins the names of these claims


def claims(tables: Tables, labels: Mapping[str, str]) -> Judged:
    """A task has a basis if the model does it with demonstrations beyond chance, on dev episodes."""
    able = able_tasks(tables["layer_choice"])
    for task in dict.fromkeys(tables["limits"]["task"]):
        finding = difference(tables["differences"], "regular", task, basis=task in able)
        if finding is not None:
            claim = Claim(f"One vector holds {labels[task]}.", "hypothesis − regular", "differences", -0.10)
            yield f"{HOLDS}{task}", claim, finding
