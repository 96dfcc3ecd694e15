"""Numbers and tables on the geometry of θ."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from taskvectors.names import ALL, CENTRED
from taskvectors.observations.rows import Tables
from taskvectors.questions.geometry.tables import FOLDS, NEIGHBOURS, STARTS
from taskvectors.report.cells import Config, distinct_labels, labelled, model_labels, span

SHOWN = 25  # episodes of a task, as points of a picture that says what each reads
LONGEST = 300  # letters of a prompt


def numbers(tables: Tables, config: Config) -> Mapping[str, Any]:
    return {
        "distances": list(_distances(tables, config)),
        "neighbours": NEIGHBOURS,
        "folds": FOLDS,
        "starts": STARTS,
    }


def _distances(tables: Tables, config: Config) -> Iterator[str]:
    """Mean cosine distances within and between tasks, the range over tasks, of our models and the published one."""
    ours = at_common_layer(tables)
    ours = ours[ours["task"] != ALL]
    for (model, states), table in ours.groupby(["model", "states"], sort=False):
        within, between = (span(table[f"{kind}_mean"]) for kind in ("within", "between"))
        less = " less the mean over tasks" if states == CENTRED else ""
        yield f"{config['models'][model]['label']}{less} {within} and {between}"
    for model, table in tables["paper/distances"].groupby("model", sort=False):
        rows = table.set_index("kind")
        within, between = (
            f"{rows.loc[kind, 'lowest']:.2f}–{rows.loc[kind, 'highest']:.2f}" for kind in ("within", "between")
        )
        yield f"{model}, published, {within} and {between}"


def at_common_layer(tables: Tables) -> pd.DataFrame:
    """The rows of `geometry.csv` at the common layer of each model."""
    geometry = tables["geometry"]
    common = tables["layer_choice"].groupby("model")["common_layer"].first()
    return geometry[geometry["layer"] == geometry["model"].map(common)]


def geometry_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Distances and separation by task at the common layer of each model."""
    return labelled(at_common_layer(tables), config)


def embedding_quality_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Trustworthiness of the pictures: lowest and highest over seeds."""
    groups = tables["embedding_quality"].groupby(["model", "method", "states"], sort=False)["trustworthiness"]
    table = groups.agg(seeds="size", lowest="min", highest="max").reset_index()
    return table.assign(model=model_labels(table, config))


def theta_by_layer(tables: Tables, config: Config) -> pd.DataFrame:
    """Where θ of every test episode lies at every few layers, and what its prompt reads."""
    key = ["model", "task", "episode"]
    points = tables["embedding_layers"].dropna(subset=["x"])
    points = points[points.groupby(["model", "task", "layer"])["episode"].rank() <= SHOWN]
    points = points.merge(tables["embedding_episodes"], on=key, how="left", validate="many_to_one")
    tasks = points["task"].map({name: entry["label"] for name, entry in config["tasks"].items()})
    first = tables["layer_choice"].groupby("model")["common_layer"].first()
    return pd.DataFrame(
        {
            "panel": points["model"].map(distinct_labels(config["models"])),
            "first": points["model"].map(first),
            "layer": points["layer"],
            "family": points["family"],
            "point": points["task"] + " " + points["episode"].astype(str),
            "says": tasks + ": " + points["label"].map(_shortened) + " " + points["answer"],
            "x": points["x"],
            "y": points["y"],
        }
    )


def _shortened(label: str) -> str:
    """The end of a prompt, with the query, and as much before it as a reader takes in."""
    return label if len(label) <= LONGEST else f"… {label[-LONGEST:]}"


TABLES = {
    "embedding_quality": embedding_quality_table,
    "geometry": geometry_table,
    "theta_by_layer": theta_by_layer,
}
