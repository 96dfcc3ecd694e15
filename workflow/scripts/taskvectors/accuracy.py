"""The main experiment as tables (paper, section 3): accuracy by layer, layer choice, accuracy by method."""

from collections.abc import Mapping

import pandas as pd

from taskvectors.statistics import accuracy_table, mean_over_tasks, paired_differences
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


CONTROLS = ("zero_shot", "majority", "copy_query", "random_theta", "other_theta", "last_layer")


def by_method(predictions: pd.DataFrame, choice: pd.DataFrame) -> pd.DataFrame:
    """Predictions on test episodes, one row an episode and method; for `other_theta` also a source.

    Methods: `baseline` (no demonstrations, no patch), `regular` (demonstrations), `hypothesis` (θ at the layer chosen on
    dev), `hypothesis_common` (θ at the one layer chosen for all tasks), `hypothesis_oracle` (θ at the layer that is best on
    the test episodes themselves: an upper bound, not a result), and the controls: `zero_shot` (the test queries without
    demonstrations or patch), `majority` (the commonest answer of the other episodes), `copy_query`, `random_theta` (a
    random vector of θ's norm) and `other_theta` (θ of another task of the family), both at the chosen layer, and
    `last_layer` (θ after the top block: it cannot use the query).
    """
    test = predictions[predictions["split"] != "dev"]
    patched = test[test["method"] == "hypothesis"]
    means = patched.groupby(["task", "layer"], sort=False)["correct"].mean().reset_index()
    oracle = means.loc[means.groupby("task", sort=False)["correct"].idxmax()].set_index("task")["layer"]
    tasks = choice.set_index("task")
    layers = {
        "hypothesis": ("hypothesis", tasks["layer"]),
        "hypothesis_common": ("hypothesis", tasks["common_layer"]),
        "hypothesis_oracle": ("hypothesis", oracle),
        "last_layer": ("hypothesis", pd.Series(patched["layer"].max(), index=tasks.index)),
        "random_theta": ("random_theta", tasks["layer"]),
        "other_theta": ("other_theta", tasks["layer"]),
    }
    without_layer = ["baseline", "regular", "zero_shot", "majority", "copy_query"]
    methods = [test[test["method"].isin(without_layer)]]
    for method, (swept, layer) in layers.items():
        its = test[test["method"] == swept]
        methods.append(its[its["layer"] == its["task"].map(layer)].assign(method=method))
    return pd.concat(methods, ignore_index=True)


def accuracy(chosen: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Accuracy by task and method, and its mean over tasks (task `all`): the study's table `accuracy.csv`.

    Args:
        chosen: see `by_method`. θ of other tasks is left to `controls`.
        seed: of the bootstrap over episodes, for the means.
    """
    single = chosen[chosen["method"] != "other_theta"]
    by_task = accuracy_table(single, [*KEY, "method", "layer"])
    means = mean_over_tasks(single, ["model", "method"], seed).assign(family=ALL, layer=pd.NA)
    means.insert(1, "task", ALL)
    return pd.concat([by_task, means[by_task.columns]], ignore_index=True).astype({"layer": "Int64"})


def controls(chosen: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of every control beside the hypothesis it must not reach: the study's table `controls.csv`.

    `source` is the task whose θ was patched; `reached` says that the control is as good as the hypothesis.
    """
    rows = chosen[chosen["method"].isin(CONTROLS)]
    table = accuracy_table(rows, [*KEY, "method", "source", "layer"]).rename(columns={"method": "control"})
    hypothesis = chosen[chosen["method"] == "hypothesis"].groupby("task")["correct"].mean()
    table["hypothesis"] = table["task"].map(hypothesis)
    table["reached"] = table["accuracy"] >= table["hypothesis"]
    order = {task: place for place, task in enumerate(dict.fromkeys(chosen["task"]))}
    table = table.sort_values("task", key=lambda tasks: tasks.map(order), kind="stable", ignore_index=True)
    return table.astype({"layer": "Int64"})


def differences(chosen: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The hypothesis against other methods on the same episodes: the study's table `differences.csv`.

    Paired differences with 95% bootstrap intervals, by task and on the mean over tasks.
    """
    references = ["regular", "zero_shot", "majority", "copy_query", "random_theta", "last_layer", "hypothesis_common"]
    single = chosen[chosen["method"].isin(["hypothesis", *references])]
    table = paired_differences(single, "hypothesis", references, seed)
    families = chosen.groupby("task")["family"].first()
    table.insert(0, "family", table["task"].map(families).fillna(ALL))
    table.insert(0, "model", chosen["model"].iloc[0])
    return table
