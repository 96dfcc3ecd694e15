"""Means over the tasks that the paper's figures show, beside those over all."""

import pandas as pd

from taskvectors.analysis.roles import main_tasks
from taskvectors.analysis.statistics import mean_over_tasks, once_per_episode
from taskvectors.names import ALL

# The paper's figures leave tasks out by rules that stand only in its released code.
GAIN = 0.20  # figure 4: regular − baseline is at least this
PASSES = 0.75  # figures 3 and 7: the best layer's dev accuracy is more than this
VIEWS = {"all": "all tasks", "gain": "regular − baseline ≥ .20", "passes": "best layer passes .75"}


def tasks_in_view(accuracy: pd.DataFrame, choice: pd.DataFrame, view: str) -> list[str]:
    """The tasks of one model that a view shows, limits aside: `all`, or the paper's `gain` or `passes`."""
    by_task = main_tasks(accuracy[accuracy["task"] != ALL])
    wide = by_task.pivot(index="task", columns="method", values="accuracy")
    wide = wide.loc[list(dict.fromkeys(by_task["task"]))]
    best = choice.set_index("task")["dev_accuracy"].reindex(wide.index)
    shown = {
        "all": wide["regular"].notna(),
        "gain": (wide["regular"] - wide["baseline"]).round(9) >= GAIN,
        "passes": best > PASSES,
    }
    return list(wide.index[shown[view]])


def views(chosen: pd.DataFrame, accuracy: pd.DataFrame, choice: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Layer choices and methods side by side, over all tasks and over those the paper shows: the study's table `views.csv`.

    A view that shows no task has no rows.
    """
    methods = ["baseline", "hypothesis", "hypothesis_paper", "hypothesis_common", "hypothesis_oracle", "regular"]
    episodes = once_per_episode(chosen[chosen["method"].isin(methods)])
    tables = []
    for view in VIEWS:
        shown = tasks_in_view(accuracy, choice, view)
        means = mean_over_tasks(episodes[episodes["task"].isin(shown)], ["model", "method"], seed)
        means.insert(1, "view", view)
        means.insert(3, "tasks", len(shown))
        tables.append(means)
    return pd.concat([table for table in tables if len(table)], ignore_index=True)
