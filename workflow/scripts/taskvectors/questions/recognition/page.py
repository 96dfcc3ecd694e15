"""Numbers on recognition and learning."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from taskvectors.names import ACCURACY, LOSS
from taskvectors.observations.rows import Tables
from taskvectors.questions.recognition.names import MEASURES, PARTS, SUBJECTS
from taskvectors.questions.recognition.tables import parts_of
from taskvectors.report.cells import Config, means_of, model_labels, with_interval


def numbers(tables: Tables, config: Config) -> Mapping[str, Any]:
    means = means_of(tables["recognition"])
    return {"models": [_of_model(model, rows, config) for model, rows in means.groupby("model", sort=False)]}


def _of_model(model: str, means: pd.DataFrame, config: Config) -> dict[str, Any]:
    parts = {measure: parts_of(means, measure) for measure in (LOSS, ACCURACY)}
    return {
        "label": config["models"][model]["label"],
        "n": int(means["n"].max()),
        "loss": {PARTS[subject]: f"{share:.0%}" for subject, share in parts[LOSS].items()},
        "accuracy": {PARTS[subject]: f"{share:.0%}" for subject, share in parts[ACCURACY].items()},
    }


def recognition_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Every subject and measure, mean over tasks."""
    means = means_of(tables["recognition"])
    cells = means.assign(cell=with_interval(means, "value"))
    wide = cells.pivot(index=["model", "subject"], columns="measure", values="cell")
    order = [(model, subject) for model in dict.fromkeys(means["model"]) for subject in SUBJECTS]
    wide = wide.loc[[key for key in order if key in wide.index]].reset_index()
    there = [measure for measure in MEASURES if measure in wide]
    table = wide[["model", "subject", *there]].rename(columns=MEASURES)
    return table.assign(model=model_labels(wide, config), subject=wide["subject"].map(SUBJECTS))


TABLES = {"recognition": recognition_table}
