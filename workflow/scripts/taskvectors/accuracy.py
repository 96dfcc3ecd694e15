"""The main experiment as tables (paper, section 3): accuracy by layer, layer choice, accuracy by method."""

from collections.abc import Mapping

import pandas as pd

from taskvectors.statistics import accuracy_table
from taskvectors.tables import ALL

KEY = ["model", "family", "task"]


def tidy(predictions: pd.DataFrame, model: str, families: Mapping[str, str]) -> pd.DataFrame:
    """Put model and family in front of the engine's predictions."""
    table = predictions.copy()
    table.insert(0, "family", table["task"].map(families))
    table.insert(0, "model", model)
    return table


def layer_sweep(predictions: pd.DataFrame, model: str, families: Mapping[str, str]) -> pd.DataFrame:
    """Accuracy of the patched model by task, split and layer: the study's table `layer_sweep.csv`."""
    return accuracy_table(tidy(predictions, model, families), [*KEY, "split", "layer"])


def layer_choice(sweep: pd.DataFrame) -> pd.DataFrame:
    """The layer of best dev accuracy, per task (paper, section 3.2) and for all tasks at once.

    Ties go to the lowest layer. Columns: model, family, task, layer, dev_accuracy, common_layer, common_dev_accuracy.
    """
    dev = sweep[sweep["split"] == "dev"]
    best = dev.loc[dev.groupby(KEY, sort=False)["accuracy"].idxmax(), [*KEY, "layer", "accuracy"]]
    choice = best.rename(columns={"accuracy": "dev_accuracy"}).reset_index(drop=True)
    means = dev.groupby("layer")["accuracy"].mean()
    choice["common_layer"] = means.idxmax()
    choice["common_dev_accuracy"] = means.max()
    return choice


def accuracy(predictions: pd.DataFrame, choice: pd.DataFrame) -> pd.DataFrame:
    """Accuracy by method on test episodes: the study's table `accuracy.csv`.

    Methods: `baseline` (no demonstrations, no patch), `regular` (demonstrations), `hypothesis` (θ at the layer chosen on
    dev), `hypothesis_common` (θ at the one layer chosen for all tasks), `hypothesis_oracle` (θ at the layer that is best on
    the test episodes themselves: an upper bound, not a result), `last_layer` (θ after the top block: a control, it cannot
    use the query). Rows of task `all` pool the episodes of all tasks, which is the mean over tasks as all have as many; their Wilson
    interval ignores the stratification and is therefore a little too wide.
    """
    test = predictions[predictions["split"] != "dev"]
    patched = test[test["method"] == "hypothesis"]
    means = patched.groupby(["task", "layer"], sort=False)["correct"].mean().reset_index()
    oracle = means.loc[means.groupby("task", sort=False)["correct"].idxmax()].set_index("task")["layer"]
    tasks = choice.set_index("task")
    layers = {
        "hypothesis": tasks["layer"],
        "hypothesis_common": tasks["common_layer"],
        "hypothesis_oracle": oracle,
        "last_layer": pd.Series(patched["layer"].max(), index=tasks.index),
    }
    methods = [test[test["method"].isin(["baseline", "regular"])]]
    for method, layer in layers.items():
        at_layer = patched[patched["layer"] == patched["task"].map(layer)]
        methods.append(at_layer.assign(method=method))
    chosen = pd.concat(methods, ignore_index=True)
    by_task = accuracy_table(chosen, [*KEY, "method", "layer"])
    pooled = accuracy_table(chosen.assign(family=ALL, task=ALL, layer=pd.NA), [*KEY, "method", "layer"])
    return pd.concat([by_task, pooled], ignore_index=True).astype({"layer": "Int64"})
