"""Claims on θ beside gradient descent."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from taskvectors.names import ALL
from taskvectors.observations.claims import (
    Claim,
    Finding,
    Judged,
    finding_of,
    judged,
    least,
    negated,
    several,
)
from taskvectors.observations.rows import Tables
from taskvectors.questions.gradient.names import (
    ACCURACY,
    CONTROLS_OF,
    DESCENT,
    DIRECTION,
    FEW,
    GRADIENT,
    INCREMENT,
    JUDGED,
    LOSS,
    MIDWAY,
    ORDER,
    OTHER_THETA,
    THETA,
    V0,
)
from taskvectors.questions.gradient.tables import rows_of

AS_MUCH = 0.10  # accuracy: what is lower by no more than this does as much
ALONG = 0.05  # cosine, beyond every control: from here on a vector moves along the gradient
ENOUGH = 6  # episodes beyond the first of each task: with fewer an interval covers too little

CLAIMS = {
    "lowers_loss": Claim(
        "θ lowers the loss that gradient descent on the demonstrations lowers: at least half as far, and further than θ of "
        "another task does.",
        "the smaller of two margins, in nats, mean over tasks: (a) midpoint of the demonstrations' losses at v₀ and at the "
        "lowest of descent − loss at θ; (b) loss at θ of another task − loss at θ",
        "gradient",
        0.0,
        no_effect=-np.inf,  # below the midpoint θ may still lower the loss
    ),
    "along_gradient": Claim(
        "θ moves along the gradient, more than along any control.",
        "cosine of θ − v₀ and −∇ at v₀, both less what tasks share, minus that of the nearest control, or zero; mean over "
        "tasks, the smaller of two metrics: coordinates as they are, and divided by their deviation",
        "gradient",
        ALONG,
    ),
    "increments_along_gradient": Claim(
        "A demonstration moves θ along its own gradient, on average, more than along any control.",
        "cosine of what it adds and −∇ there, both less what tasks share, minus that of the nearest control, or zero; mean "
        "over tasks, the smaller of two metrics: coordinates as they are, and divided by their deviation",
        "gradient",
        ALONG,
    ),
    "few_steps": Claim(
        f"{FEW} steps of gradient descent do as much as θ.",
        f"descent, {FEW} steps − θ, mean over tasks",
        "gradient",
        -AS_MUCH,
    ),
    "order_as_online": Claim(
        "θ depends on the order of demonstrations as online descent would.",
        "cosine of θ's and online descent's distances from their means over orders, minus that of the nearest control, or "
        "zero; mean over tasks",
        "gradient",
        ALONG,
    ),
}


def claims(tables: Tables, labels: Mapping[str, str]) -> Judged:
    """None of a model without numbers."""
    gradient = tables["gradient"] if "gradient" in tables else pd.DataFrame({"n": []})
    measured = gradient[gradient["n"] > 0]
    if measured.empty:
        return judged(CLAIMS, {})
    margins = [
        _finding(rows_of(measured, MIDWAY, THETA), "value"),
        _finding(rows_of(measured, LOSS, OTHER_THETA), "difference"),
    ]
    findings = {
        "lowers_loss": least(margins, 0.0),
        "along_gradient": beyond_every_control(measured, DIRECTION),
        "increments_along_gradient": beyond_every_control(measured, INCREMENT),
        "few_steps": _few_steps(measured),
        "order_as_online": beyond_every_control(measured, ORDER),
    }
    return judged(CLAIMS, findings)


def _few_steps(measured: pd.DataFrame) -> Finding:
    """How much a few steps do beyond θ. Where v₀ does as much as θ, or may, that tells nothing."""
    v0, few = (_finding(rows_of(measured, ACCURACY, *vector), "difference") for vector in ((V0, 0), (DESCENT, FEW)))
    return replace(few, basis=few.basis and v0.basis and v0.high < -AS_MUCH)


def beyond_every_control(measured: pd.DataFrame, measure: str) -> Finding:
    """How far a cosine with the gradient exceeds zero and that with each of its controls: the finding that decides."""
    findings, complete = list[Finding](), True
    for states in JUDGED[measure]:
        subjects = (GRADIENT, *CONTROLS_OF[measure])
        own, *controls = (rows_of(measured, measure, subject, states=states) for subject in subjects)
        # A task whose own cosines are not compared with a control's is compared with nothing.
        compared = [control.dropna(subset="difference") for control in controls]
        complete &= all(set(control["task"]) == set(own["task"]) for control in compared)
        findings += [_finding(own, "value"), *(negated(_finding(control, "difference")) for control in controls)]
    decides = least(findings, ALONG)
    return replace(decides, basis=decides.basis and complete)


def _finding(rows: pd.DataFrame, column: str) -> Finding:
    """The mean over tasks in these rows; without it, or with few episodes, there is no basis."""
    mean, of_tasks = rows[rows["task"] == ALL], rows[rows["task"] != ALL]
    if mean.empty or pd.isna(mean[column].iloc[0]):
        return Finding(np.nan, 0, basis=False)
    enough = several(of_tasks) and int((of_tasks["n"] - 1).sum()) >= ENOUGH
    return finding_of(mean.iloc[0], column, enough)
