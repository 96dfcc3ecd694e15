"""Numbers and the table on tasks that one vector may not hold."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from taskvectors.names import LIMIT
from taskvectors.observations.rows import Tables
from taskvectors.report.cells import Config, in_points, labelled, with_interval


def numbers(tables: Tables, config: Config) -> Mapping[str, Any]:
    return {}


def limits_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Shares with intervals, and the paired difference in points."""
    limits, differences = tables["limits"], tables["differences"]
    table = limits.assign(cell=with_interval(limits, "share"))
    table["column"] = table["method"] + table["outcome"].map({"right": "", "wrong_direction": ": wrong direction"})
    wide = table.pivot(index=["model", "task"], columns="column", values="cell")
    wide = wide.loc[list(dict.fromkeys(zip(table["model"], table["task"], strict=True)))].reset_index()
    paired = differences[(differences["role"] == LIMIT) & (differences["reference"] == "regular")]
    points = {(row["model"], row["task"]): in_points(row) for _, row in paired.iterrows()}
    wide["hypothesis − regular, points"] = [points[key] for key in zip(wide["model"], wide["task"], strict=True)]
    return labelled(wide, config)


TABLES = {"limits": limits_table}
