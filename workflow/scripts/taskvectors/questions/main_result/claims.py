"""Claims on what θ does beside the bare query, the demonstrations and its mean."""

from collections.abc import Mapping

from taskvectors.observations.claims import Claim, Judged, difference, judged, negated
from taskvectors.observations.rows import Tables

CLAIMS = {
    "vector_does_task": Claim(
        "θ alone makes the model do the tasks.", "hypothesis − zero-shot, mean over tasks", "differences", 0.20
    ),
    "as_demonstrations": Claim(
        "θ does as much as the demonstrations.", "hypothesis − regular, mean over tasks", "differences", -0.10
    ),
    "averaging": Claim(
        "The mean θ of other episodes does no worse than the episode's own.",
        "mean θ − own θ, mean over tasks",
        "differences",
        -0.02,
    ),
}


def claims(tables: Tables, labels: Mapping[str, str]) -> Judged:
    zero_shot, regular, mean_theta = (
        difference(tables["differences"], reference) for reference in ("zero_shot", "regular", "mean_theta")
    )
    findings = {
        "vector_does_task": zero_shot,
        "as_demonstrations": regular,
        "averaging": None if mean_theta is None else negated(mean_theta),
    }
    return judged(CLAIMS, findings)
