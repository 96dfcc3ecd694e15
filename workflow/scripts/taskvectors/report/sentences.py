"""Sentences with numbers, all made from the study's tables."""

import pandas as pd

from taskvectors.analysis.conclusions import SHOWN
from taskvectors.analysis.roles import Tables, main_tasks
from taskvectors.names import ALL, CENTRED
from taskvectors.report.cells import METHODS, Config, in_points, percent, range_of, span


def lead(tables: Tables, config: Config) -> str:
    """The answer in three sentences with numbers, over all models."""
    accuracy, controls, differences, conclusions = (
        tables[name] for name in ("accuracy", "controls", "differences", "conclusions")
    )
    pooled = accuracy[accuracy["task"] == ALL].set_index("method")["accuracy"]
    paired = differences[differences["task"] == ALL].set_index("reference")["difference"]
    values = conclusions.set_index("claim")["value"]
    reached, undecided = reached_tasks(main_tasks(controls))
    overrides = (
        f"; θ of a conflicting task overrides demonstrations in {range_of(values, 'overrides')} of prompts, at the common layer in "
        f"{range_of(values, 'overrides_common')}"
        if "overrides" in values
        else ""
    )
    held = conclusions[conclusions["claim"].str.startswith("holds_")]["verdict"]
    limits = (
        f", and in {len(held)} tests one vector is shown to hold a task of the limits {(held == SHOWN).sum()} times"
        if len(held)
        else ""
    )
    return (
        f"With {config['episodes']['demonstrations']} demonstrations the models answer {range_of(pooled, 'regular')} of the queries, "
        f"without any {range_of(pooled, 'baseline')}, and without any but with θ patched in {range_of(pooled, 'hypothesis')}. "
        f"On the same episodes θ gives {range_of(-100 * paired, 'regular', '.0f')} points less than the demonstrations and "
        f"{range_of(100 * paired, 'hypothesis_common', '.0f')} points more than one layer for all tasks. "
        f"A control does as well, or may, in {reached.sum()} of {len(reached)} cases (models × tasks; undecided {undecided.sum()})"
        f"{overrides}{limits}."
    )


def answer(tables: Tables, config: Config) -> str:
    """The main finding in one paragraph per model (Markdown)."""
    accuracy, differences, choice = (tables[name] for name in ("accuracy", "differences", "layer_choice"))
    lines = []
    paired = differences[differences["task"] == ALL].set_index(["model", "reference"])
    pooled = accuracy[accuracy["task"] == ALL].set_index(["model", "method"])
    for model in dict.fromkeys(accuracy["model"]):
        base, hypothesis, regular, common = (
            percent(pooled.loc[(model, method)]) for method in (*METHODS, "hypothesis_common")
        )
        of_model = main_tasks(choice[choice["model"] == model])
        lines.append(
            f"**{config['models'][model]['label']}** answers {base} of the test queries without demonstrations, "
            f"{regular} with {config['episodes']['demonstrations']} demonstrations, and {hypothesis} without demonstrations "
            f"but with θ patched in at the layer chosen per task on dev episodes ({common} at the one common layer "
            f"{of_model['common_layer'].iloc[0]}). {_own_layers(of_model)} On the same episodes that is "
            f"{in_points(paired.loc[(model, 'regular')])} points beside the demonstrations and "
            f"{in_points(paired.loc[(model, 'zero_shot')])} beside the bare query. {_reached(tables['controls'], model, config)}"
            f"{_over_seeds(tables['seed_spread'], model)}"
        )
    return "\n\n".join(lines)


def _own_layers(choice: pd.DataFrame) -> str:
    """How many tasks of a model have a layer of their own, and which layers these are."""
    own = choice.loc[choice["own"], "layer"]
    if own.empty:
        return "No task has a layer of its own: nowhere is θ shown to do more than the bare query on dev episodes."
    return (
        f"{len(own)} of {len(choice)} tasks have a layer of their own, where θ does more than the bare query: layers "
        f"{own.min()} to {own.max()}, median {own.median():.0f}."
    )


def _reached(controls: pd.DataFrame, model: str, config: Config) -> str:
    """Which tasks are no evidence by themselves, because a control does as well."""
    reached, undecided = reached_tasks(main_tasks(controls[controls["model"] == model]))
    tasks = [
        config["tasks"][task]["label"] + (" (?)" if undecided[model, task] else "")
        for _, task in reached[reached].index
    ]
    if not tasks:
        return "No control reaches it in any task."
    unsure = f", undecided (?) in {undecided.sum()} of them" if undecided.any() else ""
    return f"In {len(tasks)} of {len(reached)} tasks a control does as well, or may{unsure}: {', '.join(tasks)}."


def _over_seeds(spread: pd.DataFrame, model: str) -> str:
    """How the mean hypothesis accuracy varies between study seeds, if there are several."""
    row = spread[(spread["model"] == model) & (spread["task"] == ALL) & (spread["method"] == "hypothesis")].iloc[0]
    if row["seeds"] == 1:
        return ""
    return f" Over {row['seeds']} study seeds the mean hypothesis accuracy runs from {row['lowest']:.0%} to {row['highest']:.0%}."


def distance_words(tables: Tables, config: Config) -> str:
    """Mean cosine distances within and between tasks, the range over tasks, of our models and the published one."""
    geometry, choice, published = tables["geometry"], tables["layer_choice"], tables["paper/distances"]
    common = choice.groupby("model")["common_layer"].first()
    ours = geometry[(geometry["layer"] == geometry["model"].map(common)) & (geometry["task"] != ALL)]
    words = []
    for (model, states), table in ours.groupby(["model", "states"], sort=False):
        ends = [span(table[f"{kind}_mean"]) for kind in ("within", "between")]
        less = " less the mean over tasks" if states == CENTRED else ""
        words.append(f"{config['models'][model]['label']}{less} {ends[0]} and {ends[1]}")
    for model, table in published.groupby("model", sort=False):
        rows = table.set_index("kind")
        ends = [f"{rows.loc[kind, 'lowest']:.2f}–{rows.loc[kind, 'highest']:.2f}" for kind in ("within", "between")]
        words.append(f"{model}, published, {ends[0]} and {ends[1]}")
    return f"Mean cosine distances within a task and to other tasks, the range over tasks: {'; '.join(words)}."


def reached_tasks(controls: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """By model and task: whether a control reaches the hypothesis, and whether that is undecided of each that does."""
    key = [controls["model"], controls["task"]]
    reached = controls["reached"].groupby(key, sort=False).any()
    sure = (controls["reached"] & ~controls["undecided"]).groupby(key, sort=False).any()
    return reached, reached & ~sure
