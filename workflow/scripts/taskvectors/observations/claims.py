"""A claim with its threshold, and the finding that decides it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pandas as pd

from taskvectors.names import ALL
from taskvectors.observations.intervals import wilson
from taskvectors.observations.rows import Tables, at_chosen_layer, main_tasks

SHOWN, REFUTED, UNDECIDED, NO_BASIS = "shown", "not shown", "undecided", "no basis"


@dataclass(frozen=True)
class Claim:
    """A claim, how it is measured, in which table, and the threshold from which it counts as shown."""

    statement: str
    measure: str
    table: str
    threshold: float


@dataclass(frozen=True)
class Finding:
    """A measured value; the claim holds if it reaches the threshold. An interval where there is one."""

    value: float
    n: int
    low: float = np.nan
    high: float = np.nan
    basis: bool = True

    def verdict(self, threshold: float) -> str:
        """Shown if the whole interval reaches the threshold, not shown if none of it does, else undecided."""
        if not self.basis or np.isnan(self.value):
            return NO_BASIS
        low, high = (self.value, self.value) if np.isnan(self.low) else (self.low, self.high)
        return SHOWN if low >= threshold else REFUTED if high < threshold else UNDECIDED


Judged = Iterator[tuple[str, Claim, Finding]]  # a claim's name, the claim, and its finding


class Claims(Protocol):
    """`claims.py` of a question."""

    def claims(self, tables: Tables, labels: Mapping[str, str]) -> Judged:
        """Its claims, judged on the tables of one model. A claim whose table an archive lacks is left out.

        Args:
            tables: by name.
            labels: of tasks.
        """


def finding_of(row: pd.Series, column: str, basis: bool = True) -> Finding:
    """A value of a table's row with its interval.

    Without an interval, or with one of no width, which would show anything, there is no basis.
    """
    low, high = row[f"{column}_low"], row[f"{column}_high"]
    return Finding(row[column], int(row["n"]), low, high, basis and bool(low < high))


def negated(finding: Finding) -> Finding:
    """The same difference, from the other side."""
    return Finding(0 - finding.value, finding.n, 0 - finding.high, 0 - finding.low, finding.basis)


def several(table: pd.DataFrame) -> bool:
    """Whether every task has several episodes: a single one has no interval."""
    of_tasks = table[(table["task"] != ALL) & (table["n"] > 0)]
    return len(of_tasks) > 0 and of_tasks["n"].min() > 1


def least(findings: Sequence[Finding], threshold: float) -> Finding:
    """Of findings that must all reach a threshold the one that decides.

    Not shown if one is not, else shown if all are. Without a basis if one has none: what is not compared with a
    control may be nothing but that control.
    """
    if not all(finding.basis for finding in findings):
        return replace(findings[0], basis=False)
    nearest = min(findings, key=lambda finding: finding.high)
    return nearest if nearest.high < threshold else min(findings, key=lambda finding: finding.low)


def share_of_tasks(hits: pd.Series, basis: bool = True) -> Finding:
    """A share of tasks. They are the tasks of the study, not a sample of tasks, so it has no interval."""
    return Finding(hits.mean(), len(hits), basis=basis)


def difference(differences: pd.DataFrame, reference: str, task: str = ALL, basis: bool = True) -> Finding | None:
    """Hypothesis − reference in `differences.csv`; None if the study has no such row."""
    of_reference = differences[differences["reference"] == reference]
    rows = of_reference[of_reference["task"] == task]
    if rows.empty:
        return None
    # A single episode tells nothing beyond itself.
    enough = rows["n"].iloc[0] > 1 if task != ALL else several(main_tasks(of_reference[of_reference["task"] != ALL]))
    return finding_of(rows.iloc[0], "difference", basis and enough)


def pooled(table: pd.DataFrame, task: str, column: str, choice: pd.DataFrame, layer: str) -> Finding | None:
    """A share over the episodes of all pairs, with Wilson's interval; None without pairs.

    Args:
        task: the column that names the task of θ; each pair counts at the layer that `choice` has for it.
        column: the share.
        layer: the column of `choice`, `layer_choice.csv`.
    """
    chosen = at_chosen_layer(table, choice, task, layer)
    if chosen.empty:
        return None
    n, hits = int(chosen["n"].sum()), round(float((chosen[column] * chosen["n"]).sum()))
    return Finding(hits / n, n, *wilson(hits, n))


def judged(claims: Mapping[str, Claim], findings: Mapping[str, Finding | None]) -> Judged:
    """Claims with their findings, without those that the study has no numbers for."""
    for name, finding in findings.items():
        if finding is not None:
            yield name, claims[name], finding
