"""Rows of a table, of main tasks or at a chosen layer; and the columns in front of them."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from taskvectors.names import ALL, CENTRED, KEY, LIMIT, MAIN, MEANS, SCALED

Tables = Mapping[str, pd.DataFrame]  # of all models together, by name; on the page published ones are `paper/<name>`
Kinds = Mapping[str, Mapping[str, str]]  # family and role of every task


def main_tasks(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of main tasks; all rows if there are none."""
    main = table[table["role"] != LIMIT]
    return main if len(main) else table


def able_tasks(choice: pd.DataFrame) -> list[str]:
    """The tasks above the floor: with demonstrations the model does them on dev episodes (`layer_choice.csv`)."""
    return list(choice.loc[choice["able"].astype(bool), "task"])


def with_kinds(table: pd.DataFrame, model: str, kinds: Kinds) -> pd.DataFrame:
    """The table with model, family, role and task in front; rows over all tasks have no family of their own."""
    named = {
        kind: table["task"].map(dict.fromkeys(MEANS, over_all) | {task: names[kind] for task, names in kinds.items()})
        for kind, over_all in {"family": ALL, "role": MAIN}.items()
    }
    columns = [*KEY, *(column for column in table if column not in (*KEY, "task"))]
    return table.assign(model=model, **named)[columns]


def kinds_in(table: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Family and role of the tasks of a table."""
    return table.drop_duplicates("task").set_index("task")[["family", "role"]].to_dict("index")


def with_head(table: pd.DataFrame, row: Any) -> pd.DataFrame:
    """The table with model, family, role and task of a row of `layer_choice.csv` in front."""
    return pd.DataFrame({name: getattr(row, name) for name in KEY}, index=table.index).join(table)


def in_order(table: pd.DataFrame, tasks: Iterable[str]) -> pd.DataFrame:
    """The rows in the order of their tasks, other tasks last."""
    place = {task: number for number, task in enumerate(tasks)}
    return table.sort_values("task", key=lambda names: names.map(place).fillna(len(place)), kind="stable")


def at_chosen_layer(
    table: pd.DataFrame, choice: pd.DataFrame, task: str = "task", layer: str = "layer"
) -> pd.DataFrame:
    """The rows at the layer of a task.

    Args:
        choice: `layer_choice.csv`.
        task: the column of the table that names the task.
        layer: the column of `choice`.
    """
    layers = choice.set_index(["model", "task"])[layer]
    wanted = layers.reindex(pd.MultiIndex.from_frame(table[["model", task]])).to_numpy(dtype=float)
    return table[table["layer"].astype("Float64").to_numpy(dtype=float, na_value=np.nan) == wanted]


def clearest(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of centred θ; for a model with a single task, which has none, those of θ itself."""
    has = table.groupby("model")["states"].transform(lambda states: (states == CENTRED).any())
    return table[(table["states"] == CENTRED) | (~has.astype(bool) & (table["states"] != SCALED))]
