"""Numbers and tables on layers."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from taskvectors.observations.rows import Tables
from taskvectors.questions.layers.views import GAIN, PASSES, VIEWS
from taskvectors.report.cells import Config, model_labels, with_interval


def numbers(tables: Tables, config: Config) -> Mapping[str, Any]:
    return {"gain": f"{100 * GAIN:.0f}", "passes": f"{PASSES:.0%}"}


def views_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Means over tasks by layer choice, over all tasks and over those that the paper shows."""
    table = tables["views"].assign(cell=with_interval(tables["views"]))
    wide = table.pivot(index=["model", "view", "tasks"], columns="method", values="cell")
    wide = wide.loc[list(dict.fromkeys(zip(table["model"], table["view"], table["tasks"], strict=True)))].reset_index()
    names = {
        "hypothesis": "θ, layer per task",
        "hypothesis_paper": "θ, the paper's rule",
        "hypothesis_common": "θ, common layer",
        "hypothesis_oracle": "θ, oracle layer",
    }
    wide = wide.assign(model=model_labels(wide, config), view=wide["view"].map(VIEWS))
    return wide[["model", "view", "tasks", "baseline", *names, "regular"]].rename(columns=names)


TABLES = {"views": views_table}
