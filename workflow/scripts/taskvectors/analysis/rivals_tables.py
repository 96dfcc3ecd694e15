"""Rivals of θ side by side; the effects of attention heads, and what is lost without the strongest."""

from collections.abc import Iterator, Mapping

import pandas as pd

from taskvectors.analysis.roles import with_kinds
from taskvectors.analysis.statistics import ANSWERS, DIFFERENCES, mean_in_columns, wilson
from taskvectors.names import ALL, KEY

THETA, REGULAR = "theta", "regular"
RANDOM = "random_heads"
SETTING = ["layer", "strength", "heads"]
ACCURACY = ["accuracy", "ci_low", "ci_high"]
EFFECT = ["effect", "ci_low", "ci_high"]
COMPARED = {"to_theta": THETA, "to_regular": REGULAR}  # paired differences of accuracy

Kinds = Mapping[str, Mapping[str, str]]  # of every task its family and role


def _with_bounds(name: str) -> list[str]:
    return [name, f"{name}_ci_low", f"{name}_ci_high"]


COLUMNS = [*KEY, "representation", "label", "kind", *SETTING, "n", *ACCURACY]
COLUMNS += [column for name in ("divergence", *COMPARED) for column in _with_bounds(name)]
COLUMNS += ["forward", "backward", "left_out"]


def rivals(predictions: pd.DataFrame, model: str, kinds: Kinds, seed: int) -> pd.DataFrame:
    """Every representation by task and on the mean over tasks: the study's table `rivals.csv`.

    Accuracy by task has Wilson's interval; all else, and the means over tasks, have 95% bootstrap intervals over episodes.
    Differences are of the same episodes, and to others. Of a representation that is left out there is the
    reason, and on the mean over tasks the tasks that it is without. Costs are of all tasks together, and stand in their row.

    Args:
        predictions: as `taskvectors.experiments.rivals` gives them.
        seed: of the bootstrap over episodes.
    """
    test = predictions[predictions["split"] == "test"]
    answered = _by_method(test[test["left_out"].isna()])
    rows = []
    for name, of_method in test.groupby("method", sort=False):
        own = answered.get(name)
        of_groups = [] if own is None else [_row(task, name, group, answered, seed) for task, group in _groups(own)]
        reasons = of_method.dropna(subset="left_out").drop_duplicates("task").set_index("task")["left_out"].to_dict()
        if reasons and not of_groups:
            reasons[ALL] = next(iter(reasons.values()))
        elif reasons:
            of_groups[-1]["left_out"] = f"without {', '.join(reasons)}"
        rows += of_groups
        rows += [{"task": task, "representation": name, "n": 0, "left_out": reason} for task, reason in reasons.items()]
    table, called = pd.DataFrame(rows), test.drop_duplicates("method").set_index("method")
    table = table.assign(**{column: table["representation"].map(called[column]) for column in ("label", "kind")})
    return with_kinds(table, model, kinds).reindex(columns=COLUMNS).astype(dict.fromkeys(("layer", "heads"), "Int64"))


def _by_method(predictions: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Predictions of every method, by task and episode."""
    return {str(name): rows.set_index(["task", "episode"]) for name, rows in predictions.groupby("method", sort=False)}


def _groups(own: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of every task, then those of all."""
    tasks = list(dict.fromkeys(own.index.get_level_values("task")))
    yield from ((task, own.loc[[task]]) for task in tasks)
    yield ALL, own.loc[tasks]


def _row(task: str, name: str, own: pd.DataFrame, answered: Mapping[str, pd.DataFrame], seed: int) -> dict[str, object]:
    """Of one representation, in one task or in all."""
    row = {"task": task, "representation": name, "n": len(own), **{column: own[column].iloc[0] for column in SETTING}}
    row |= _accuracy(task, own, seed) | mean_in_columns(_with_bounds("divergence"), own["divergence"], seed)
    for column, reference in COMPARED.items():
        if reference in answered and reference != name:
            row |= _difference(column, own, answered[reference], seed)
    return row | ({way: own[way].iloc[0] for way in ("forward", "backward")} if task == ALL else {})


def _accuracy(task: str, own: pd.DataFrame, seed: int) -> dict[str, float]:
    """The share of correct answers: Wilson's interval in a task, that of the bootstrap over all."""
    correct = own["correct"].astype(float)
    if task == ALL:
        return mean_in_columns(ACCURACY, correct, seed, ANSWERS)
    return dict(zip(ACCURACY, (correct.mean(), *wilson(int(correct.sum()), len(correct))), strict=True))


def _difference(name: str, own: pd.DataFrame, other: pd.DataFrame, seed: int) -> dict[str, float]:
    """How much more is correct than of another, on the episodes that both have; nothing if there are none."""
    correct = own["correct"].astype(float)
    difference = (correct - other["correct"].astype(float).reindex(correct.index)).dropna()
    return mean_in_columns(_with_bounds(name), difference, seed, DIFFERENCES) if len(difference) else {}


def head_effects(effects: pd.DataFrame, model: str, seed: int) -> pd.DataFrame:
    """The causal indirect effect of every head, mean over tasks: the study's table `heads.csv`; rank 1 has the largest.

    Args:
        effects: as `taskvectors.experiments.measure_heads` gives them.
        seed: of the bootstrap over trials.
    """
    rows = [
        {"model": model, "layer": layer, "head": head, "n": len(trials)}
        | mean_in_columns(EFFECT, trials.set_index("task")["effect"], seed)
        for (layer, head), trials in effects.groupby(["layer", "head"])
    ]
    table = pd.DataFrame(rows, columns=["model", "layer", "head", "n", *EFFECT])
    table["rank"] = table["effect"].rank(ascending=False, method="first").astype(int)
    return table


def ablation(predictions: pd.DataFrame, model: str, kinds: Kinds, seed: int) -> pd.DataFrame:
    """Accuracy with demonstrations, with all heads and without some: the study's table `ablation.csv`.

    `to_random` is the paired difference to the same number of random heads of the same layers; they have none.
    """
    by_method = _by_method(predictions)
    rows = [
        {"task": task, "ablated": name, "heads": group["heads"].iloc[0], "n": len(group)}
        | _accuracy(task, group, seed)
        | ({} if name == RANDOM else _difference("to_random", group, by_method[RANDOM], seed))
        for name, own in by_method.items()
        for task, group in _groups(own)
    ]
    columns = ["ablated", "heads", "n", *ACCURACY, *_with_bounds("to_random")]
    return with_kinds(pd.DataFrame(rows, columns=["task", *columns]), model, kinds).reindex(columns=[*KEY, *columns])
