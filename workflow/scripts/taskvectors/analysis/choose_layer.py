"""Accuracy by layer, and the choice of layers on dev episodes (paper, section 3.2)."""

import pandas as pd

from taskvectors.analysis.roles import main_tasks
from taskvectors.analysis.statistics import DIFFERENCES, accuracies, bootstrap_mean
from taskvectors.names import KEY


def layer_sweep(predictions: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of the patched model by task, split and layer, of tidy predictions: the study's table `layer_sweep.csv`."""
    return accuracies(predictions[predictions["method"] == "hypothesis"], [*KEY, "split", "layer"])


def layer_choice(predictions: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The layer at which θ of a task is patched, chosen on dev episodes: the study's table `layer_choice.csv`.

    A task has a layer of its own (`own`) only where θ does something there: at its best layer θ beats the unpatched prompt on
    the same episodes, the 95% interval of the paired difference `gain` above zero. For any other task the common layer stands
    in, the one with the best mean over tasks, limits aside. Of layers equally good for a task, the better one for all tasks is
    taken.

    Args:
        predictions: tidy, of one study seed; methods `hypothesis`, at every layer, and `zero_shot` of dev episodes.
        seed: of the bootstrap over episodes.

    Returns:
        Columns model, family, task; layer, own; best_layer, n, dev_accuracy (there), ci_low, ci_high; unpatched (the dev accuracy
        of the bare prompt), gain, gain_ci_low, gain_ci_high; paper_layer, by the paper's rule (section 3.2): the best dev
        accuracy, whatever it is, the lowest on a tie; common_layer.
    """
    dev = predictions[predictions["split"] == "dev"]
    sweep = layer_sweep(dev)
    over_tasks = main_tasks(sweep).groupby("layer")["accuracy"].mean()
    sweep["over_tasks"] = sweep["layer"].map(over_tasks)
    paper = sweep.loc[sweep.groupby("task", sort=False)["accuracy"].idxmax()].set_index("task")["layer"]
    ranked = sweep.sort_values(["accuracy", "over_tasks"], ascending=False, kind="stable")
    best = ranked.groupby("task").head(1).set_index("task").loc[list(dict.fromkeys(sweep["task"]))].reset_index()
    bare = dev[dev["method"] == "zero_shot"].set_index(["task", "episode"])["correct"].astype(float)
    at_best = dev[(dev["method"] == "hypothesis") & (dev["layer"] == dev["task"].map(best.set_index("task")["layer"]))]
    gains = at_best.set_index(["task", "episode"])["correct"] - bare
    intervals = [bootstrap_mean([gains[task].to_numpy()], seed, DIFFERENCES) for task in best["task"]]
    choice = best[[*KEY, "layer", "n", "accuracy", "ci_low", "ci_high"]]
    choice = choice.rename(columns={"layer": "best_layer", "accuracy": "dev_accuracy"})
    choice["unpatched"] = choice["task"].map(bare.groupby("task").mean())
    choice[["gain", "gain_ci_low", "gain_ci_high"]] = intervals
    common = over_tasks.idxmax()
    choice.insert(len(KEY), "own", choice["gain_ci_low"] > 0)
    choice.insert(len(KEY), "layer", choice["best_layer"].where(choice["own"], common))
    return choice.assign(paper_layer=choice["task"].map(paper), common_layer=common)
