"""Numbers and tables on how much of the query must be seen."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from taskvectors.names import ABLE, ALL, MAIN
from taskvectors.observations.rows import Tables, able_tasks
from taskvectors.questions.ladder.names import (
    CONSTANT,
    CONTROLS,
    FULL,
    NEAR,
    OFFSET,
    REGULAR,
    RUNGS,
    STATE,
)
from taskvectors.report.cells import Config, decimal, in_points, labelled, model_labels, takes, with_interval

ACCURACIES = {"accuracy of the state": "state", "with demonstrations": "regular"}
TAKES = "takes"  # column: what a task takes


def numbers(tables: Tables, config: Config) -> Mapping[str, Any]:
    table = tables["ladder"]
    return {
        "near": decimal(NEAR),
        "models": [
            {"label": config["models"][model]["label"], **_of_model(rows, ranks_of(tables, model), config)}
            for model, rows in table.groupby("model", sort=False)
        ],
    }


def ranks_of(tables: Tables, model: str) -> pd.DataFrame:
    """The ranks that tasks need, of those that a model can do."""
    able = able_tasks(tables["layer_choice"].query("model == @model"))
    ranks = tables["ranks"]
    own = ranks[(ranks["model"] == model) & ranks["task"].isin(able)]
    return own.assign(**{TAKES: takes(own)})


def _of_model(rows: pd.DataFrame, ranks: pd.DataFrame, config: Config) -> dict[str, Any]:
    """Means over the tasks above the floor, and which tasks take what."""
    mean = ABLE if (rows["task"] == ABLE).any() else ALL
    at = rows[(rows["task"] == mean) & (rows["n"] > 0)].set_index("rung")
    named = {"constant": CONSTANT, "offset": OFFSET, "full": FULL, "state": STATE, "regular": REGULAR}
    labels = {name: entry["label"] for name, entry in config["tasks"].items()}
    groups = {
        kind: {
            taken: [labels[task] for task in of_kind["task"]]
            for taken, of_kind in ranks[(ranks["role"] == MAIN) == main].groupby(TAKES, sort=False)
        }
        for kind, main in (("main", True), ("limits", False))
    }
    return {name: at.loc[rung] if rung in at.index else None for name, rung in named.items()} | groups


def ladder_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Every rung, mean over the tasks above the floor; of a model without such tasks over all."""
    table = tables["ladder"]
    has = table.groupby("model")["task"].transform(lambda tasks: (tasks == ABLE).any())
    rows = table[(table["task"] == ABLE) | (~has.astype(bool) & (table["task"] == ALL))]
    words = RUNGS | {name: f"control: {label}" for name, label in CONTROLS.items()}
    rung = [
        f"{words[name]}{'' if pd.isna(rank) else f' {int(rank)}'}"
        for name, rank in zip(rows["rung"], rows["rank"], strict=True)
    ]
    return pd.DataFrame(
        {
            "model": model_labels(rows, config),
            "in the place of the query's state": rung,
            "accuracy": with_interval(rows),
            "divergence, bits": [
                "–" if missing else cell
                for missing, cell in zip(rows["divergence"].isna(), with_interval(rows, "divergence"), strict=True)
            ],
            "to the state, points": [in_points(row, "to_state") for _, row in rows.iterrows()],
        }
    )


def ranks_table(tables: Tables, config: Config) -> pd.DataFrame:
    """The rank that every task needs, of those that the model can do."""
    parts = [ranks_of(tables, model) for model in dict.fromkeys(tables["ranks"]["model"])]
    ranks = pd.concat(parts) if parts else tables["ranks"]
    cells = ranks.assign(
        **{name: ranks[column].map("{:.2f}".format) for name, column in ACCURACIES.items()},
        needed=[f"{row['rank']} [{row['rank_low']}, {row['rank_high']}]" for _, row in ranks.iterrows()],
    )
    return labelled(cells[["model", "task", "n", *ACCURACIES, "needed"]], config)


TABLES = {"ladder": ladder_table, "ranks": ranks_table}
