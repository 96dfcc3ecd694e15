"""Rivals of θ side by side; the effects of attention heads, and what is lost without the strongest."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from taskvectors.analysis.accuracy import tidy
from taskvectors.analysis.names import ALL, KEY, MAIN
from taskvectors.analysis.statistics import bootstrap_mean, wilson

THETA, REGULAR = "theta", "regular"
RANDOM = "random_heads"
SETTING = ["layer", "strength", "heads"]
COMPARED = {"to_theta": THETA, "to_regular": REGULAR}  # paired differences of accuracy

Kinds = Mapping[str, Mapping[str, str]]  # of every task its family and role


def rivals(predictions: pd.DataFrame, model: str, kinds: Kinds, seed: int) -> pd.DataFrame:
    """Every representation by task and on the mean over tasks: the study's table `rivals.csv`.

    Accuracy by task has Wilson's interval; all else, and the means over tasks, have 95% bootstrap intervals over episodes.
    Differences are of the same episodes. Of a representation that is left out there is the
    reason, and on the mean over tasks the tasks that it is without. Costs are of all tasks together, and stand in their row.

    Args:
        predictions: as `taskvectors.experiments.rivals` gives them.
        seed: of the bootstrap over episodes.
    """
    test = tidy(predictions[predictions["split"] == "test"], model, kinds)
    answered = test[test["left_out"].isna()]
    by_method = {name: its.set_index(["task", "episode"]) for name, its in answered.groupby("method", sort=False)}
    rows = []
    for name in dict.fromkeys(test["method"]):
        own = by_method.get(name)
        tasks = [] if own is None else list(dict.fromkeys(own.index.get_level_values("task")))
        if own is not None:
            groups = [(task, [task]) for task in tasks] + [(ALL, tasks)]
            rows += [_row(task, name, own.loc[of], by_method, seed) for task, of in groups]
        absent = test[(test["method"] == name) & test["left_out"].notna()]
        reasons = absent.drop_duplicates("task").set_index("task")["left_out"].to_dict()
        if reasons and own is None:
            reasons[ALL] = next(iter(reasons.values()))
        elif reasons:
            rows[-1]["left_out"] = f"without {', '.join(reasons)}"
        rows += [{"task": task, "representation": name, "n": 0, "left_out": reason} for task, reason in reasons.items()]
    table = pd.DataFrame(rows)
    for column in ("label", "kind"):
        table[column] = table["representation"].map(test.drop_duplicates("method").set_index("method")[column])
    return _with_kinds(table, model, kinds).reindex(columns=COLUMNS).astype(dict.fromkeys(("layer", "heads"), "Int64"))


COLUMNS = [*KEY, "representation", "label", "kind", *SETTING, "n", "accuracy", "ci_low", "ci_high"]
for _name in ("divergence", *COMPARED):
    COLUMNS += [_name, f"{_name}_ci_low", f"{_name}_ci_high"]
COLUMNS += ["forward", "backward", "left_out"]


def _row(
    task: str, name: str, own: pd.DataFrame, by_method: Mapping[str, pd.DataFrame], seed: int
) -> dict[str, object]:
    """Of one representation, in one task or in all."""
    correct = own["correct"].astype(float)
    accuracy = bootstrap_mean(_by_task(correct), seed)
    if task != ALL:
        accuracy = (accuracy[0], *wilson(int(correct.sum()), len(correct)))
    row: dict[str, object] = {"task": task, "representation": name, "n": len(own)}
    row |= {column: own[column].iloc[0] for column in SETTING}
    row |= dict(zip(("accuracy", "ci_low", "ci_high"), accuracy, strict=True))
    row |= _with_interval("divergence", bootstrap_mean(_by_task(own["divergence"].astype(float)), seed))
    for column, reference in COMPARED.items():
        if reference in by_method:
            other = by_method[reference]["correct"].astype(float)
            difference = (correct - other.reindex(correct.index)).dropna()
            if len(difference):
                row |= _with_interval(column, bootstrap_mean(_by_task(difference), seed))
    return row | ({way: own[way].iloc[0] for way in ("forward", "backward")} if task == ALL else {})


def _by_task(values: pd.Series) -> list[np.ndarray]:
    return [its.to_numpy() for _, its in values.groupby(level="task")]


def _with_interval(name: str, values: Sequence[float]) -> dict[str, object]:
    return dict(zip((name, f"{name}_ci_low", f"{name}_ci_high"), values, strict=True))


def _with_kinds(table: pd.DataFrame, model: str, kinds: Kinds) -> pd.DataFrame:
    """Model, family and role in front."""
    over_all = {"family": ALL, "role": MAIN}
    named = {kind: table["task"].map({task: its[kind] for task, its in kinds.items()}) for kind in over_all}
    return table.assign(model=model, **{kind: values.fillna(over_all[kind]) for kind, values in named.items()})


def head_effects(effects: pd.DataFrame, model: str, seed: int) -> pd.DataFrame:
    """The causal indirect effect of every head, mean over tasks: the study's table `heads.csv`; rank 1 has the largest.

    Args:
        effects: as `taskvectors.experiments.measure_heads` gives them.
        seed: of the bootstrap over trials.
    """
    rows = []
    for (layer, head), its in effects.groupby(["layer", "head"]):
        groups = [group["effect"].to_numpy(dtype=float) for _, group in its.groupby("task")]
        rows.append((model, layer, head, len(its), *bootstrap_mean(groups, seed)))
    table = pd.DataFrame(rows, columns=["model", "layer", "head", "n", "effect", "ci_low", "ci_high"])
    table["rank"] = table["effect"].rank(ascending=False, method="first").astype(int)
    return table


def ablation(predictions: pd.DataFrame, model: str, kinds: Kinds, seed: int) -> pd.DataFrame:
    """Accuracy with demonstrations, with all heads and without some: the study's table `ablation.csv`.

    `to_random` is the paired difference to the same number of random heads of the same layers.
    """
    by_method = {name: its.set_index(["task", "episode"]) for name, its in predictions.groupby("method", sort=False)}
    rows = []
    for name, its in by_method.items():
        tasks = list(dict.fromkeys(its.index.get_level_values("task")))
        for task, of in [*((task, [task]) for task in tasks), (ALL, tasks)]:
            own = its.loc[of]
            correct = own["correct"].astype(float)
            accuracy = bootstrap_mean(_by_task(correct), seed)
            if task != ALL:
                accuracy = (accuracy[0], *wilson(int(correct.sum()), len(correct)))
            difference = correct - by_method[RANDOM]["correct"].astype(float).reindex(correct.index)
            row = {"task": task, "ablated": name, "heads": own["heads"].iloc[0], "n": len(own)}
            row |= dict(zip(("accuracy", "ci_low", "ci_high"), accuracy, strict=True))
            rows.append(row | _with_interval("to_random", bootstrap_mean(_by_task(difference), seed)))
    columns = [
        *KEY,
        "ablated",
        "heads",
        "n",
        "accuracy",
        "ci_low",
        "ci_high",
        "to_random",
        "to_random_ci_low",
        "to_random_ci_high",
    ]
    return _with_kinds(pd.DataFrame(rows, columns=columns[3:]), model, kinds).reindex(columns=columns)
