"""A claim with its threshold, and the finding that decides it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pandas as pd

from taskvectors.names import ABLE, ALL, MEANS
from taskvectors.observations.intervals import Estimate, across_groups, combined
from taskvectors.observations.rows import Tables, able_tasks, main_tasks

SHOWN, TOO_SMALL, OPEN, REFUTED, NO_BASIS = "shown", "too small", "open", "refuted", "no basis"
VERDICTS = (SHOWN, TOO_SMALL, OPEN, REFUTED, NO_BASIS)
ROUNDING = 1e-9  # a bound that ends at a threshold up to this gives the same verdict on every machine
UNKNOWN = Estimate()
MARGIN = 0.10  # accuracy: what is lower by no more than this does as much
ALL_TASKS, ABLE_TASKS = "all tasks", "tasks above the floor"  # of a mean over tasks


@dataclass(frozen=True)
class Claim:
    """A claim, how it is measured, in which table, and the threshold from which it counts as shown.

    Attributes:
        no_effect: the value of no effect; a claim whose interval lies below the threshold and not above this is
            refuted.
        over: the tasks of a mean: all, or those above the floor (`layer_choice.csv`, column `able`). Empty for other
            claims.
    """

    statement: str
    measure: str
    table: str
    threshold: float
    no_effect: float = 0.0
    over: str = ""


@dataclass(frozen=True)
class Finding:
    """A measured value; the claim holds if it reaches the threshold. An interval where there is one.

    Attributes:
        beside: of a mean over tasks, the same mean over the other set of tasks.
        across: of a mean over tasks, its interval for tasks like these, not for these tasks alone.
    """

    value: float
    n: int
    low: float = np.nan
    high: float = np.nan
    basis: bool = True
    beside: Estimate = UNKNOWN
    across: Estimate = UNKNOWN

    @property
    def bounds(self) -> tuple[float, float]:
        """The interval; of a value without one, the value itself."""
        return (self.value, self.value) if np.isnan(self.low) else (self.low, self.high)

    def verdict(self, threshold: float, no_effect: float = 0.0) -> str:
        """Shown if the whole interval reaches the threshold, open if it holds the threshold. If all of it is below:
        refuted if it does not exceed the value of no effect, else too small."""
        if not self.basis or np.isnan(self.value):
            return NO_BASIS
        low, high = self.bounds
        if low >= threshold - ROUNDING:
            return SHOWN
        if high >= threshold - ROUNDING:
            return OPEN
        return REFUTED if high <= no_effect + ROUNDING else TOO_SMALL


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
    return replace(
        finding, value=0 - finding.value, low=0 - finding.high, high=0 - finding.low,
        beside=-finding.beside, across=-finding.across,
    )  # fmt: skip


def several(table: pd.DataFrame) -> bool:
    """Whether every task has several episodes: a single one has no interval."""
    of_tasks = table[~table["task"].isin(MEANS) & (table["n"] > 0)]
    return len(of_tasks) > 0 and of_tasks["n"].min() > 1


def least(findings: Sequence[Finding], threshold: float) -> Finding:
    """Of findings that must all reach a threshold the one that decides.

    Below if one is, else shown if all are. Without a basis if one has none: what is not compared with a control may be
    nothing but that control.
    """
    if not all(finding.basis for finding in findings):
        return replace(findings[0], basis=False)
    nearest = min(findings, key=lambda finding: finding.high)
    return nearest if nearest.high < threshold - ROUNDING else min(findings, key=lambda finding: finding.low)


def share_of_tasks(hits: pd.Series, open_too: pd.Series | None = None, basis: bool = True) -> Finding:
    """A share of tasks. They are the tasks of the study, not a sample of tasks, so it has no interval.

    Args:
        hits: whether a task counts, by task.
        open_too: tasks that may count: the share is a range then, without and with these.
    """
    if not len(hits):
        return Finding(np.nan, 0, basis=False)
    least_share = hits.mean()
    if open_too is None or not open_too.any():
        return Finding(least_share, len(hits), basis=basis)
    return Finding(least_share, len(hits), least_share, (hits | open_too).mean(), basis)


def over_tasks(rows: pd.DataFrame, column: str, choice: pd.DataFrame, over: str, basis: bool = True) -> Finding | None:
    """A mean over tasks, over all of them or over those above the floor; the other mean beside it. None without such
    rows.

    Args:
        rows: of one method or comparison, a row for each task and one for each mean.
        column: with its interval.
        choice: `layer_choice.csv`.
        over: ALL_TASKS or ABLE_TASKS.
        basis: whether there is one.
    """
    by_name = rows.set_index("task")
    if ALL not in by_name.index:
        return None
    by_task = main_tasks(rows[~rows["task"].isin(MEANS) & (rows["n"] > 0)])
    able = by_task[by_task["task"].isin(able_tasks(choice))]
    of_all = finding_of(by_name.loc[ALL], column, basis and several(by_task))
    of_able = Finding(np.nan, 0, basis=False)
    if ABLE in by_name.index:
        of_able = finding_of(by_name.loc[ABLE], column, basis and several(able))
    judged_on, finding, other = (by_task, of_all, of_able) if over == ALL_TASKS else (able, of_able, of_all)
    across = across_groups(judged_on[column].to_numpy(dtype=float))
    return replace(finding, beside=Estimate(other.value, other.low, other.high), across=across)


def weighted(rows: pd.DataFrame, column: str, weights: Sequence[float] | None = None) -> Estimate:
    """The weighted mean of rows that are independent, such as those of tasks or pairs; by default all weigh the
    same."""
    estimates = [Estimate(*row) for row in rows[[column, f"{column}_low", f"{column}_high"]].itertuples(index=False)]
    weights = weights or [1.0] * len(estimates)
    return combined(estimates, [weight / sum(weights) for weight in weights]) if estimates else UNKNOWN


def difference(differences: pd.DataFrame, reference: str, task: str, basis: bool = True) -> Finding | None:
    """Hypothesis − reference in one task, from `differences.csv`; None if the study has no such row."""
    rows = differences[(differences["reference"] == reference) & (differences["task"] == task)]
    if rows.empty:
        return None
    # A single episode tells nothing beyond itself.
    return finding_of(rows.iloc[0], "difference", basis and rows["n"].iloc[0] > 1)


def mean_difference(tables: Tables, reference: str, over: str) -> Finding | None:
    """Hypothesis − reference, mean over tasks, from `differences.csv`; None if the study has no such row."""
    differences = tables["differences"]
    return over_tasks(differences[differences["reference"] == reference], "difference", tables["layer_choice"], over)


def only_if(basis: bool, finding: Finding) -> Finding:
    """The finding, without a basis unless there is one."""
    return replace(finding, basis=finding.basis and basis)


def theta_does_something(tables: Tables) -> bool:
    """Whether θ surely beats the bare query by `MARGIN`: to do as much as a θ that does nothing tells nothing."""
    finding = mean_difference(tables, "zero_shot", ALL_TASKS)
    return finding is not None and finding.basis and finding.low > MARGIN


def judged(claims: Mapping[str, Claim], findings: Mapping[str, Finding | None]) -> Judged:
    """Claims with their findings, without those that the study has no numbers for."""
    for name, finding in findings.items():
        if finding is not None:
            yield name, claims[name], finding


def worded(verdicts: Collection[str]) -> list[str]:
    """Such as `3 shown`, `1 open`: how often each verdict occurs, in their order."""
    counts = {verdict: list(verdicts).count(verdict) for verdict in VERDICTS}
    return [f"{count} {verdict}" for verdict, count in counts.items() if count]
