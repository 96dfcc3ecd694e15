"""The main experiment as tables (paper, section 3): accuracy by layer, layer choice, accuracy by method, controls, limits."""

from collections.abc import Iterable

import pandas as pd

from taskvectors.analysis.choose_layer import layer_choice
from taskvectors.analysis.roles import is_limit, main_tasks
from taskvectors.analysis.statistics import (
    DIFFERENCES,
    accuracies,
    bootstrap_mean,
    mean_over_tasks,
    once_per_episode,
    paired_differences,
)
from taskvectors.analysis.views import views
from taskvectors.names import ALL, KEY, MAIN

CONTROLS = ("zero_shot", "majority", "copy_query", "random_theta", "other_theta", "last_layer")
REPEATED = ("baseline", "hypothesis", "hypothesis_common", "regular")
WITHOUT_LAYER = ("baseline", "regular", "zero_shot", "majority", "copy_query")


def accuracy_tables(
    predictions: pd.DataFrame, choice: pd.DataFrame, seed: int, bijections: Iterable[str]
) -> dict[str, pd.DataFrame]:
    """The tables of the main experiment, by name.

    Args:
        predictions: tidy, of all seeds.
        choice: `layer_choice.csv`.
        seed: the first study seed; also of the bootstrap over episodes.
        bijections: tasks that have two directions.
    """
    chosen = by_method(predictions[predictions["seed"] == seed], choice)
    table, seeds = accuracy(chosen, seed), by_seed(predictions, seed)
    return {
        "accuracy": table,
        "controls": controls(chosen, seed),
        "differences": differences(chosen, seed),
        "views": views(chosen, table, choice, seed),
        "limits": limits(chosen, bijections),
        "seeds": seeds,
        "seed_spread": seed_spread(seeds),
    }


def by_method(predictions: pd.DataFrame, choice: pd.DataFrame) -> pd.DataFrame:
    """Tidy predictions on test episodes of one seed, one row an episode and method; for `other_theta` also a source.

    Methods: `baseline` (no demonstrations, no patch), `regular` (demonstrations), `hypothesis` (θ at the layer chosen on
    dev, see `layer_choice`), `hypothesis_paper` (at the one of the paper's rule), `hypothesis_common` (θ at the one layer chosen
    for all tasks), `hypothesis_oracle` (θ at the layer that is best on the test episodes themselves: an upper bound, not a
    result), `mean_theta` (the mean θ of other episodes, at the chosen
    layer), and the controls: `zero_shot` (the test queries without demonstrations or patch), `majority` (the commonest
    answer of the other episodes), `copy_query`, `random_theta` (a random vector of θ's norm) and `other_theta` (θ of
    another task of the family), both at the chosen layer, and `last_layer` (θ after the top block: it cannot use the query).
    """
    test = predictions[predictions["split"] != "dev"]
    patched = test[test["method"] == "hypothesis"]
    means = patched.groupby(["task", "layer"], sort=False)["correct"].mean().reset_index()
    oracle = means.loc[means.groupby("task", sort=False)["correct"].idxmax()].set_index("task")["layer"]
    tasks = choice.set_index("task")
    layers = {
        "hypothesis": ("hypothesis", tasks["layer"]),
        "hypothesis_paper": ("hypothesis", tasks["paper_layer"]),
        "hypothesis_common": ("hypothesis", tasks["common_layer"]),
        "hypothesis_oracle": ("hypothesis", oracle),
        "last_layer": ("hypothesis", pd.Series(patched["layer"].max(), index=tasks.index)),
        "mean_theta": ("mean_theta", tasks["layer"]),
        "random_theta": ("random_theta", tasks["layer"]),
        "other_theta": ("other_theta", tasks["layer"]),
    }
    methods = [test[test["method"].isin(WITHOUT_LAYER)]]
    for method, (swept, layer) in layers.items():
        swept_rows = test[test["method"] == swept]
        methods.append(swept_rows[swept_rows["layer"] == swept_rows["task"].map(layer)].assign(method=method))
    return pd.concat(methods, ignore_index=True)


def accuracy(chosen: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Accuracy by task and method, and its mean over tasks (task `all`; limits aside): the study's table `accuracy.csv`.

    `exact` is the share of answers that are right to the last letter, where `accuracy` is by prefix.

    Args:
        chosen: see `by_method`. θ of other tasks is in the mean only; `controls` has each of them.
        seed: of the bootstrap over episodes, for the means.
    """
    rows = chosen[chosen["method"] != "other_theta"]
    by_task = accuracies(rows, [*KEY, "method", "layer"])
    by_task["exact"] = rows.groupby([*KEY, "method", "layer"], sort=False, dropna=False)["exact"].mean().to_numpy()
    once = main_tasks(once_per_episode(chosen))
    means = mean_over_tasks(once, ["model", "method"], seed)
    exact = once.groupby(["method", "task"])["exact"].mean().groupby("method").mean()
    means = means.assign(family=ALL, role=MAIN, task=ALL, layer=pd.NA, exact=means["method"].map(exact))[
        by_task.columns
    ]
    return pd.concat([by_task, means], ignore_index=True).astype({"layer": "Int64"})


def controls(chosen: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Accuracy of every control beside the hypothesis it must not reach: the study's table `controls.csv`.

    `source` is the task whose θ was patched. `difference` is hypothesis − control on the same episodes, with a 95% bootstrap
    interval; the control reaches the hypothesis (`reached`) if that includes zero or less, and whether it does is `undecided`
    if it also includes more. Where there is no interval, of a single episode, it may have.

    Args:
        seed: of the bootstrap over episodes.
    """
    rows = chosen[chosen["method"].isin(CONTROLS)]
    key = [*KEY, "method", "source", "layer"]
    table = accuracies(rows, key).rename(columns={"method": "control"})
    hypothesis = chosen[chosen["method"] == "hypothesis"].set_index(["task", "episode"])["correct"].astype(float)
    table["hypothesis"] = table["task"].map(hypothesis.groupby("task").mean())
    intervals = []
    for _, of_control in rows.groupby(key, sort=False, dropna=False):
        control = of_control.set_index(["task", "episode"])["correct"]
        paired = (hypothesis.reindex(control.index) - control).to_numpy()
        intervals.append(bootstrap_mean([paired], seed, DIFFERENCES))
    table[["difference", "difference_ci_low", "difference_ci_high"]] = intervals
    table["reached"] = ~(table["difference_ci_low"] > 0)
    table["undecided"] = table["reached"] & ~(table["difference_ci_high"] <= 0)
    order = {task: place for place, task in enumerate(dict.fromkeys(chosen["task"]))}
    table = table.sort_values("task", key=lambda tasks: tasks.map(order), kind="stable", ignore_index=True)
    return table.astype({"layer": "Int64"})


def differences(chosen: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The hypothesis against other methods on the same episodes: the study's table `differences.csv`.

    Paired differences with 95% bootstrap intervals, by task and on the mean over tasks, limits aside.
    """
    references = ["regular", *CONTROLS, "hypothesis_common", "hypothesis_paper", "hypothesis_oracle", "mean_theta"]
    episodes = once_per_episode(chosen[chosen["method"].isin(["hypothesis", *references])])
    mean_of = set(main_tasks(chosen)["task"])
    table = paired_differences(episodes, "hypothesis", references, seed, mean_of)
    kinds = chosen.groupby("task")[["family", "role"]].first()
    for name, over_all in (("role", MAIN), ("family", ALL)):
        table.insert(0, name, table["task"].map(kinds[name]).fillna(over_all))
    table.insert(0, "model", chosen["model"].iloc[0])
    return table


def by_seed(predictions: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The main experiment at every study seed, layers chosen anew at each: the study's table `seeds.csv`.

    Args:
        predictions: tidy, of all seeds.
        seed: of the bootstrap over episodes, for the means.
    """
    tables = []
    for study_seed, of_seed in predictions.groupby("seed", sort=False):
        chosen = by_method(of_seed, layer_choice(of_seed, seed))
        table = accuracy(chosen[chosen["method"].isin(REPEATED)], seed)
        table.insert(len(KEY), "seed", study_seed)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def seed_spread(seeds: pd.DataFrame) -> pd.DataFrame:
    """How accuracies vary between study seeds: the study's table `seed_spread.csv`; `sd` needs two seeds."""
    groups = seeds.groupby([*KEY, "method"], sort=False)["accuracy"]
    table = groups.agg(seeds="size", mean="mean", sd="std", lowest="min", highest="max")
    return table.reset_index()


def limits(chosen: pd.DataFrame, bijections: Iterable[str]) -> pd.DataFrame:
    """Regular and hypothesis where one vector may not suffice: the study's table `limits.csv`.

    Outcomes: `right`; and for bijections `wrong_direction`, the right item in the wrong form: the answer is the query itself.
    """
    of_limits = chosen[is_limit(chosen)]
    queries = of_limits[of_limits["method"] == "copy_query"].set_index(["task", "episode"])["predicted"].str.strip()
    rows = of_limits[of_limits["method"].isin(["regular", "hypothesis"])]
    right = rows.assign(outcome="right")
    turned = rows[rows["task"].isin(list(bijections))].assign(outcome="wrong_direction")
    keys = pd.MultiIndex.from_frame(turned[["task", "episode"]])
    turned["correct"] = turned["predicted"].str.strip().to_numpy() == queries.reindex(keys).to_numpy()
    table = accuracies(pd.concat([right, turned]), [*KEY, "method", "outcome", "layer"])
    return table.rename(columns={"accuracy": "share"}).astype({"layer": "Int64"})


def divergence(divergences: pd.DataFrame, seed: int) -> pd.DataFrame:
    """How far from the regular prompt's the next-token distribution is, in bits: the study's table `divergence.csv`.

    By task and on the mean over tasks (limits aside), of θ of other tasks by source and over them; 95% bootstrap intervals.

    Args:
        divergences: tidy; of the engine.
        seed: of the bootstrap over episodes.
    """
    rows = []
    for key, group in divergences.groupby([*KEY, "method", "source", "layer"], sort=False, dropna=False):
        rows.append((*key, len(group), *bootstrap_mean([group["divergence"].to_numpy(dtype=float)], seed)))
    main = main_tasks(divergences)
    once = main.groupby(["model", "method", "task", "episode"], sort=False)["divergence"].mean().reset_index()
    for (model, method), group in once.groupby(["model", "method"], sort=False):
        groups = [of_task["divergence"].to_numpy(dtype=float) for _, of_task in group.groupby("task")]
        rows.append((model, ALL, MAIN, ALL, method, None, pd.NA, len(group), *bootstrap_mean(groups, seed)))
    columns = [*KEY, "method", "source", "layer", "n", "divergence", "ci_low", "ci_high"]
    return pd.DataFrame(rows, columns=columns).astype({"layer": "Int64"})
