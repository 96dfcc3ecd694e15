"""Rows of tables that are meant: of main tasks, of limits, at a chosen layer; and what stands in front of them."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from taskvectors.names import ALL, CENTRED, KEY, LIMIT, MAIN

Tables = Mapping[str, pd.DataFrame]  # of all models together, by name; in the report published ones are `paper/<name>`


def main_tasks(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of tasks that θ should hold, not of limits; all rows if there are no others."""
    main = table[~is_limit(table)]
    return main if len(main) else table


def is_limit(table: pd.DataFrame) -> pd.Series:
    """Which rows are of limits. Tables of the study's first version have no column `role`; there limits were a family."""
    return table["role"] == LIMIT if "role" in table else table["family"] == "limits"


def with_kinds(table: pd.DataFrame, model: str, kinds: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """The table with model, family, role and task in front; rows over all tasks are of no family of their own.

    Args:
        kinds: of every task its family and role.
    """
    named = {
        kind: table["task"].map({ALL: over_all} | {task: names[kind] for task, names in kinds.items()})
        for kind, over_all in {"family": ALL, "role": MAIN}.items()
    }
    columns = [*KEY, *(column for column in table if column != "task")]
    return table.assign(model=model, **named)[columns]


def with_head(table: pd.DataFrame, row: Any) -> pd.DataFrame:
    """The table with model, family, role and task of a row of `layer_choice.csv` in front."""
    return pd.DataFrame({name: getattr(row, name) for name in KEY}, index=table.index).join(table)


def in_order(table: pd.DataFrame, tasks: Iterable[str]) -> pd.DataFrame:
    """The rows in the order of their tasks, other tasks last, else as they are."""
    place = {task: number for number, task in enumerate(tasks)}
    return table.sort_values("task", key=lambda names: names.map(place).fillna(len(place)), kind="stable")


def at_chosen_layer(table: pd.DataFrame, choice: pd.DataFrame, of: str = "task", layer: str = "layer") -> pd.DataFrame:
    """The rows at the layer that `layer_choice.csv` has, in column `layer`, for the task in column `of` of the same model."""
    layers = choice.set_index(["model", "task"])[layer]
    wanted = layers.reindex(pd.MultiIndex.from_frame(table[["model", of]])).to_numpy(dtype=float)
    return table[table["layer"].astype("Float64").to_numpy(dtype=float, na_value=np.nan) == wanted]


def clearest(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of θ less the mean over tasks; of a model with a single task, which has none, those of θ as it is."""
    has = table.groupby("model")["states"].transform(lambda states: (states == CENTRED).any())
    return table[(table["states"] == CENTRED) | ~has.astype(bool)]
