"""Accuracy by layer, and the choice of layers on dev episodes (paper, section 3.2)."""

import pandas as pd

from taskvectors.names import KEY
from taskvectors.observations.intervals import DIFFERENCES
from taskvectors.observations.rows import main_tasks
from taskvectors.observations.summaries import by_episode, interval, shares, with_bounds


def layer_sweep(predictions: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of the patched model by task, split and layer: the study's table `layer_sweep.csv`."""
    return shares(predictions[predictions["method"] == "hypothesis"], [*KEY, "split", "layer"])


def layer_choice(predictions: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The layer at which θ of a task is patched, chosen on dev episodes: the study's table `layer_choice.csv`.

    A task has a layer of its own (`own`) only where θ does something there: at its best layer θ beats the unpatched
    prompt on the same episodes, the 95% interval of the paired difference `gain` above zero. Other tasks use the
    common layer, the one with the best mean over main tasks. Of layers equally good for a task, the better one for all
    tasks is taken.

    Args:
        predictions: of one study seed; methods `hypothesis`, at every layer, and `zero_shot` of dev episodes.
        seed: of the bootstrap over episodes.

    Returns:
        Columns model, family, role, task; layer, own; best_layer, n, dev_accuracy (there) and its bounds; unpatched
        (the dev accuracy of the bare prompt), gain and its bounds; paper_layer, by the paper's rule (section 3.2): the
        best dev accuracy, whatever it is, the lowest layer on a tie; common_layer.
    """
    dev = predictions[predictions["split"] == "dev"]
    sweep = layer_sweep(dev)
    over_tasks = main_tasks(sweep).groupby("layer")["accuracy"].mean()
    sweep["over_tasks"] = sweep["layer"].map(over_tasks)
    paper = sweep.loc[sweep.groupby("task", sort=False)["accuracy"].idxmax()].set_index("task")["layer"]
    ranked = sweep.sort_values(["accuracy", "over_tasks"], ascending=False, kind="stable")
    best = ranked.groupby("task").head(1).set_index("task").loc[list(dict.fromkeys(sweep["task"]))].reset_index()
    bare = by_episode(dev[dev["method"] == "zero_shot"])
    at_best = dev[(dev["method"] == "hypothesis") & (dev["layer"] == dev["task"].map(best.set_index("task")["layer"]))]
    gains = by_episode(at_best) - bare
    choice = best[[*KEY, "layer", "n", *with_bounds("accuracy")]]
    dev_columns = dict(zip(with_bounds("accuracy"), with_bounds("dev_accuracy"), strict=True))
    choice = choice.rename(columns={"layer": "best_layer", **dev_columns})
    choice["unpatched"] = choice["task"].map(bare.groupby("task").mean())
    choice[with_bounds("gain")] = [interval(gains.loc[[task]], DIFFERENCES, seed) for task in best["task"]]
    common = over_tasks.idxmax()
    choice.insert(len(KEY), "own", choice["gain_low"] > 0)
    choice.insert(len(KEY), "layer", choice["best_layer"].where(choice["own"], common))
    return choice.assign(paper_layer=choice["task"].map(paper), common_layer=common)
