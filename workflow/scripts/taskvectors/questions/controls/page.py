"""Numbers and tables on controls."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from taskvectors.names import CONTROLS, METHODS
from taskvectors.observations.rows import Tables, main_tasks
from taskvectors.report.cells import Config, in_points, labelled, means_of, model_labels, with_interval


def numbers(tables: Tables, config: Config) -> Mapping[str, Any]:
    controls = main_tasks(tables["controls"])
    return {
        "models": [_of_model(model, rows, config) for model, rows in controls.groupby("model", sort=False)],
    }


def _of_model(model: str, controls: pd.DataFrame, config: Config) -> dict[str, Any]:
    """Tasks that are no evidence by themselves: a control does as well, or may."""
    by_task = controls.groupby("task", sort=False)
    reached = by_task["reached"].any()
    sure = (controls["reached"] & ~controls["undecided"]).groupby(controls["task"], sort=False).any()
    labels = reached.index.map(lambda task: config["tasks"][task]["label"])
    return {
        "label": config["models"][model]["label"],
        "reached": list(labels[reached & sure]),
        "undecided": list(labels[reached & ~sure]),
    }


def controls_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Every model and task: the hypothesis, each control (θ of another task: the best), and how far the closest is
    below it."""
    controls = tables["controls"]
    best = controls.groupby(["model", "task", "control"], sort=False)["accuracy"].max().unstack("control")
    table = best[[name for name in CONTROLS if name in best]].rename(columns=CONTROLS)
    by_task = controls.groupby(["model", "task"], sort=False)
    table.insert(0, "hypothesis", by_task["hypothesis"].first())
    lowest = controls["difference_low"].fillna(controls["difference"])
    closest = controls.loc[lowest.groupby([controls["model"], controls["task"]]).idxmin()].set_index(["model", "task"])
    table["closest"] = closest["control"].map(CONTROLS)
    table["hypothesis − closest, points"] = [in_points(row) for _, row in closest.loc[table.index].iterrows()]
    sure = controls.assign(sure=controls["reached"] & ~controls["undecided"]).groupby(["model", "task"])["sure"].any()
    reached = by_task["reached"].any()
    table["reached"] = ["†" if reached[key] else "" for key in table.index]
    table["undecided"] = ["?" if reached[key] and not sure[key] else "" for key in table.index]
    return labelled(table.loc[list(by_task.groups)].reset_index(), config)


def divergence_table(tables: Tables, config: Config) -> pd.DataFrame:
    """The distance from the demonstrations' next-token distribution by method, mean over tasks, beside accuracy."""
    divergence, accuracy = means_of(tables["divergence"]), means_of(tables["accuracy"])
    beside = accuracy.set_index(["model", "method"])["accuracy"]
    keys = zip(divergence["model"], divergence["method"], strict=True)
    return pd.DataFrame(
        {
            "model": model_labels(divergence, config),
            "patched in": divergence["method"].map(METHODS),
            "divergence, bits": with_interval(divergence, "divergence"),
            "accuracy": [f"{beside[key]:.2f}" if key in beside else "–" for key in keys],
        }
    )


TABLES = {"divergence": divergence_table, "controls": controls_table}
