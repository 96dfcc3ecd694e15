"""Numbers and tables of the main result."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from taskvectors.names import ALL, FEW_ANSWERS, METHODS
from taskvectors.observations.intervals import RESAMPLES
from taskvectors.observations.rows import Tables, main_tasks
from taskvectors.report.cells import Config, in_points, labelled, means_of, model_labels, with_interval

LAYER_CHOICES = (
    "baseline",
    "hypothesis",
    "hypothesis_paper",
    "hypothesis_common",
    "hypothesis_oracle",
    "last_layer",
    "regular",
)


def numbers(tables: Tables, config: Config) -> Mapping[str, Any]:
    tasks = list(dict.fromkeys(tables["layer_choice"]["task"]))
    entries = config["tasks"]
    return {
        "models": [_of_model(tables, model, config) for model in dict.fromkeys(tables["accuracy"]["model"])],
        "described": [described(name, config["models"][name]) for name in config["study"]["models"]],
        "tasks": [entries[task]["label"] for task in tasks],
        "by_prefix": [entries[task]["label"] for task in tasks if entries[task].get("scoring") == "prefix"],
        "few_answers": FEW_ANSWERS,
        "resamples": RESAMPLES,
    }


def _of_model(tables: Tables, model: str, config: Config) -> dict[str, Any]:
    own = {name: table[table["model"] == model] for name, table in tables.items() if "model" in table}
    means = means_of(own["accuracy"]).set_index("method")
    paired = means_of(own["differences"]).set_index("reference")
    choice = main_tasks(own["layer_choice"])
    layers = choice.loc[choice["own"], "layer"]
    spread = means_of(own["seed_spread"]).set_index("method").loc["hypothesis"]
    return {
        "label": config["models"][model]["label"],
        **{method: means.loc[method] for method in ("zero_shot", "regular", "hypothesis", "hypothesis_common")},
        **{f"to_{method}": paired.loc[method] for method in ("regular", "zero_shot")},
        "common_layer": choice["common_layer"].iloc[0],
        "own_layers": layers.tolist(),
        "median_layer": f"{layers.median():.0f}",
        "tasks": len(choice),
        "seeds": spread["seeds"],
        "lowest": f"{spread['lowest']:.0%}",
        "highest": f"{spread['highest']:.0%}",
    }


def described(name: str, entry: Config) -> str:
    """A model, and where its weights come from."""
    if entry.get("source") == "random":
        where = "random weights"
    elif "folder" in entry:
        where = "from a local folder"
    elif "wheels" in entry:
        where = f"de-quantized from GGUF, sha256 `{entry['gguf_sha256'][:16]}…`"
    else:
        where = f"`{entry['hub']}` at revision `{entry['revision']}`"
    return f"{entry['label']} (`{name}`), {where}; computed in {entry['dtype']}"


def summary_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Ours and the paper's models: `summary.csv` itself."""
    return tables["summary"].astype({"n": "Int64"})


def accuracy_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Every model and task: chosen layer, and accuracy with its interval by method. Tasks that are scored by prefix
    also have the share that is exactly right."""
    accuracy, choice = tables["accuracy"], tables["layer_choice"]
    table = accuracy[(accuracy["task"] != ALL)].copy()
    by_prefix = (table["exact"] != table["accuracy"]).groupby([table["model"], table["task"]]).transform("any")
    exact = [f"; exact {share:.2f}" if shown else "" for share, shown in zip(table["exact"], by_prefix, strict=True)]
    table["cell"] = [cell + more for cell, more in zip(with_interval(table), exact, strict=True)]
    wide = table.pivot(index=["model", "task"], columns="method", values="cell")
    wide = wide.loc[list(dict.fromkeys(zip(table["model"], table["task"], strict=True)))].reset_index()
    layers = {(row.model, row.task): f"{row.layer}{'' if row.own else ' (common)'}" for row in choice.itertuples()}
    wide.insert(2, "layer", [layers[key] for key in zip(wide["model"], wide["task"], strict=True)])
    names = {method: method.replace("_", ": ", 1) for method in LAYER_CHOICES if method.startswith("hypothesis_")}
    names["last_layer"] = "θ at last layer"
    return labelled(wide[["model", "task", "layer", *LAYER_CHOICES]], config).rename(columns=names)


def paper_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Task by task: hypothesis accuracy of our models beside that of every published model (paper, table 6)."""
    accuracy, published = tables["accuracy"], tables["paper/main_results"]
    ours = accuracy[(accuracy["task"] != ALL) & (accuracy["method"] == "hypothesis")]
    wide = ours.pivot(index="task", columns="model", values="accuracy")
    wide = wide.loc[list(dict.fromkeys(ours["task"])), list(dict.fromkeys(ours["model"]))]
    wide = wide.rename(columns={model: config["models"][model]["label"] for model in wide.columns})
    order = list(dict.fromkeys(published["model"]))
    theirs = published.pivot(index="task", columns="model", values="hypothesis")[order]
    taken = set(wide.columns) | {"task"}
    theirs = theirs.rename(columns=lambda model: f"{model} (published)" if model in taken else model)
    table = wide.join(theirs, how="inner").reset_index()
    return table.assign(task=table["task"].map(lambda task: config["tasks"][task]["label"]))


def seeds_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Mean accuracy over tasks of each method over study seeds."""
    mean = means_of(tables["seed_spread"]).drop(columns=["family", "role", "task"])
    return mean.assign(model=model_labels(mean, config))


def differences_table(tables: Tables, config: Config) -> pd.DataFrame:
    """The hypothesis against other methods, mean over tasks, in points."""
    mean = means_of(tables["differences"])
    return pd.DataFrame(
        {
            "model": model_labels(mean, config),
            "hypothesis minus": mean["reference"].map(METHODS),
            "episodes": mean["n"],
            "points [95% interval]": [in_points(row) for _, row in mean.iterrows()],
        }
    )


TABLES = {
    "summary": summary_table,
    "accuracy": accuracy_table,
    "paper": paper_table,
    "seeds": seeds_table,
    "differences": differences_table,
}
