"""Numbers and the table on tasks that one vector may not hold."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from taskvectors.names import LIMIT, MEANS
from taskvectors.observations.claims import NO_BASIS
from taskvectors.observations.rows import Tables
from taskvectors.questions.limits.claims import HOLDS
from taskvectors.questions.limits.names import WORDS
from taskvectors.report.cells import Config, in_points, labelled, with_interval

OUTCOMES = {"right": "", "wrong_direction": ": wrong direction", "first_part": ": first item"}


def numbers(tables: Tables, config: Config) -> Mapping[str, Any]:
    conclusions = tables["conclusions"]
    held = conclusions[conclusions["claim"].str.startswith(HOLDS)]
    labels = {name: entry["label"] for name, entry in config["tasks"].items()}
    none = held.assign(none=held["verdict"] == NO_BASIS).groupby("claim", sort=False)["none"].all()
    by_task = tables["limits"].query("method == 'regular' and outcome == 'right'").groupby("task")["share"].max()
    return {
        "without": [
            f"{labels[task]} ({by_task[task]:.0%} with demonstrations at best)"
            for task in (claim.removeprefix(HOLDS) for claim in none[none].index)
            if task in by_task
        ],
    }


def limits_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Shares with intervals, and the paired difference in points."""
    limits, differences = tables["limits"], tables["differences"]
    table = limits.assign(cell=with_interval(limits, "share"))
    table["column"] = table["method"] + table["outcome"].map(
        {"right": "", "wrong_direction": ": wrong direction", "first_part": ": first item"}
    )
    wide = table.pivot(index=["model", "task"], columns="column", values="cell")
    wide = wide.loc[list(dict.fromkeys(zip(table["model"], table["task"], strict=True)))].reset_index()
    paired = differences[(differences["role"] == LIMIT) & (differences["reference"] == "regular")]
    points = {(row["model"], row["task"]): in_points(row) for _, row in paired.iterrows()}
    wide["hypothesis − regular, points"] = [points[key] for key in zip(wide["model"], wide["task"], strict=True)]
    return labelled(wide, config)


def several_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Several vectors, by task: accuracy of every method."""
    table = tables["several"]
    table = table[(table["n"] > 0) & ~table["task"].isin(MEANS)]
    cells = table.assign(cell=with_interval(table))
    wide = cells.pivot(index=["model", "task"], columns="method", values="cell")
    wide = wide.loc[list(dict.fromkeys(zip(table["model"], table["task"], strict=True)))].reset_index()
    there = [method for method in WORDS if method in wide]
    return labelled(wide[["model", "task", *there]].fillna("–"), config).rename(columns=WORDS)


def bijections_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Bijections of ours beside published ones: with demonstrations and with θ."""
    limits = tables["limits"]
    two_ways = set(limits.loc[limits["outcome"] == "wrong_direction", "task"])
    ours = limits[limits["task"].isin(two_ways) & (limits["outcome"] == "right")]
    wide = ours.assign(cell=with_interval(ours, "share")).pivot(
        index=["model", "task"], columns="method", values="cell"
    )
    wide = wide.reindex(columns=["regular", "hypothesis"]).reset_index()
    own = labelled(wide, config).rename(columns={"regular": "with demonstrations", "hypothesis": "with θ"})
    published = tables["paper/bijections"]
    theirs = pd.DataFrame(
        {
            "model": published["model"] + " (published)",
            "task": published["task"],
            "with demonstrations": published["regular"].map("{:.2f}".format),
            "with θ": published["theta"].map("{:.2f}".format),
        }
    )
    return pd.concat([own, theirs], ignore_index=True)


TABLES = {"limits": limits_table, "several": several_table, "bijections": bijections_table}
