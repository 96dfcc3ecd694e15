"""A fresh study beside an archived one, table by table."""

import numpy as np
import pandas as pd

EQUAL, WITHIN, DIFFERENT = "equal", "within interval", "different"
ENDS = ("ci_low", "ci_high")
# What plain ci_low and ci_high are the interval of.
SCORES = ("accuracy", "share", "difference", "value", "dev_accuracy")


def compare(fresh: pd.DataFrame, archived: pd.DataFrame) -> tuple[str, str]:
    """The verdict on one table, and a sentence that explains it.

    `equal`: the same rows. `within interval`: the same rows by name, and every fresh value with an interval lies in the archived
    one, or the archived value in the fresh interval. `different`: anything else.
    """
    if fresh.equals(archived):
        return EQUAL, f"{len(fresh)} rows"
    unlike = _unlike(fresh, archived)
    if unlike:
        return DIFFERENT, unlike
    intervals = {value: ends for value, *ends in _intervals(list(fresh))}
    outside = np.zeros(len(fresh), dtype=bool)
    for value, (low, high) in intervals.items():
        inside = _between(fresh[value], archived[low], archived[high]) | _between(
            archived[value], fresh[low], fresh[high]
        )
        outside |= ~(inside | (fresh[value].isna() & archived[value].isna())).to_numpy()
    if outside.any():
        return DIFFERENT, f"{outside.sum()} of {len(fresh)} rows are outside each other's interval"
    return WITHIN, f"{len(fresh)} rows"


def _unlike(fresh: pd.DataFrame, archived: pd.DataFrame) -> str:
    """Why the numbers of two tables cannot be compared by their intervals; empty if they can."""
    if list(fresh) != list(archived):
        return "the columns differ"
    if len(fresh) != len(archived):
        return f"{len(fresh)} rows, archived {len(archived)}"
    names = [column for column in fresh if not pd.api.types.is_numeric_dtype(fresh[column])]
    if not fresh[names].equals(archived[names]):
        return "the rows are not the same"
    if not _intervals(list(fresh)):
        return f"numbers differ by up to {_largest(fresh, archived):.3g}, and none has an interval"
    return ""


def _intervals(columns: list[str]) -> list[tuple[str, str, str]]:
    """Value, lower and upper column of every interval in a table."""
    found = [(c, f"{c}_ci_low", f"{c}_ci_high") for c in columns if f"{c}_ci_low" in columns]
    if set(ENDS) <= set(columns):
        found += [(c, *ENDS) for c in SCORES if c in columns]
    return found


def _between(value: pd.Series, low: pd.Series, high: pd.Series) -> pd.Series:
    return (low <= value) & (value <= high)


def _largest(fresh: pd.DataFrame, archived: pd.DataFrame) -> float:
    numbers = fresh.select_dtypes("number").columns
    return float((fresh[numbers] - archived[numbers]).abs().max().max())
