"""What the numbers say of θ beside gradient descent: findings for the claims of `taskvectors.analysis.conclusions`."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from taskvectors.analysis.findings import Finding, interval, negated, several
from taskvectors.analysis.gradient_measures import (
    ACCURACY,
    ALONG,
    AS_MUCH,
    CONTROLS_OF,
    DESCENT,
    DIRECTION,
    ENOUGH,
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
from taskvectors.analysis.gradient_tables import rows_of
from taskvectors.names import ALL


def findings_of_gradient(gradient: pd.DataFrame) -> dict[str, Finding]:
    """By claim; none of a table that an archive may lack, or that says why there are no numbers.

    Args:
        gradient: `gradient.csv` of one model.
    """
    measured = gradient[gradient["n"] > 0] if len(gradient) else gradient
    if measured.empty:
        return {}
    losses = [
        _finding(rows_of(measured, MIDWAY, THETA), "value"),
        _finding(rows_of(measured, LOSS, OTHER_THETA), "difference"),
    ]
    return {
        "lowers_loss": least(losses, 0.0),
        "along_gradient": _beyond_controls(measured, DIRECTION),
        "increments_along_gradient": _beyond_controls(measured, INCREMENT),
        "few_steps": _few_steps(measured),
        "order_as_online": _beyond_controls(measured, ORDER),
    }


def _few_steps(measured: pd.DataFrame) -> Finding:
    """How much a few steps do beyond θ; where v₀ does as much as θ, or may, that says nothing."""
    v0, few = (_finding(rows_of(measured, ACCURACY, *of), "difference") for of in ((V0, 0), (DESCENT, FEW)))
    return replace(few, basis=few.basis and v0.basis and v0.high < -AS_MUCH)


def _beyond_controls(measured: pd.DataFrame, measure: str) -> Finding:
    """How far a cosine with the gradient is beyond that with each of its controls, and beyond zero: the finding that decides."""
    own, *controls = (
        rows_of(measured, measure, of, states=JUDGED[measure]) for of in (GRADIENT, *CONTROLS_OF[measure])
    )
    # A task whose own cosines are not compared with a control's is held against nothing.
    compared = [control.dropna(subset="difference") for control in controls]
    complete = all(set(control["task"]) == set(own["task"]) for control in compared)
    differences = [negated(_finding(control, "difference")) for control in controls]
    decides = least([_finding(own, "value"), *differences], ALONG)
    return replace(decides, basis=decides.basis and complete)


def _finding(rows: pd.DataFrame, column: str) -> Finding:
    """The mean over tasks of what has these rows; without them, or with few episodes, there is no basis."""
    mean, of_tasks = rows[rows["task"] == ALL], rows[rows["task"] != ALL]
    if mean.empty or pd.isna(mean[column].iloc[0]):
        return Finding(np.nan, 0, basis=False)
    bounds = "ci" if column == "value" else f"{column}_ci"
    enough = several(of_tasks) and int((of_tasks["n"] - 1).sum()) >= ENOUGH
    return interval(mean.iloc[0], column, enough, bounds)


def least(findings: Sequence[Finding], threshold: float) -> Finding:
    """Of findings that must all reach a threshold the one that decides.

    Not shown if one is not, else shown if all are; without a basis if one is without: what is not compared with a control may be
    nothing but that.
    """
    if not all(finding.basis for finding in findings):
        return replace(findings[0], basis=False)
    nearest = min(findings, key=lambda finding: finding.high)
    return nearest if nearest.high < threshold else min(findings, key=lambda finding: finding.low)
