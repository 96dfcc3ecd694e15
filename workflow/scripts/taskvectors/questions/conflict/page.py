"""Tables on conflicting tasks and on transfer."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from taskvectors.names import KEPT, WITHOUT
from taskvectors.observations.rows import Tables, at_chosen_layer
from taskvectors.report.cells import Config, distinct_labels, model_labels, with_interval

PROMPTS = {WITHOUT: "bare query", KEPT: "query's own demonstrations kept"}
LAYERS = {"task": "layer", "all tasks": "common_layer"}  # whose layer, and the column of layer_choice.csv


def numbers(tables: Tables, config: Config) -> Mapping[str, Any]:
    return {}


def conflict_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Each pair at the layer chosen for task B on the main experiment's dev episodes and at the common one; the
    paper's numbers below."""
    conflict, choice, published = tables["conflict"], tables["layer_choice"], tables["paper/conflicting_tasks"]
    columns = ["model", "task_a", "task_b", "layer", "n", "regular_a", "regular_b", "patched_a", "patched_b"]
    both = at_both_layers(conflict, choice, "task_b", config)
    able = choice.set_index(["model", "task"])["able"]
    ours = both[[*columns, "layer of"]].assign(source="this study", gain=with_interval(both, "gain_b"))
    ours["judged"] = [
        "yes" if able[row.model, row.task_a] and able[row.model, row.task_b] else "no: below the floor"
        for row in both.itertuples()
    ]
    ours["model"] = model_labels(ours, config)
    order = ["model", "source", *columns[1:4], "layer of", *columns[4:], "gain", "judged"]
    table = pd.concat([ours, published], ignore_index=True)[order]
    table["layer of"] = table["layer of"].fillna("task")
    for side in ("task_a", "task_b"):
        table[side] = [config["tasks"].get(task, {"label": task})["label"] for task in table[side]]
    words = {"task_a": "task A", "task_b": "task B"}
    for side in ("a", "b"):
        words |= {f"regular_{side}": f"unpatched: {side.upper()}", f"patched_{side}": f"patched: {side.upper()}"}
    return table.astype({"layer": "Int64", "n": "Int64"}).rename(columns=words)


def at_both_layers(table: pd.DataFrame, choice: pd.DataFrame, task: str, config: Config) -> pd.DataFrame:
    """The rows at the layer of the task in a column, then those at the common layer, model by model; `layer of` says
    which."""
    by_choice = {words: at_chosen_layer(table, choice, task, layer) for words, layer in LAYERS.items()}
    both = pd.concat([rows.assign(**{"layer of": words}) for words, rows in by_choice.items()])
    return both.sort_values("model", key=lambda models: models.map(list(config["models"]).index), kind="stable")


def transfer_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Each ordered pair at the layer chosen for the task of θ, and at the common one: shares answered as either task,
    in bare queries and with demonstrations."""
    at = at_both_layers(tables["transfer"], tables["layer_choice"], "theta_task", config)
    key = ["model", "theta_task", "query_task", "layer", "layer of"]
    if at.empty:
        return pd.DataFrame(columns=key)
    wide = at.pivot(index=key, columns="demonstrations", values=["as_theta", "as_query"])
    wide = wide.loc[list(dict.fromkeys(at[key].itertuples(index=False, name=None)))].reset_index()
    table = wide[key].droplevel(1, axis=1).astype({"layer": int})
    for kept, words in ((WITHOUT, "bare"), (KEPT, "kept")):
        for share, task in (("as_theta", "θ's task"), ("as_query", "query's task")):
            if (share, kept) in wide:  # without a transfer matrix there are no bare queries
                table[f"{words}: {task}"] = wide[share, kept].astype(float)
    labels = {name: entry["label"] for name, entry in config["tasks"].items()}
    names = {"theta_task": "task of θ", "query_task": "task of the query"}
    table = table.assign(model=model_labels(table, config), **{name: table[name].map(labels) for name in names})
    return table.rename(columns=names)


def transfer_by_layer(tables: Tables, config: Config) -> pd.DataFrame:
    """The transfer matrix at every layer, of bare queries and with demonstrations, beginning with the common layer."""
    table = tables["transfer"].dropna(subset=["layer"])
    if WITHOUT not in set(table["demonstrations"]):
        return pd.DataFrame()  # there is no matrix but of the pairs
    order = {task: place for place, task in enumerate(config["tasks"])}
    table = table.sort_values(["theta_task", "query_task"], key=lambda names: names.map(order), kind="stable")
    table = table.sort_values(["model", "demonstrations"], key=lambda names: names.map(_places(config)), kind="stable")
    models, labels = distinct_labels(config["models"]), distinct_labels(config["tasks"])
    first = tables["layer_choice"].groupby("model")["common_layer"].first()
    return pd.DataFrame(
        {
            "panel": table["model"].map(models) + ": " + table["demonstrations"].map(PROMPTS),
            "first": table["model"].map(first),
            "layer": table["layer"].astype(int),
            "row": table["theta_task"].map(labels),
            "column": table["query_task"].map(labels),
            "value": table["as_theta"],
            "beside": table["as_query"],
        }
    )


def _places(config: Config) -> dict[str, int]:
    """Where models and kinds of prompts come on the page."""
    return {name: place for place, name in enumerate([*config["models"], *PROMPTS])}


TABLES = {"conflict": conflict_table, "transfer": transfer_table, "transfer_by_layer": transfer_by_layer}
