"""Rivals of θ side by side; the effects of attention heads, and what is lost without the strongest."""

from collections.abc import Collection, Mapping
from functools import reduce

import pandas as pd

from taskvectors.names import ALL, KEY
from taskvectors.observations.intervals import ANSWERS, DIFFERENCES, NUMBERS
from taskvectors.observations.rows import Kinds, with_kinds
from taskvectors.observations.summaries import over_tasks, paired, summarized, with_bounds

THETA, REGULAR = "theta", "regular"
RANDOM = "random_heads"
TOP_HEADS = 10  # of the largest effects: ringed in the figure and listed in the table; the captions say ten
SETTING = ["layer", "strength", "heads"]
COMPARED = {"to_theta": THETA, "to_regular": REGULAR}  # paired differences of accuracy
COLUMNS = [*KEY, "representation", "label", "kind", *SETTING, "n"]
COLUMNS += [*with_bounds("accuracy", "divergence", *COMPARED), "forward", "backward", "left_out"]

ByMethod = Mapping[str, pd.DataFrame]  # predictions of every method; task and episode in the index


def rivals(predictions: pd.DataFrame, model: str, kinds: Kinds, able: Collection[str], seed: int) -> pd.DataFrame:
    """Every representation by task and on the mean over tasks: the study's table `rivals.csv`.

    A representation that is left out has the reason; on the mean over tasks, the tasks that it is without. Costs are
    over all tasks together, and are in that row.

    Args:
        predictions: as `taskvectors.questions.rivals.measure` returns them.
        able: tasks above the floor.
        seed: of the bootstrap over episodes.
    """
    test = predictions[predictions["split"] == "test"]
    answered = _by_method(test[test["left_out"].isna()])
    tables = []
    for name, of_method in test.groupby("method", sort=False):
        reasons = of_method.dropna(subset="left_out").drop_duplicates("task").set_index("task")["left_out"].to_dict()
        if name in answered:
            table = _rows(str(name), answered, able, seed)
            table["left_out"] = None
            if reasons:
                table.loc[table["task"] == ALL, "left_out"] = f"without {', '.join(reasons)}"
            tables.append(table)
        elif reasons:
            reasons[ALL] = next(iter(reasons.values()))
        rows = [{"task": task, "representation": name, "n": 0, "left_out": reason} for task, reason in reasons.items()]
        tables.append(pd.DataFrame(rows))
    table, named = pd.concat(tables, ignore_index=True), test.drop_duplicates("method").set_index("method")
    table = table.assign(**{column: table["representation"].map(named[column]) for column in ("label", "kind")})
    return with_kinds(table, model, kinds).reindex(columns=COLUMNS).astype(dict.fromkeys(("layer", "heads"), "Int64"))


def _by_method(predictions: pd.DataFrame) -> ByMethod:
    return {str(name): rows.set_index(["task", "episode"]) for name, rows in predictions.groupby("method", sort=False)}


def _rows(name: str, answered: ByMethod, able: Collection[str], seed: int) -> pd.DataFrame:
    """One representation in every task, and on the mean over tasks."""
    own = answered[name]
    constants = own[SETTING].groupby(level="task", sort=False).first()
    table = _compared(
        own, {column: answered.get(other) for column, other in COMPARED.items() if other != name}, seed, able
    )
    divergence = summarized(own["divergence"], "divergence", NUMBERS, seed, able=able).drop(columns="n")
    table = table.merge(divergence, "left", "task").assign(representation=name)
    for column in SETTING:
        table[column] = table["task"].map(constants[column]).fillna(constants[column].iloc[0])
    for cost in ("forward", "backward"):
        table[cost] = own[cost].iloc[0] if len(table) else None
        table[cost] = table[cost].where(table["task"] == ALL)
    return table


def _compared(
    own: pd.DataFrame, others: Mapping[str, pd.DataFrame | None], seed: int, able: Collection[str] | None = None
) -> pd.DataFrame:
    """Accuracy by task and on the mean over tasks, and paired differences to others, by column."""
    correct = own["correct"].astype(float)
    tables = [summarized(correct, "accuracy", ANSWERS, seed, able=able)]
    for column, other in others.items():
        difference = pd.Series(dtype=float) if other is None else paired(correct, other["correct"].astype(float))
        if len(difference):
            tables.append(summarized(difference, column, DIFFERENCES, seed, able=able).drop(columns="n"))
    return reduce(lambda left, right: left.merge(right, "left", "task"), tables)


def doses(observations: pd.DataFrame, model: str, heads: int, seed: int) -> pd.DataFrame:
    """Accuracy by number of heads, mean over tasks: the study's table `doses.csv`.

    Args:
        observations: as `taskvectors.questions.rivals.doses` returns them.
        heads: of the model.
        seed: of the bootstrap over episodes.
    """
    rows = []
    for (kind, number), of_dose in observations.groupby(["subject", "step"], sort=False):
        by_episode = of_dose.groupby(["task", "episode"], sort=False)["value"].mean()
        draws = of_dose.groupby(of_dose["draw"].fillna(-1)).apply(
            lambda draw: draw.groupby("task")["value"].mean().mean(), include_groups=False
        )
        row = {"model": model, "kind": kind, "heads": number, "share": number / heads, "draws": len(draws)}
        rows.append(
            row | over_tasks(by_episode, "accuracy", ANSWERS, seed) | {"lowest": draws.min(), "highest": draws.max()}
        )
    columns = ["model", "kind", "heads", "share", "draws", "n", *with_bounds("accuracy"), "lowest", "highest"]
    return pd.DataFrame(rows, columns=columns)


def head_effects(effects: pd.DataFrame, model: str, seed: int) -> pd.DataFrame:
    """The causal indirect effect of every head, mean over tasks: the study's table `heads.csv`; rank 1 has the
    largest.

    Args:
        effects: as `taskvectors.questions.rivals.heads` returns them.
        seed: of the bootstrap over trials.
    """
    rows = [
        {"model": model, "layer": layer, "head": head}
        | over_tasks(trials.set_index("task")["effect"], "effect", NUMBERS, seed)
        for (layer, head), trials in effects.groupby(["layer", "head"])
    ]
    table = pd.DataFrame(rows, columns=["model", "layer", "head", "n", *with_bounds("effect")])
    table["rank"] = table["effect"].rank(ascending=False, method="first").astype(int)
    return table


def ablation(predictions: pd.DataFrame, model: str, kinds: Kinds, seed: int) -> pd.DataFrame:
    """Accuracy with demonstrations, with all heads and without some: the study's table `ablation.csv`.

    `to_random` is the paired difference to as many random heads of the same layers.
    """
    by_method = _by_method(predictions)
    columns = ["ablated", "heads", "n", *with_bounds("accuracy", "to_random")]
    tables = [pd.DataFrame(columns=["task", *columns])]
    for name, own in by_method.items():
        others = {} if name == RANDOM else {"to_random": by_method[RANDOM]}
        tables.append(_compared(own, others, seed).assign(ablated=name, heads=own["heads"].iloc[0]))
    table = pd.concat([table for table in tables if len(table)] or tables, ignore_index=True)
    return with_kinds(table, model, kinds).reindex(columns=[*KEY, *columns])
