"""Accuracy by layer, and the choice of layers on dev episodes (paper, section 3.2)."""

from collections.abc import Collection

import pandas as pd

from taskvectors.names import FLOOR, KEY, LIMIT
from taskvectors.observations.intervals import DIFFERENCES
from taskvectors.observations.rows import main_tasks
from taskvectors.observations.summaries import by_episode, interval, paired, shares, with_bounds

GUESSED_DIRECTION = 0.5  # accuracy in a bijection of a model that always answers in one direction


def layer_sweep(predictions: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of the patched model by task, split and layer: the study's table `layer_sweep.csv`."""
    return shares(predictions[predictions["method"] == "hypothesis"], [*KEY, "split", "layer"])


def layer_choice(predictions: pd.DataFrame, seed: int, bijections: Collection[str] = ()) -> pd.DataFrame:
    """The layer at which θ of a task is patched, chosen on dev episodes: the study's table `layer_choice.csv`.

    The top block is never chosen: θ there cannot use the query. A task has a layer of its own (`own`) only where θ
    does something there: at its best layer θ beats the unpatched prompt on the same episodes, and θ at the top block,
    too, the 95% intervals of the paired differences `gain` and `gain_over_top` above zero. Other tasks use the common
    layer, the one with the best mean over main tasks. Of layers equally good for a task, the better one for all tasks
    is taken.

    Args:
        predictions: of one study seed; of dev episodes methods `hypothesis`, at every layer, `zero_shot` and
            `regular`, and for limits `shown_answer`.
        seed: of the bootstrap over episodes.
        bijections: tasks that have two directions.

    Returns:
        Columns model, family, role, task; layer, own; best_layer, n, dev_accuracy (there) and its bounds; unpatched
        (the dev accuracy of the bare prompt), gain and gain_over_top and their bounds; paper_layer, by the paper's
        rule (section 3.2): the best dev accuracy, whatever it is, the lowest layer on a tie; common_layer; dev_regular
        and its bounds; able (see `_able`).
    """
    dev = predictions[predictions["split"] == "dev"]
    sweep = layer_sweep(dev)
    paper = sweep.loc[sweep.groupby("task", sort=False)["accuracy"].idxmax()].set_index("task")["layer"]
    top = sweep["layer"].max()
    below = sweep[sweep["layer"] < top] if top > 0 else sweep
    over_tasks = main_tasks(below).groupby("layer")["accuracy"].mean()
    below = below.assign(over_tasks=below["layer"].map(over_tasks))
    ranked = below.sort_values(["accuracy", "over_tasks"], ascending=False, kind="stable")
    best = ranked.groupby("task").head(1).set_index("task").loc[list(dict.fromkeys(below["task"]))].reset_index()
    bare, patched = (by_episode(dev[dev["method"] == "zero_shot"]), dev[dev["method"] == "hypothesis"])
    at_best = by_episode(patched[patched["layer"] == patched["task"].map(best.set_index("task")["layer"])])
    at_top = by_episode(patched[patched["layer"] == top])
    choice = best[[*KEY, "layer", "n", *with_bounds("accuracy")]]
    dev_columns = dict(zip(with_bounds("accuracy"), with_bounds("dev_accuracy"), strict=True))
    choice = choice.rename(columns={"layer": "best_layer", **dev_columns})
    choice["unpatched"] = choice["task"].map(bare.groupby("task").mean())
    for column, reference in (("gain", bare), ("gain_over_top", at_top)):
        gains = at_best - reference
        choice[with_bounds(column)] = [interval(gains.loc[[task]], DIFFERENCES, seed) for task in best["task"]]
    common = over_tasks.idxmax()
    choice.insert(len(KEY), "own", (choice["gain_low"] > 0) & (choice["gain_over_top_low"] > 0))
    choice.insert(len(KEY), "layer", choice["best_layer"].where(choice["own"], common))
    choice = choice.assign(paper_layer=choice["task"].map(paper), common_layer=common)
    regular = shares(dev[dev["method"] == "regular"], ["task"], "dev_regular").drop(columns="n")
    choice = choice.merge(regular, "left", "task")
    return choice.assign(able=[_able(row, dev, seed, bijections) for _, row in choice.iterrows()])


def _able(row: pd.Series, dev: pd.DataFrame, seed: int, bijections: Collection[str]) -> bool:
    """Whether the model does a task with demonstrations, on dev episodes: the task is above the floor.

    A main task is from an accuracy of `FLOOR` on. A limit must be beyond chance: above the commonest answer that the
    demonstrations show, the interval of the paired difference above zero; a bijection with an interval above one half,
    as its direction can be guessed.
    """
    if row["role"] != LIMIT:
        return bool(row["dev_regular"] >= FLOOR)
    of_task = dev[dev["task"] == row["task"]]
    regular, shown = (by_episode(of_task[of_task["method"] == method]) for method in ("regular", "shown_answer"))
    beyond = paired(regular, shown)
    above_shown = len(beyond) > 0 and interval(beyond, DIFFERENCES, seed)[1] > 0
    return bool(above_shown and (row["task"] not in bijections or row["dev_regular_low"] > GUESSED_DIRECTION))
