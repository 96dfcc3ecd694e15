"""A finding: one measured value of the study's tables, and what it says of a claim."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from taskvectors.names import ALL

SHOWN, REFUTED, UNDECIDED, NO_BASIS = "shown", "not shown", "undecided", "no basis"


@dataclass(frozen=True)
class Finding:
    """One measured value, that is at least the threshold if the claim holds; an interval where there is one."""

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


def interval(row: pd.Series, name: str, basis: bool, bounds: str) -> Finding:
    """A value of a table's row with its interval, in columns `<bounds>_low` and `<bounds>_high`.

    Without an interval, or with one that has no width, which would show anything, there is no basis.
    """
    low, high = row[f"{bounds}_low"], row[f"{bounds}_high"]
    return Finding(row[name], int(row["n"]), low, high, basis and bool(low < high))


def negated(finding: Finding) -> Finding:
    """The same difference, from the other side."""
    return Finding(0 - finding.value, finding.n, 0 - finding.high, 0 - finding.low, finding.basis)


def several(table: pd.DataFrame) -> bool:
    """Whether every task has several episodes: of one there is no interval."""
    of_tasks = table[(table["task"] != ALL) & (table["n"] > 0)]
    return len(of_tasks) > 0 and of_tasks["n"].min() > 1
