"""Cells of the report's tables and numbers of its sentences: labels, intervals, ranges."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from taskvectors.analysis.names import ALL

Config = Mapping[str, Any]
METHODS = ("baseline", "hypothesis", "regular")


def percent(row: pd.Series, value: str = "accuracy") -> str:
    """A share with its interval, such as 52% [49%, 54%]; 52% where there is no interval."""
    return f"{row[value]:.0%}" + ("" if pd.isna(row["ci_low"]) else f" [{row['ci_low']:.0%}, {row['ci_high']:.0%}]")


def in_points(row: pd.Series, ci: str = "", value: str = "difference") -> str:
    """A difference with its interval, such as +3 [−1, 7]; a dash if there is none."""
    if pd.isna(row[value]):
        return "–"
    difference, low, high = (
        f"{round(100 * row[name]):+d}".replace("-", "−") for name in (value, f"{ci}ci_low", f"{ci}ci_high")
    )
    return f"{difference} [{low}, {high}]"


def with_interval(table: pd.DataFrame, value: str = "accuracy", ci: str = "ci", digits: int = 2) -> list[str]:
    """Cells such as 0.52 [0.49, 0.54]; 0.52 where there is no interval."""
    columns = zip(table[value], table[f"{ci}_low"], table[f"{ci}_high"], strict=True)
    return [
        decimal(number, digits) + ("" if pd.isna(low) else f" [{decimal(low, digits)}, {decimal(high, digits)}]")
        for number, low, high in columns
    ]


def decimal(number: float, digits: int = 2) -> str:
    """With a true minus sign, and none before a zero."""
    return f"{round(number, digits) + 0.0:.{digits}f}".replace("-", "−")


def how_many(count: int, noun: str) -> str:
    """Such as 1 step, 4 steps."""
    return f"{count} {noun}{'s' * (count != 1)}"


def span(values: pd.Series) -> str:
    """The lowest and highest of some numbers; of a single task, or θ, there may be none."""
    there = values.dropna()
    return f"{there.min():.2f}–{there.max():.2f}" if len(there) else "none"


def range_of(values: pd.Series, key: str, form: str = ".0%") -> str:
    """The lowest and highest of the values under a key, or the one there is."""
    there = values.loc[[key]].dropna()
    low, high = (format(value + 0.0, form).replace("-", "−") for value in (there.min(), there.max()))  # no −0
    return low if low == high else f"{low} to {high}"


def model_labels(table: pd.DataFrame, config: Config) -> pd.Series:
    return table["model"].map({name: entry["label"] for name, entry in config["models"].items()})


def models_together(rows: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The rows of each model, in the order that models have in a table."""
    place = {name: number for number, name in enumerate(dict.fromkeys(table["model"]))}
    return rows.sort_values("model", key=lambda names: names.map(place), kind="stable")


def labelled(table: pd.DataFrame, config: Config) -> pd.DataFrame:
    tasks = {name: entry["label"] for name, entry in config["tasks"].items()} | {ALL: "all tasks"}
    table = table.drop(columns=["family", "role"], errors="ignore")
    return table.assign(model=model_labels(table, config), task=table["task"].map(tasks))
