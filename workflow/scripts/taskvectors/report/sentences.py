"""Sentences with numbers, all made from the study's tables."""

from collections.abc import Callable

import pandas as pd

from taskvectors.analysis.findings import NO_BASIS, REFUTED, SHOWN, UNDECIDED
from taskvectors.analysis.roles import Tables, main_tasks
from taskvectors.names import ALL, CENTRED
from taskvectors.report.cells import METHODS, Config, how_many, in_points, percent, span

FEW_MODELS = 3  # whose numbers a sentence names one by one; of more it gives the range


def lead(tables: Tables, config: Config) -> str:
    """The answer in a few sentences with numbers, over all models."""
    accuracy, controls, differences, conclusions = (
        tables[name] for name in ("accuracy", "controls", "differences", "conclusions")
    )
    pooled = accuracy[accuracy["task"] == ALL].pivot(index="model", columns="method", values="accuracy")
    paired = differences[differences["task"] == ALL].pivot(index="model", columns="reference", values="difference")
    pooled, paired = (table.reindex(list(dict.fromkeys(accuracy["model"]))) for table in (pooled, paired))
    values = conclusions.pivot(index="model", columns="claim", values="value")
    sentences = [
        _in_a_word(conclusions, config),
        f"Without demonstrations the models answer {_by_model(pooled['zero_shot'], config)} of the test queries, with "
        f"{how_many(config['episodes']['demonstrations'], 'demonstration')} {_by_model(pooled['regular'], config)}, and with θ alone "
        f"{_by_model(pooled['hypothesis'], config)}.",
        f"On the same queries θ is {_by_model(100 * paired['regular'], config, _points)} beside the demonstrations.",
        _of_controls(controls),
    ]
    if "overrides" in values:
        overrides = _by_model(values["overrides"].reindex(pooled.index), config)
        sentences.append(
            f"Patched into a prompt with demonstrations of another task, θ overrides them in {overrides} of prompts."
        )
    return " ".join([*sentences, *_of_limits(conclusions)])


def _by_model(values: pd.Series, config: Config, written: Callable[[float], str] = "{:.0%}".format) -> str:
    """A number of every model, such as 51% (Model M) and 74% (Model N); of many models the range."""
    there = values.dropna()
    if there.empty:
        return "–"
    if len(there) == 1:
        return written(there.iloc[0])
    if len(there) > FEW_MODELS:
        return f"{written(there.min())} to {written(there.max())}"
    *first, last = (f"{written(value)} ({config['models'][model]['label']})" for model, value in there.items())
    return f"{', '.join(first)} and {last}"


def _points(points: float) -> str:
    """Percentage points with their sign."""
    return f"{round(points) + 0:+d} points".replace("-", "−").replace("+0 ", "0 ")


def _in_a_word(conclusions: pd.DataFrame, config: Config) -> str:
    """Whether θ alone makes the models do the tasks, by the verdicts."""
    verdicts = conclusions[conclusions["claim"] == "vector_does_task"].set_index("model")["verdict"]
    shown = [config["models"][model]["label"] for model, verdict in verdicts.items() if verdict == SHOWN]
    if len(shown) == len(verdicts):
        return "**Yes: θ alone makes the model do the tasks**" + (", in every model here." if len(shown) > 1 else ".")
    if shown:
        return f"**θ alone makes some models do the tasks**: {', '.join(shown)}. In the others that is not shown."
    return "**That θ alone makes the model do the tasks is not shown here.**"


def _of_controls(controls: pd.DataFrame) -> str:
    """In how many cases something simpler does as well."""
    reached, undecided = reached_tasks(main_tasks(controls))
    sure, unsure = int((reached & ~undecided).sum()), int(undecided.sum())
    cases = f"{len(reached)} cases (a model and a task)"
    if not sure + unsure:
        return f"In none of {cases} does a control do as well as θ."
    more = f"; in {unsure} more it may, as the episodes are too few to tell" if unsure else ""
    return f"In {sure or 'none'} of {cases} a control does as well as θ{more}."


def _of_limits(conclusions: pd.DataFrame) -> list[str]:
    """What was found where one vector may not suffice."""
    held = conclusions[conclusions["claim"].str.startswith("holds_")]["verdict"]
    if held.empty:
        return []
    counts = held.value_counts()
    parts = [
        (
            counts.get(NO_BASIS, 0),
            "cannot tell, because the model fails even with demonstrations or episodes are too few",
        )
    ]
    parts += [(counts.get(SHOWN, 0), "one vector holds the task"), (counts.get(REFUTED, 0), "one vector is not enough")]
    parts += [(counts.get(UNDECIDED, 0), "the interval leaves it open")]
    found = "; in ".join(f"{count} {words}" for count, words in parts if count)
    found = found if counts.get(NO_BASIS) else f"in {found}"
    return [f"Of {len(held)} tests whether one vector can hold a harder task: {found}."]


def answer(tables: Tables, config: Config) -> str:
    """The main finding in one paragraph per model (Markdown); all numbers are of the test episodes."""
    accuracy, differences, choice = (tables[name] for name in ("accuracy", "differences", "layer_choice"))
    lines = []
    paired = differences[differences["task"] == ALL].set_index(["model", "reference"])
    pooled = accuracy[accuracy["task"] == ALL].set_index(["model", "method"])
    for model in dict.fromkeys(accuracy["model"]):
        bare, hypothesis, regular, common = (
            percent(pooled.loc[(model, method)]) for method in ("zero_shot", *METHODS[1:], "hypothesis_common")
        )
        of_model = main_tasks(choice[choice["model"] == model])
        lines.append(
            f"**{config['models'][model]['label']}** answers {bare} of the test queries without demonstrations, "
            f"{regular} with {how_many(config['episodes']['demonstrations'], 'demonstration')}, and {hypothesis} without "
            f"demonstrations but with θ patched in, at the layer chosen for each task on dev episodes. At one layer for all tasks, "
            f"{of_model['common_layer'].iloc[0]}, it is {common}. On the same queries that is "
            f"{in_points(paired.loc[(model, 'regular')])} points beside the demonstrations and "
            f"{in_points(paired.loc[(model, 'zero_shot')])} beside the bare query. {_own_layers(of_model)} "
            f"{_reached(tables['controls'], model, config)}{_over_seeds(tables['seed_spread'], model)}"
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
    labels = {task: config["tasks"][task]["label"] for _, task in reached.index}
    sure = [labels[task] for model, task in reached[reached & ~undecided].index]
    unsure = [labels[task] for model, task in undecided[undecided].index]
    parts = [f"In {how_many(len(sure), 'task')} a control does as well as θ: {', '.join(sure)}."] if sure else []
    if unsure:
        parts.append(
            f"In {how_many(len(unsure), 'task')} it may, as episodes are too few to tell: {', '.join(unsure)}."
        )
    return " ".join(parts) or "No control reaches θ in any task."


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
