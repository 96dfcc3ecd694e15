"""Claims on tasks that one vector may not hold."""

from collections.abc import Mapping

from taskvectors.observations.claims import ABLE_TASKS, Claim, Finding, Judged, difference, judged, least, over_tasks
from taskvectors.observations.rows import Tables, able_tasks
from taskvectors.questions.limits.names import PER_ARROW, TWO_LAYERS

CLAIMS = {
    "several_hold_more": Claim(
        "Several vectors hold what one does not: one θ per arrow does more than one θ, and more than as many copies.",
        "the smaller of both differences of accuracy, mean over tasks of limits above the floor",
        "several",
        0.10,
        over=ABLE_TASKS,
    ),
    "two_layers_hold_more": Claim(
        "θ at two layers holds more than at one, and more than copies at both.",
        "the smaller of both differences of accuracy, mean over tasks of limits above the floor",
        "several",
        0.10,
        over=ABLE_TASKS,
    ),
}
HOLDS = "holds_"  # begins the names of these claims


def claims(tables: Tables, labels: Mapping[str, str]) -> Judged:
    """A task has a basis if the model does it with demonstrations beyond chance, on dev episodes."""
    able = able_tasks(tables["layer_choice"])
    for task in dict.fromkeys(tables["limits"]["task"]):
        finding = difference(tables["differences"], "regular", task, basis=task in able)
        if finding is not None:
            claim = Claim(f"One vector holds {labels[task]}.", "hypothesis − regular", "differences", -0.10)
            yield f"{HOLDS}{task}", claim, finding
    if "several" in tables:
        yield from judged(
            CLAIMS,
            {
                "several_hold_more": more(tables, PER_ARROW, "to_theta"),
                "two_layers_hold_more": more(tables, TWO_LAYERS, "to_added"),
            },
        )


def more(tables: Tables, method: str, column: str) -> Finding | None:
    """The smaller of the differences to one vector and to copies."""
    rows = tables["several"].query("method == @method")
    found = [over_tasks(rows, name, tables["layer_choice"], ABLE_TASKS) for name in (column, "to_copies")]
    there = [finding for finding in found if finding is not None]
    return least(there, 0.10) if len(there) == 2 else None
