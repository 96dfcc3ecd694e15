"""How θ forms as tables: with every demonstration, and how much it varies with demonstrations and dummy queries."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from taskvectors.analysis.roles import main_tasks, with_head
from taskvectors.analysis.statistics import accuracies, bootstrap_mean, mean_over_tasks
from taskvectors.names import ALL, KEY, MAIN
from taskvectors.store.thetas import Thetas

BY = "demonstrations"
COSINES = ("cosine", "cosine_centred")


def formation(variants: pd.DataFrame, choice: pd.DataFrame, seed: int) -> pd.DataFrame:
    """θ after k demonstrations of one prompt, at the chosen layer: the study's table `formation.csv`.

    Args:
        variants: tidy predictions of method `theta_after` with columns demonstrations, cosine (to the episode's θ) and
            cosine_centred (the same of both less the mean θ over tasks).
        choice: `layer_choice.csv`.
        seed: of the bootstrap over episodes.

    Returns:
        By task, and in the mean over tasks (task `all`; limits aside): accuracy of the patched model with its interval, and
        the mean cosines of the state to the final θ, raw and centred, with 95% bootstrap intervals.
    """
    forming = variants[variants["method"] == "theta_after"]
    forming = forming[forming["layer"] == forming["task"].map(choice.set_index("task")["layer"])]
    shared = main_tasks(forming)  # tasks may have prompts of different lengths: means are over all of them, or are not
    shared = shared[shared.groupby(BY)["task"].transform("nunique") == shared["task"].nunique()]
    tables = [
        accuracies(forming, [*KEY, BY, "layer"]),
        mean_over_tasks(shared, ["model", BY], seed).assign(family=ALL, role=MAIN, task=ALL, layer=pd.NA),
    ]
    table = pd.concat([tables[0], tables[1][tables[0].columns]], ignore_index=True)
    for column in COSINES:
        cosines: dict[tuple[str, int], tuple[float, float, float]] = {}
        for (task, k), group in forming.groupby(["task", BY], sort=False):
            cosines[task, k] = bootstrap_mean([group[column].to_numpy()], seed)
        for k, group in shared.groupby(BY):
            cosines[ALL, k] = bootstrap_mean([one[column].to_numpy() for _, one in group.groupby("task")], seed)
        intervals = np.array([cosines[key] for key in zip(table["task"], table[BY], strict=True)]).reshape(-1, 3)
        table[[column, f"{column}_ci_low", f"{column}_ci_high"]] = intervals
    return table.astype({"layer": "Int64", BY: int})


def variance(theta: np.ndarray, over_dummies: np.ndarray, dummies: int) -> pd.DataFrame:
    """How far θ of one task varies, by layer: over demonstrations and over dummy queries.

    A one-way random-effects analysis of variance (Searle, Casella and McCulloch 1992, chapter 3) in every hidden dimension,
    summed: episodes are the groups, the states under each dummy query the observations.

    Args:
        theta: `[episode, layer, hidden]`, each the mean over `dummies` states.
        over_dummies: `[episode, layer]`, the unbiased variance of those states, summed over hidden dimensions.

    Returns:
        One row a layer: `layer`; `mean_square`, the squared length of the mean θ; `demonstrations`, the variance of a state
        between episodes; `dummies`, that between dummy queries of one episode; NaN where there is but one of them.
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
