"""Claims on what θ does beside the bare query, the demonstrations and its mean."""

from collections.abc import Mapping

from taskvectors.observations.claims import (
    ABLE_TASKS,
    ALL_TASKS,
    Claim,
    Judged,
    judged,
    mean_difference,
    negated,
    only_if,
    theta_does_something,
)
from taskvectors.observations.rows import Tables

CLAIMS = {
    "vector_does_task": Claim(
        "θ alone makes the model do the tasks.", "hypothesis − zero-shot, mean over tasks", "differences", 0.20,
        over=ALL_TASKS,
    ),
    "as_demonstrations": Claim(
        "θ does as much as the demonstrations.", "hypothesis − regular, mean over tasks", "differences", -0.10,
        over=ABLE_TASKS,
    ),
    "averaging": Claim(
        "The mean θ of other episodes does no worse than the episode's own.",
        "mean θ − own θ, mean over tasks",
        "differences",
        -0.02,
        over=ABLE_TASKS,
    ),
    "averaging_beats": Claim(
        "The mean θ of other episodes beats the episode's own.", "mean θ − own θ, mean over tasks", "differences", 0.02,
        over=ALL_TASKS,
    ),
}  # fmt: skip


def claims(tables: Tables, labels: Mapping[str, str]) -> Judged:
    """What does as much is judged above the floor: where nothing does a task, everything does as much."""
    own = {over: mean_difference(tables, "mean_theta", over) for over in (ABLE_TASKS, ALL_TASKS)}
    does = theta_does_something(tables)
    findings = {
        "vector_does_task": mean_difference(tables, "zero_shot", ALL_TASKS),
        "as_demonstrations": mean_difference(tables, "regular", ABLE_TASKS),
        "averaging": None if (finding := own[ABLE_TASKS]) is None else only_if(does, negated(finding)),
        "averaging_beats": None if (finding := own[ALL_TASKS]) is None else negated(finding),
    }
    return judged(CLAIMS, findings)
