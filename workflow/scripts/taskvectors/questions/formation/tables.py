"""How θ forms with every demonstration, and how much it varies with demonstrations and dummy queries."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from taskvectors.names import ALL, KEY, MAIN
from taskvectors.observations.intervals import NUMBERS
from taskvectors.observations.rows import main_tasks, with_head
from taskvectors.observations.summaries import mean_accuracies, over_tasks, shares, with_bounds
from taskvectors.store.thetas import Thetas

BY = "demonstrations"
COSINES = ("cosine", "cosine_centred")


def formation(forming: pd.DataFrame, seed: int) -> pd.DataFrame:
    """θ after k demonstrations of one prompt, at the chosen layer: the study's table `formation.csv`.

    Args:
        forming: answers with columns demonstrations (k), cosine (of the state and the episode's θ) and cosine_centred
            (of both less the mean over tasks).
        seed: of the bootstrap over episodes.

    Returns:
        By task, and on the mean over main tasks (task `all`): accuracy of the patched model and both cosines.
    """
    shared = main_tasks(
        forming
    )  # tasks may have prompts of different lengths: a mean is over all of them, or there is none
    shared = shared[shared.groupby(BY)["task"].transform("nunique") == shared["task"].nunique()]
    means = mean_accuracies(shared, ["model", BY], seed).assign(family=ALL, role=MAIN, task=ALL, layer=pd.NA)
    by_task = shares(forming, [*KEY, BY, "layer"])
    table = pd.concat([by_task, means[list(by_task)]], ignore_index=True)
    for column in COSINES:
        groups = [*forming.groupby(["task", BY], sort=False), *(((ALL, k), rows) for k, rows in shared.groupby(BY))]
        found = {key: over_tasks(rows.set_index("task")[column], column, NUMBERS, seed) for key, rows in groups}
        bounds = with_bounds(column)
        table[bounds] = [[found[key][name] for name in bounds] for key in zip(table["task"], table[BY], strict=True)]
    return table.astype({"layer": "Int64", BY: int})


def variance(theta: np.ndarray, over_dummies: np.ndarray, dummies: int) -> pd.DataFrame:
    """How far θ of one task varies, by layer: over demonstrations and over dummy queries.

    A one-way random-effects analysis of variance (Searle, Casella and McCulloch 1992, chapter 3) in every hidden
    dimension, summed: episodes are the groups, the states under each dummy query the observations.

    Args:
        theta: `[episode, layer, hidden]`, each the mean over `dummies` states.
        over_dummies: `[episode, layer]`, the unbiased variance of those states, summed over hidden dimensions.

    Returns:
        One row a layer: `layer`; `mean_square`, the squared length of the mean θ; `demonstrations`, the variance of a
            state between episodes; `dummies`, that between dummy queries of one episode; NaN where there is but one of
            them.
    """
    between = theta.var(axis=0, ddof=1).sum(axis=-1) if len(theta) > 1 else np.full(theta.shape[1], np.nan)
    within = over_dummies.mean(axis=0)
    noise = np.nan_to_num(within) / dummies  # of a mean over dummies; nothing is known of it from one
    return pd.DataFrame(
        {
            "layer": range(theta.shape[1]),
            "n": len(theta),
            "mean_square": (theta.mean(axis=0) ** 2).sum(axis=-1),
            "demonstrations": np.maximum(between - noise, 0),
            "dummies": within,
        }
    )


def theta_variance(thetas: Mapping[str, Thetas], choice: pd.DataFrame, dummies: int) -> pd.DataFrame:
    """`variance` of every task: the study's table `theta_variance.csv`.

    Args:
        thetas: of the test episodes of every task.
        choice: `layer_choice.csv`, whose tasks and order these are.
    """
    tables = []
    for row in choice.itertuples():
        of_task = thetas[row.task]
        tables.append(with_head(variance(of_task.theta, of_task.variance_over_dummies, dummies), row))
    return pd.concat(tables, ignore_index=True)
