"""Numbers and the table on what is lost without θ."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from taskvectors.names import THETA, V0
from taskvectors.observations.claims import OPEN, REFUTED, SHOWN, TOO_SMALL
from taskvectors.observations.rows import Tables
from taskvectors.questions.necessity.names import CHANGES, OTHER_PART, RANDOM_PART, REGULAR, TASK_PART, ZERO_SHOT
from taskvectors.report.cells import Config, means_of, model_labels, with_interval

SENTENCES = {
    SHOWN: "θ at the arrow is the channel: without it the demonstrations are lost",
    REFUTED: "θ is not the channel: without it most of what the demonstrations add survives",
    TOO_SMALL: "θ is not the whole channel: without it part of what the demonstrations add survives",
    OPEN: "whether θ at the arrow is the channel is open",
}


def numbers(tables: Tables, config: Config) -> Mapping[str, Any]:
    verdicts = tables["conclusions"].set_index(["model", "claim"])["verdict"]
    means = means_of(tables["necessity"])
    common = tables["layer_choice"].groupby("model", sort=False)["common_layer"].first()
    return {
        "models": [
            _of_model(rows, common[model], verdicts.get((model, "necessary"), ""))
            | {"label": config["models"][model]["label"], "layer": common[model]}
            for model, rows in means.groupby("model", sort=False)
        ]
    }


def _of_model(means: pd.DataFrame, layer: int, verdict: str) -> dict[str, Any]:
    at = means[means["layer"].isna() | (means["layer"] == layer)].set_index("change")
    names = {"regular": REGULAR, "zero_shot": ZERO_SHOT, "v0": V0, "theta": THETA}
    names |= {"task_part": TASK_PART, "other_part": OTHER_PART, "random_part": RANDOM_PART}
    rows = {name: at.loc[change] if change in at.index else None for name, change in names.items()}
    task = rows["task_part"]
    return rows | {
        "random_harms": task is not None and task["to_random_low"] > 0,
        "finding": SENTENCES.get(verdict, "there is no basis for a finding"),
    }


def necessity_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Every change at the common layer, mean over tasks."""
    means = means_of(tables["necessity"])
    common = means["model"].map(tables["layer_choice"].groupby("model")["common_layer"].first())
    rows = means[means["layer"].isna() | (means["layer"] == common)]
    labels = {REGULAR: "nothing", ZERO_SHOT: "no demonstrations"} | CHANGES
    return pd.DataFrame(
        {
            "model": model_labels(rows, config),
            "change": rows["change"].map(labels),
            "layer": rows["layer"].astype("Int64"),
            "accuracy": with_interval(rows),
            "divergence, bits": with_interval(rows, "divergence"),
        }
    )


TABLES = {"necessity": necessity_table}
