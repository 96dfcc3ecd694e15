"""Means over the tasks that the paper's figures show, beside those over all."""

import pandas as pd

from taskvectors.names import ALL
from taskvectors.observations.rows import main_tasks
from taskvectors.observations.summaries import mean_accuracies, once_per_episode

# The paper's figures leave tasks out by rules that are only in its released code.
GAIN = 0.20  # figure 4: regular − baseline is at least this
PASSES = 0.75  # figures 3 and 7: the best layer's dev accuracy is more than this
VIEWS = {"all": "all tasks", "gain": "regular − baseline ≥ .20", "passes": "best layer passes .75"}


def tasks_in_view(accuracy: pd.DataFrame, choice: pd.DataFrame, view: str) -> list[str]:
    """The main tasks of one model that a view shows: `all`, or the paper's `gain` or `passes`."""
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
    """Mean accuracy by layer choice, over all tasks and over those that the paper shows: the study's table
    `views.csv`.

    A view that shows no task has no rows.

    Args:
        chosen: test answers of every method (`taskvectors.questions.main_result.tables.by_method`).
        accuracy: `accuracy.csv`.
        choice: `layer_choice.csv`.
        seed: of the bootstrap over episodes.
    """
    methods = ["baseline", "hypothesis", "hypothesis_paper", "hypothesis_common", "hypothesis_oracle", "regular"]
    episodes = once_per_episode(chosen[chosen["method"].isin(methods)])
    tables = []
    for view in VIEWS:
        shown = tasks_in_view(accuracy, choice, view)
        means = mean_accuracies(episodes[episodes["task"].isin(shown)], ["model", "method"], seed)
        means.insert(1, "view", view)
        means.insert(3, "tasks", len(shown))
        tables.append(means)
    return pd.concat([table for table in tables if len(table)], ignore_index=True)
