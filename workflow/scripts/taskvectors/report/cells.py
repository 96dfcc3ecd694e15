"""Cells of the page's tables and numbers of its sentences: labels, intervals, ranges."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import pandas as pd

from taskvectors.names import ALL
from taskvectors.observations.claims import OPEN

Config = Mapping[str, Any]
MAIN_METHODS = ("baseline", "hypothesis", "regular")
FEW_MODELS = 3  # a sentence names the numbers of so many models one by one; of more it gives the range


def percent(row: pd.Series, value: str = "accuracy") -> str:
    """A share with its interval, such as 52% [49%, 54%]; 52% where there is no interval."""
    written = "{:.0%}".format
    return written(row[value]) + in_brackets(row[f"{value}_low"], row[f"{value}_high"], written)


def in_points(row: pd.Series, value: str = "difference") -> str:
    """A difference with its interval, such as +3 [−1, +7]; +3 where there is no interval, a dash where there is no
    difference."""
    if pd.isna(row[value]):
        return "–"
    return signed_points(row[value]) + in_brackets(row[f"{value}_low"], row[f"{value}_high"], signed_points)


def signed_points(share: float) -> str:
    """Percentage points with a true sign, such as −8."""
    return f"{round(100 * share):+d}".replace("-", "−")


def with_interval(table: pd.DataFrame, value: str = "accuracy", digits: int = 2) -> list[str]:
    """Cells such as 0.52 [0.49, 0.54]; 0.52 where there is no interval."""
    columns = zip(table[value], table[f"{value}_low"], table[f"{value}_high"], strict=True)
    written = partial(decimal, digits=digits)
    return [written(number) + in_brackets(low, high, written) for number, low, high in columns]


def in_brackets(low: float, high: float, written: Callable[[float], str]) -> str:
    """An interval after its value, such as ` [0.49, 0.54]`; nothing where there is none."""
    return "" if pd.isna(low) else f" [{written(low)}, {written(high)}]"


def decimal(number: float, digits: int = 2) -> str:
    """With a true minus sign, and none before a zero."""
    return f"{round(number, digits) + 0.0:.{digits}f}".replace("-", "−")


def how_many(count: int, noun: str) -> str:
    """Such as 1 step, 4 steps."""
    return f"{count} {noun}{'s' * (count != 1)}"


def listed(words: Iterable[str]) -> str:
    """Such as a, b and c."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def span(values: pd.Series) -> str:
    """The lowest and highest of some numbers; a single task, or θ, may have none."""
    there = values.dropna()
    return f"{there.min():.2f}–{there.max():.2f}" if len(there) else "none"


def by_model(values: Mapping[str, float], config: Config, written: Callable[[float], str] = "{:.0%}".format) -> str:
    """A number of every model, such as 51% (Model M) and 74% (Model N); of many models the range."""
    there = {model: value for model, value in values.items() if pd.notna(value)}
    if not there:
        return "–"
    if len(there) == 1:
        return written(next(iter(there.values())))
    if len(there) > FEW_MODELS:
        return f"{written(min(there.values()))} to {written(max(there.values()))}"
    return listed(f"{written(value)} ({config['models'][model]['label']})" for model, value in there.items())


def takes(ranks: pd.DataFrame) -> list[str]:
    """What each task of `ranks.csv` takes: a constant, a map, more than a map (none), or another state (elsewhere);
    open where the interval holds several of these."""
    kinds = {"0": "constant", "none": "none", "elsewhere": "elsewhere"}
    rows = ranks[["rank", "rank_low", "rank_high"]].astype(str).itertuples(index=False)
    found = [{kinds.get(rank, "map") for rank in row} for row in rows]
    return [kind.pop() if len(kind) == 1 else OPEN for kind in found]


def means_of(table: pd.DataFrame) -> pd.DataFrame:
    """The rows over all tasks."""
    return table[table["task"] == ALL]


def model_labels(table: pd.DataFrame, config: Config) -> pd.Series:
    return table["model"].map({name: entry["label"] for name, entry in config["models"].items()})


def distinct_labels(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The label of every model or task, with its name behind it where two have the same label."""
    count = Counter(entry["label"] for entry in entries.values())
    return {
        name: entry["label"] if count[entry["label"]] == 1 else f"{entry['label']} ({name})"
        for name, entry in entries.items()
    }


def models_together(rows: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The rows of each model, in the order that models have in a table."""
    place = {name: number for number, name in enumerate(dict.fromkeys(table["model"]))}
    return rows.sort_values("model", key=lambda names: names.map(place), kind="stable")


def labelled(table: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Models and tasks by their labels, without family and role."""
    tasks = {name: entry["label"] for name, entry in config["tasks"].items()} | {ALL: "all tasks"}
    table = table.drop(columns=["family", "role"], errors="ignore")
    return table.assign(model=model_labels(table, config), task=table["task"].map(tasks))
