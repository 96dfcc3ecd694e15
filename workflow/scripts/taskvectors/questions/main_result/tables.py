"""The main experiment as tables (paper, section 3): accuracy by method, paired differences, and both over study
seeds."""

from collections.abc import Collection

import pandas as pd

from taskvectors.names import ALL, KEY, MAIN
from taskvectors.observations.rows import kinds_in, main_tasks, with_kinds
from taskvectors.observations.summaries import mean_accuracies, once_per_episode, paired_differences, shares

REPEATED = ("baseline", "hypothesis", "hypothesis_common", "regular")


def by_method(predictions: pd.DataFrame, choice: pd.DataFrame) -> pd.DataFrame:
    """Test answers of one seed: a row for each episode and method; `other_theta` has one for each source, too.

    Predictions at every layer (`hypothesis`) become a method for each choice of the layer: `hypothesis` (the layer
    chosen on dev, see `layer_choice.csv`), `hypothesis_paper` (by the paper's rule), `hypothesis_common` (the common
    layer), `hypothesis_oracle` (the layer that is best on the test episodes themselves: an upper bound, not a result)
    and `last_layer` (after the top block: a control, as θ cannot use the query there). All others stay unchanged:
    `baseline` (no demonstrations, no patch), `regular` (demonstrations), and those of the controls.
    """
    test = predictions[predictions["split"] != "dev"]
    swept = test["method"] == "hypothesis"
    patched = test[swept]
    means = patched.groupby(["task", "layer"], sort=False)["correct"].mean().reset_index()
    tasks = choice.set_index("task")
    layers = {
        "hypothesis": tasks["layer"],
        "hypothesis_paper": tasks["paper_layer"],
        "hypothesis_common": tasks["common_layer"],
        "hypothesis_oracle": means.loc[means.groupby("task", sort=False)["correct"].idxmax()].set_index("task")[
            "layer"
        ],
        "last_layer": pd.Series(patched["layer"].max(), index=tasks.index),
    }
    at_layers = [
        patched[patched["layer"] == patched["task"].map(layer)].assign(method=method)
        for method, layer in layers.items()
    ]
    return pd.concat([test[~swept], *at_layers], ignore_index=True)


def accuracy(chosen: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Accuracy by task and method, and its mean over main tasks (task `all`): the study's table `accuracy.csv`.

    `exact` is the share of answers that are right to the last letter, where `accuracy` is by prefix.

    Args:
        chosen: see `by_method`. θ of other tasks is in the mean only; `controls.csv` has each of them.
        seed: of the bootstrap over episodes, for the means.
    """
    rows = chosen[chosen["method"] != "other_theta"]
    by_task = shares(rows, [*KEY, "method", "layer"])
    by_task["exact"] = rows.groupby([*KEY, "method", "layer"], sort=False, dropna=False)["exact"].mean().to_numpy()
    once = main_tasks(once_per_episode(chosen))
    means = mean_accuracies(once, ["model", "method"], seed)
    exact = once.groupby(["method", "task"])["exact"].mean().groupby("method").mean()
    means = means.assign(family=ALL, role=MAIN, task=ALL, layer=pd.NA, exact=means["method"].map(exact))
    return pd.concat([by_task, means[list(by_task)]], ignore_index=True).astype({"layer": "Int64"})


def differences(chosen: pd.DataFrame, able: Collection[str], seed: int) -> pd.DataFrame:
    """The hypothesis against every other method, on the same test episodes: the study's table `differences.csv`.

    By task, and on the mean over main tasks, all and those above the floor.
    """
    test = chosen[chosen["method"] != "baseline"]  # has episodes of its own
    references = [method for method in dict.fromkeys(test["method"]) if method != "hypothesis"]
    mean_of = set(main_tasks(chosen)["task"])
    table = paired_differences(once_per_episode(test), "hypothesis", references, seed, mean_of, able)
    return with_kinds(table, chosen["model"].iloc[0], kinds_in(chosen))


def by_seed(predictions: pd.DataFrame, choices: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The main experiment at every study seed, layers chosen anew at each: the study's table `seeds.csv`.

    Args:
        predictions: of all seeds.
        choices: `layer_choice.csv` of every seed, in column `seed` which.
        seed: of the bootstrap over episodes, for the means.
    """
    tables = []
    for study_seed, of_seed in predictions.groupby("seed", sort=False):
        chosen = by_method(of_seed, choices[choices["seed"] == study_seed])
        table = accuracy(chosen[chosen["method"].isin(REPEATED)], seed)
        table.insert(len(KEY), "seed", study_seed)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def seed_spread(seeds: pd.DataFrame) -> pd.DataFrame:
    """How accuracies vary between study seeds: the study's table `seed_spread.csv`; `sd` needs two seeds."""
    groups = seeds.groupby([*KEY, "method"], sort=False)["accuracy"]
    return groups.agg(seeds="size", mean="mean", sd="std", lowest="min", highest="max").reset_index()
