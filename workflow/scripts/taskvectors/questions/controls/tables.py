"""Controls beside the hypothesis, and how far next-token distributions are from the regular prompt's."""

import pandas as pd

from taskvectors.names import ALL, CONTROLS, KEY
from taskvectors.observations.intervals import DIFFERENCES, NUMBERS
from taskvectors.observations.rows import kinds_in, main_tasks, with_kinds
from taskvectors.observations.summaries import by_episode, interval, over_tasks, paired, shares, with_bounds


def controls(chosen: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Accuracy of every control beside the hypothesis, which it must not reach: the study's table `controls.csv`.

    `source` is the task whose θ was patched. `difference` is hypothesis − control on the same episodes. The control
    reaches the hypothesis (`reached`) if its interval includes zero or less; this is `undecided` if it also includes
    more. Without an interval, for a single episode, both are true.

    Args:
        chosen: test answers of every method.
        seed: of the bootstrap over episodes.
    """
    rows = chosen[chosen["method"].isin(CONTROLS)]
    key = [*KEY, "method", "source", "layer"]
    table = shares(rows, key).rename(columns={"method": "control"})
    hypothesis = by_episode(chosen[chosen["method"] == "hypothesis"])
    table["hypothesis"] = table["task"].map(hypothesis.groupby("task").mean())
    table[with_bounds("difference")] = [
        interval(-paired(by_episode(of_control), hypothesis), DIFFERENCES, seed)
        for _, of_control in rows.groupby(key, sort=False, dropna=False)
    ]
    table["reached"] = ~(table["difference_low"] > 0)
    table["undecided"] = table["reached"] & ~(table["difference_high"] <= 0)
    order = {task: place for place, task in enumerate(dict.fromkeys(chosen["task"]))}
    table = table.sort_values("task", key=lambda tasks: tasks.map(order), kind="stable", ignore_index=True)
    return table.astype({"layer": "Int64"})


def divergence(divergences: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Divergence of next-token distributions from the regular prompt's, in bits: the study's table `divergence.csv`.

    By task and source, and on the mean over main tasks.

    Args:
        divergences: one row for each episode, method and source.
        seed: of the bootstrap over episodes.
    """
    by = ["method", "source", "layer"]
    rows = []
    for (task, *key), group in divergences.groupby(["task", *by], sort=False, dropna=False):
        of_task = over_tasks(group.set_index("task")["divergence"], "divergence", NUMBERS, seed)
        rows.append({"task": task, **dict(zip(by, key, strict=True)), **of_task})
    once = main_tasks(divergences).groupby(["method", "task", "episode"], sort=False)["divergence"].mean()
    for method, values in once.groupby(level="method", sort=False):
        mean = over_tasks(values.droplevel("method"), "divergence", NUMBERS, seed)
        rows.append({"task": ALL, "method": method, "source": None, "layer": pd.NA, **mean})
    table = pd.DataFrame(rows, columns=["task", *by, "n", *with_bounds("divergence")])
    return with_kinds(table, divergences["model"].iloc[0], kinds_in(divergences)).astype({"layer": "Int64"})
