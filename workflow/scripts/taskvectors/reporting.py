"""Pieces of the report: sentences with numbers, tables and embedded figures, all made from the study's tables."""

import base64
import html
import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from taskvectors.accuracy import VIEWS
from taskvectors.conclusions import SHOWN
from taskvectors.figures.style import POINTS
from taskvectors.guessing import MARKED_FROM
from taskvectors.prompts import KEPT, WITHOUT
from taskvectors.tables import ALL, CENTRED, LIMITS, at_chosen_layer, main_tasks

CONTROLS = {
    "zero_shot": "zero-shot",
    "majority": "majority answer",
    "copy_query": "copy the query",
    "random_theta": "random vector",
    "other_theta": "θ of another task",
    "last_layer": "θ at last layer",
}
METHODS = ("baseline", "hypothesis", "regular")
Config = Mapping[str, Any]
FEW_PAIRS = 30


def figure_html(path: str, caption: str, *, hover: bool = False) -> str:
    """An SVG file inside the page, with a caption; with `hover`, points tell their task under the mouse."""
    name = Path(path).stem
    if hover:
        drawing = _with_titles(Path(path).read_text(encoding="utf-8"))
    else:
        data = base64.b64encode(Path(path).read_bytes()).decode()
        drawing = f'<img alt="{html.escape(caption)}" src="data:image/svg+xml;base64,{data}">'
    return f'<figure id="{name}"><div class="card">{drawing}</div>{_caption(caption, name)}</figure>'


def _with_titles(svg: str) -> str:
    """The drawing for use inside HTML; the name in the id of a group of points becomes its title."""
    places = itertools.count()
    svg = svg[svg.index("<svg") :]
    return re.sub(
        f"<g id=([\"']){POINTS}(.*?)\\1>",
        lambda found: f'<g id="point-{next(places)}"><title>{found.group(2)}</title>',
        svg,
    )


def escaped(config: Config) -> dict[str, Any]:
    """The configuration with labels that are safe inside Markdown: whatever stands in them is shown, never executed.

    Everything but letters, digits and spaces becomes an HTML entity, which is no HTML, emphasis, link or formula any more.
    """
    safe = dict(config)
    for registry in ("models", "tasks"):
        entries = config[registry].items()
        safe[registry] = {name: {**entry, "label": _entities(entry["label"])} for name, entry in entries}
    return safe


def _entities(label: str) -> str:
    return re.sub(r"[!-/:-@\[-`{-~]", lambda found: f"&#{ord(found.group())};", label)


def _caption(caption: str, name: str) -> str:
    link = f'<a class="anchor" href="#{name}" aria-label="Link to {name}">#</a>'
    return f"<figcaption>{html.escape(caption)}{link}</figcaption>"


def table_html(table: pd.DataFrame, name: str, caption: str, *, prose: bool = False) -> str:
    """A table inside the page, under an anchor of its name; every cell is escaped. One of prose breaks its lines."""
    filled = table.rename_axis(columns=None).astype(object).where(table.notna(), "–")
    body = filled.to_html(index=False, border=0, float_format="{:.2f}".format, escape=True)
    name, kind = f"table-{name}", "table prose" if prose else "table"
    return f'<figure class="{kind}" id="{name}">{_caption(caption, name)}<div class="scroll">{body}</div></figure>'


def lead(
    accuracy: pd.DataFrame, controls: pd.DataFrame, differences: pd.DataFrame, conclusions: pd.DataFrame, config: Config
) -> str:
    """The answer in three sentences with numbers, over all models."""
    pooled = accuracy[accuracy["task"] == ALL].set_index("method")["accuracy"]
    paired = differences[differences["task"] == ALL].set_index("reference")["difference"]
    values = conclusions.set_index("claim")["value"]
    reached, undecided = reached_tasks(main_tasks(controls))
    overrides = (
        f"; θ of a conflicting task overrides demonstrations in {_range(values, 'overrides')} of prompts, at the common layer in "
        f"{_range(values, 'overrides_common')}"
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
        f"With {config['episodes']['demonstrations']} demonstrations the models answer {_range(pooled, 'regular')} of the queries, "
        f"without any {_range(pooled, 'baseline')}, and without any but with θ patched in {_range(pooled, 'hypothesis')}. "
        f"On the same episodes θ gives {_range(-100 * paired, 'regular', '.0f')} points less than the demonstrations and "
        f"{_range(100 * paired, 'hypothesis_common', '.0f')} points more than one layer for all tasks. "
        f"A control does as well in {reached.sum()} of {len(reached)} cases (models × tasks; undecided {undecided.sum()})"
        f"{overrides}{limits}."
    )


def reached_tasks(controls: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """By model and task: whether a control reaches the hypothesis, and whether that is undecided of each that does."""
    key = [controls["model"], controls["task"]]
    reached = controls["reached"].groupby(key, sort=False).any()
    sure = (controls["reached"] & ~controls["undecided"]).groupby(key, sort=False).any()
    return reached, reached & ~sure


def _range(values: pd.Series, key: str, form: str = ".0%") -> str:
    """The lowest and highest of the values under a key, or the one there is."""
    found = values.loc[[key]].dropna()
    low, high = (format(value + 0.0, form).replace("-", "−") for value in (found.min(), found.max()))  # no −0
    return low if low == high else f"{low} to {high}"


def summary(accuracy: pd.DataFrame, published: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Mean accuracy over tasks of our models and the paper's: model, source, n, baseline, hypothesis, regular, ratio."""
    pooled = accuracy[accuracy["task"] == ALL]
    ours = pooled.pivot(index="model", columns="method", values="accuracy")[list(METHODS)]
    ours = ours.loc[list(dict.fromkeys(pooled["model"]))].reset_index()
    n = pooled[pooled["method"] == "hypothesis"].set_index("model")["n"]
    ours.insert(1, "source", "this study")
    ours.insert(2, "n", ours["model"].map(n).astype("Int64"))
    ours["model"] = _model_labels(ours, config)
    papers = published.groupby("model", sort=False)[list(METHODS)].mean().reset_index()
    papers.insert(1, "source", "published")
    papers.insert(2, "n", pd.NA)
    table = pd.concat([ours, papers], ignore_index=True)
    return table.assign(ratio=table["hypothesis"] / table["regular"])


def answer(
    accuracy: pd.DataFrame,
    controls: pd.DataFrame,
    differences: pd.DataFrame,
    choice: pd.DataFrame,
    spread: pd.DataFrame,
    config: Config,
) -> str:
    """The main finding in one paragraph per model (Markdown)."""
    lines = []
    paired = differences[differences["task"] == ALL].set_index(["model", "reference"])
    pooled = accuracy[accuracy["task"] == ALL].set_index(["model", "method"])
    for model in dict.fromkeys(accuracy["model"]):
        base, hypothesis, regular, common = (
            _percent(pooled.loc[(model, method)]) for method in (*METHODS, "hypothesis_common")
        )
        mine = main_tasks(choice[choice["model"] == model])
        lines.append(
            f"**{config['models'][model]['label']}** answers {base} of the test queries without demonstrations, "
            f"{regular} with {config['episodes']['demonstrations']} demonstrations, and {hypothesis} without demonstrations "
            f"but with θ patched in at the layer chosen per task on dev episodes ({common} at the one common layer "
            f"{mine['common_layer'].iloc[0]}). {_own_layers(mine)} On the same episodes that is "
            f"{_points(paired.loc[(model, 'regular')])} points beside the demonstrations and "
            f"{_points(paired.loc[(model, 'zero_shot')])} beside the bare query. {_reached(controls, model, config)}"
            f"{_over_seeds(spread, model)}"
        )
    return "\n\n".join(lines)


def _own_layers(choice: pd.DataFrame) -> str:
    """How many tasks of a model have a layer of their own, and which layers these are."""
    own = choice.loc[choice["own"], "layer"]
    if own.empty:
        return "No task has a layer of its own: θ does nothing beyond the bare query on dev episodes."
    return (
        f"{len(own)} of {len(choice)} tasks have a layer of their own, where θ does more than the bare query: layers "
        f"{own.min()} to {own.max()}, median {own.median():.0f}."
    )


def _percent(row: pd.Series) -> str:
    return f"{row['accuracy']:.0%} [{row['ci_low']:.0%}, {row['ci_high']:.0%}]"


def _points(row: pd.Series, ci: str = "") -> str:
    difference, low, high = (
        f"{round(100 * row[name]):+d}".replace("-", "−") for name in ("difference", f"{ci}ci_low", f"{ci}ci_high")
    )
    return f"{difference} [{low}, {high}]"


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
    return f"In {len(tasks)} of {len(reached)} tasks a control does as well{unsure}: {', '.join(tasks)}."


def _over_seeds(spread: pd.DataFrame, model: str) -> str:
    """How the mean hypothesis accuracy varies between study seeds, if there are several."""
    row = spread[(spread["model"] == model) & (spread["task"] == ALL) & (spread["method"] == "hypothesis")].iloc[0]
    if row["seeds"] == 1:
        return ""
    return f" Over {row['seeds']} study seeds the mean hypothesis accuracy runs from {row['lowest']:.0%} to {row['highest']:.0%}."


def control_table(controls: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Every model and task: the hypothesis, each control (of the other tasks' θ the best), and how far the closest is below it."""
    best = controls.groupby(["model", "task", "control"], sort=False)["accuracy"].max().unstack("control")
    table = best[[name for name in CONTROLS if name in best]].rename(columns=CONTROLS)
    by_task = controls.groupby(["model", "task"], sort=False)
    table.insert(0, "hypothesis", by_task["hypothesis"].first())
    closest = controls.loc[by_task["difference_ci_low"].idxmin()].set_index(["model", "task"])
    table["closest"] = closest["control"].map(CONTROLS)
    table["hypothesis − closest, points"] = [
        _points(row, "difference_") for _, row in closest.loc[table.index].iterrows()
    ]
    reached, undecided = reached_tasks(controls)
    table["reached"] = ["†" if reached[key] else "" for key in table.index]
    table["undecided"] = ["?" if undecided[key] else "" for key in table.index]
    return _labelled(table.loc[list(by_task.groups)].reset_index(), config)


def difference_table(differences: pd.DataFrame, config: Config) -> pd.DataFrame:
    """The hypothesis against other methods, mean over tasks, in points."""
    mean = differences[differences["task"] == ALL]
    names = CONTROLS | {
        "regular": "demonstrations (regular)",
        "hypothesis_common": "θ at the common layer",
        "hypothesis_paper": "θ at the layer of the paper's rule",
        "hypothesis_oracle": "θ at the oracle's layer",
        "mean_theta": "mean θ of other episodes",
    }
    return pd.DataFrame(
        {
            "model": _model_labels(mean, config),
            "hypothesis minus": mean["reference"].map(names),
            "episodes": mean["n"],
            "points [95% interval]": [_points(row) for _, row in mean.iterrows()],
        }
    )


def task_table(accuracy: pd.DataFrame, choice: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Every model and task: chosen layer, and accuracy with its 95% interval by method.

    Below that of a knowledge task, scored by prefix, stands the share that is exactly right.
    """
    table = accuracy[(accuracy["task"] != ALL)].copy()
    by_prefix = (table["exact"] != table["accuracy"]).groupby([table["model"], table["task"]]).transform("any")
    exact = [f"; exact {share:.2f}" if shown else "" for share, shown in zip(table["exact"], by_prefix, strict=True)]
    table["cell"] = [cell + more for cell, more in zip(_with_interval(table), exact, strict=True)]
    wide = table.pivot(index=["model", "task"], columns="method", values="cell")
    wide = wide.loc[list(dict.fromkeys(zip(table["model"], table["task"], strict=True)))].reset_index()
    layers = {(row.model, row.task): f"{row.layer}{'' if row.own else ' (common)'}" for row in choice.itertuples()}
    wide.insert(2, "layer", [layers[key] for key in zip(wide["model"], wide["task"], strict=True)])
    order = [
        "baseline",
        "hypothesis",
        "hypothesis_paper",
        "hypothesis_common",
        "hypothesis_oracle",
        "last_layer",
        "regular",
    ]
    names = {method: method.replace("_", ": ", 1) for method in order if method.startswith("hypothesis_")}
    return _labelled(wide[["model", "task", "layer", *order]], config).rename(
        columns={**names, "last_layer": "θ at last layer"}
    )


def paper_table(accuracy: pd.DataFrame, published: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Task by task: hypothesis accuracy of our models beside that of every published model (paper, table 6)."""
    ours = accuracy[(accuracy["task"] != ALL) & (accuracy["method"] == "hypothesis")]
    wide = ours.pivot(index="task", columns="model", values="accuracy")
    wide = wide.loc[list(dict.fromkeys(ours["task"])), list(dict.fromkeys(ours["model"]))]
    wide = wide.rename(columns={model: config["models"][model]["label"] for model in wide.columns})
    theirs = published.pivot(index="task", columns="model", values="hypothesis")[
        list(dict.fromkeys(published["model"]))
    ]
    ours_too = set(wide.columns) | {"task"}
    theirs = theirs.rename(columns=lambda model: f"{model} (published)" if model in ours_too else model)
    table = wide.join(theirs, how="inner").reset_index()
    return table.assign(task=table["task"].map(lambda task: config["tasks"][task]["label"]))


def conflict_summary(
    conflict: pd.DataFrame, choice: pd.DataFrame, published: pd.DataFrame, config: Config
) -> pd.DataFrame:
    """Each pair at the layer chosen for task B on the main experiment's dev episodes and at the common one, and the paper's numbers
    below."""
    columns = ["model", "task_a", "task_b", "layer", "n", "regular_a", "regular_b", "patched_a", "patched_b"]
    ours = _at_both_layers(conflict, choice, "task_b", config)[[*columns, "layer of"]].assign(source="this study")
    ours["model"] = _model_labels(ours, config)
    table = pd.concat([ours, published], ignore_index=True)[
        ["model", "source", *columns[1:4], "layer of", *columns[4:]]
    ]
    table["layer of"] = table["layer of"].fillna("task")
    for side in ("task_a", "task_b"):
        table[side] = [config["tasks"].get(task, {"label": task})["label"] for task in table[side]]
    words = {"task_a": "task A", "task_b": "task B"}
    for side in ("a", "b"):
        words |= {f"regular_{side}": f"unpatched: {side.upper()}", f"patched_{side}": f"patched: {side.upper()}"}
    return table.astype({"layer": "Int64", "n": "Int64"}).rename(columns=words)


def _at_both_layers(table: pd.DataFrame, choice: pd.DataFrame, of: str, config: Config) -> pd.DataFrame:
    """The rows at the layer of the task in column `of`, then those at the common layer, model by model; `layer of` says which."""
    its = {words: at_chosen_layer(table, choice, of, layer) for words, layer in LAYERS_OF.items()}
    both = pd.concat([rows.assign(**{"layer of": words}) for words, rows in its.items()])
    return both.sort_values("model", key=lambda models: models.map(list(config["models"]).index), kind="stable")


LAYERS_OF = {"task": "layer", "all tasks": "common_layer"}


def transfer_summary(transfer: pd.DataFrame, choice: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Each ordered pair at the layer chosen for the task of θ, and at the common one: shares answered as either task, bare and
    with demonstrations."""
    at = _at_both_layers(transfer, choice, "theta_task", config)
    key = ["model", "theta_task", "query_task", "layer", "layer of"]
    if at.empty:
        return pd.DataFrame(columns=key)
    wide = at.pivot(index=key, columns="demonstrations", values=["as_theta", "as_query"])
    wide = wide.loc[list(dict.fromkeys(at[key].itertuples(index=False, name=None)))].reset_index()
    table = wide[key].droplevel(1, axis=1).astype({"layer": int})
    for kept, words in ((WITHOUT, "bare"), (KEPT, "kept")):
        for share, task in (("as_theta", "θ's task"), ("as_query", "query's task")):
            if (share, kept) in wide:  # without a transfer matrix there are no bare queries
                table[f"{words}: {task}"] = wide[share, kept].astype(float)
    labels = {name: entry["label"] for name, entry in config["tasks"].items()}
    table["model"] = _model_labels(table, config)
    names = {"theta_task": "task of θ", "query_task": "task of the query"}
    return table.assign(**{name: table[name].map(labels) for name in names}).rename(columns=names)


def view_table(views: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Means over tasks by layer choice, over all tasks and over those that the paper shows."""
    table = views.copy()
    table["cell"] = _with_interval(table)
    wide = table.pivot(index=["model", "view", "tasks"], columns="method", values="cell")
    wide = wide.loc[list(dict.fromkeys(zip(table["model"], table["view"], table["tasks"], strict=True)))].reset_index()
    wide["model"] = _model_labels(wide, config)
    names = {
        "hypothesis": "θ, layer per task",
        "hypothesis_paper": "θ, the paper's rule",
        "hypothesis_common": "θ, common layer",
        "hypothesis_oracle": "θ, oracle layer",
    }
    columns = ["model", "view", "tasks", "baseline", *names, "regular"]
    return wide.assign(view=wide["view"].map(VIEWS))[columns].rename(columns=names)


def spread_table(spread: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Mean accuracy over tasks of each method over study seeds."""
    mean = spread[spread["task"] == ALL].drop(columns=["family", "task"])
    return mean.assign(model=_model_labels(mean, config))


def limits_table(limits: pd.DataFrame, differences: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Tasks that one vector may not hold: shares with intervals, and the paired difference in points."""
    table = limits.copy()
    table["cell"] = _with_interval(table, "share")
    table["column"] = table["method"] + table["outcome"].map({"right": "", "wrong_direction": ": wrong direction"})
    wide = table.pivot(index=["model", "task"], columns="column", values="cell")
    wide = wide.loc[list(dict.fromkeys(zip(table["model"], table["task"], strict=True)))].reset_index()
    paired = differences[(differences["family"] == LIMITS) & (differences["reference"] == "regular")]
    points = {(row["model"], row["task"]): _points(row) for _, row in paired.iterrows()}
    wide["points"] = [points[key] for key in zip(wide["model"], wide["task"], strict=True)]
    return _labelled(wide, config).rename(columns={"points": "hypothesis − regular, points"})


def formation_table(formation: pd.DataFrame, config: Config) -> pd.DataFrame:
    """θ after k demonstrations, mean over tasks."""
    mean = formation[formation["task"] == ALL]
    return pd.DataFrame(
        {
            "model": _model_labels(mean, config),
            "demonstrations": mean["demonstrations"],
            "accuracy": _with_interval(mean),
            "cosine to θ": _with_interval(mean, "cosine", "cosine_ci", digits=3),
            "less the mean over tasks": _with_interval(mean, "cosine_centred", "cosine_centred_ci", digits=3),
        }
    )


def quality_table(quality: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Trustworthiness of the pictures: lowest and highest over seeds."""
    groups = quality.groupby(["model", "method", "states"], sort=False)["trustworthiness"]
    table = groups.agg(seeds="size", lowest="min", highest="max").reset_index()
    return table.assign(model=_model_labels(table, config))


def conclusion_table(conclusions: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Every claim: the measured value with its interval, the threshold and the verdict, by model."""
    table = conclusions.copy()
    bounds = ["" if pd.isna(row.ci_low) else f" [{row.ci_low:.2f}, {row.ci_high:.2f}]" for row in table.itertuples()]
    table["cell"] = [
        ("–" if pd.isna(row.value) else f"{row.value:.2f}{bound}") + f": {row.verdict}"
        for row, bound in zip(table.itertuples(), bounds, strict=True)
    ]
    key = ["claim", "statement", "measure", "threshold", "table"]
    wide = table.pivot(index=key, columns="model", values="cell").reset_index().set_index("claim")
    wide = wide.loc[list(dict.fromkeys(table["claim"]))]
    models = {name: config["models"][name]["label"] for name in dict.fromkeys(table["model"])}
    wide["threshold"] = [f"≥ {threshold:.2f}".replace("-", "−") for threshold in wide["threshold"]]
    wide = wide[["statement", *models, "threshold", "measure", "table"]].rename(columns=models)
    return wide.rename(columns={"statement": "claim"}).replace(r"-(?=\d)", "−", regex=True)


def rank_table(ranks: pd.DataFrame, choice: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Where the answers and the name of a task stand at the layer chosen for it."""
    table = _labelled(at_chosen_layer(ranks, choice).drop(columns="family"), config)
    words = {
        "answer_rank_best": "best answer",
        "answer_rank_median": "median answer",
        "other_answer_rank_median": "median of other tasks' answers",
        "name_word": "word of the name",
        "name_rank": "its rank",
    }
    integers = ["answer_rank_median", "other_answer_rank_median", "name_rank"]
    return table.astype(dict.fromkeys(integers, "Int64")).rename(columns=words)


def geometry_table(geometry: pd.DataFrame, choice: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Distances and separation by task at the common layer of each model."""
    common = choice.groupby("model")["common_layer"].first()
    table = geometry[geometry["layer"] == geometry["model"].map(common)]
    return _labelled(table.drop(columns="family"), config)


LAYERS_ABOVE = (0, 2)  # of the chosen layer; the paper decodes two above


def distance_words(geometry: pd.DataFrame, choice: pd.DataFrame, published: pd.DataFrame, config: Config) -> str:
    """Mean cosine distances within and between tasks, the range over tasks, of our models and the published one."""
    common = choice.groupby("model")["common_layer"].first()
    ours = geometry[(geometry["layer"] == geometry["model"].map(common)) & (geometry["task"] != ALL)]
    words = []
    for (model, states), table in ours.groupby(["model", "states"], sort=False):
        ends = [_span(table[f"{kind}_mean"]) for kind in ("within", "between")]
        less = " less the mean over tasks" if states == CENTRED else ""
        words.append(f"{config['models'][model]['label']}{less} {ends[0]} and {ends[1]}")
    for model, table in published.groupby("model", sort=False):
        rows = table.set_index("kind")
        ends = [f"{rows.loc[kind, 'lowest']:.2f}–{rows.loc[kind, 'highest']:.2f}" for kind in ("within", "between")]
        words.append(f"{model}, published, {ends[0]} and {ends[1]}")
    return f"Mean cosine distances within a task and to other tasks, the range over tasks: {'; '.join(words)}."


def _span(values: pd.Series) -> str:
    """The lowest and highest of some numbers; of a single task, or θ, there may be none."""
    found = values.dropna()
    return f"{found.min():.2f}–{found.max():.2f}" if len(found) else "none"


def token_table(tokens: pd.DataFrame, choice: pd.DataFrame, config: Config, shown: int = 10) -> pd.DataFrame:
    """Top tokens of θ by task, at the chosen layer and two above: raw, spaces made visible, and filtered as in the paper."""
    layers = choice.set_index(["model", "task"])["layer"]
    rows = []
    for (model, task), its in tokens.groupby(["model", "task"], sort=False):
        for layer in sorted({min(layers[model, task] + above, its["layer"].max()) for above in LAYERS_ABOVE}):
            group = its[its["layer"] == layer].sort_values("rank")
            raw = group["token"].fillna("").astype(str).head(shown)
            raw = raw.str.replace(" ", "␣").str.replace("\n", "↵").str.replace("\t", "⇥")
            kept = group.sort_values("filtered_rank").dropna(subset="filtered_rank").head(shown)
            words = kept["token"].astype(str).str.strip().str.lower()
            rows.append((model, task, layer, "  ".join(raw), ", ".join(words)))
    columns = ["model", "task", "layer", "raw", "filtered"]
    return _labelled(pd.DataFrame(rows, columns=columns), config)


def filter_table(filtered: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Pairs kept of total by the filter of answer lengths, and the best constant answers: tasks with few pairs left, or in which a
    constant answer is right too often, are marked."""
    few = ["few pairs: episodes repeat inputs" if kept < FEW_PAIRS else "" for kept in filtered["kept"]]
    guess = [f"a constant answer passes {MARKED_FROM:.0%}" if marked else "" for marked in filtered["guessable"]]
    notes = ["; ".join(filter(None, both)) for both in zip(few, guess, strict=True)]
    table = filtered.drop(columns=["family", "guessable"]).assign(note=notes)
    for name, words in (("constant", "best constant"), ("constant_prefix", "best by prefix")):
        shares = zip(table[name], table.pop(f"{name}_share"), strict=True)
        table[name] = [f"{text} {share:.0%}" for text, share in shares]
        table = table.rename(columns={name: words})
    return _labelled(table, config).rename(columns={"leading_space": "leading space", "too_long": "too long"})


def _with_interval(table: pd.DataFrame, value: str = "accuracy", ci: str = "ci", digits: int = 2) -> list[str]:
    """Cells such as 0.52 [0.49, 0.54]."""
    columns = zip(table[value], table[f"{ci}_low"], table[f"{ci}_high"], strict=True)
    return [f"{share:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]" for share, low, high in columns]


def _model_labels(table: pd.DataFrame, config: Config) -> pd.Series:
    return table["model"].map({name: entry["label"] for name, entry in config["models"].items()})


def _labelled(table: pd.DataFrame, config: Config) -> pd.DataFrame:
    tasks = {name: entry["label"] for name, entry in config["tasks"].items()} | {ALL: "all tasks"}
    return table.assign(model=_model_labels(table, config), task=table["task"].map(tasks))


def provenance_table(provenance: Mapping[str, Any]) -> pd.DataFrame:
    """Code, settings, software and hardware of the study, a line each."""
    code, hardware, study = provenance["code"], provenance["hardware"], provenance["config"]["study"]
    rows = [
        ("date", provenance["date"]),
        ("code", f"{code.get('commit', 'not a git repository')}{', with changes' if code.get('modified') else ''}"),
        ("study seeds", ", ".join(map(str, study["seeds"]))),
        ("processor", f"{hardware['cpu']}, {hardware['cores']} cores, {hardware['memory_gb']} GB"),
        ("GPU", ", ".join(hardware["gpus"]) or "none"),
        ("system", hardware["system"]),
    ]
    rows += list(provenance["software"].items())
    for package, versions in provenance.get("differing", {}).items():
        used = "; ".join(f"{version} in {', '.join(rules)}" for version, rules in sorted(versions.items()))
        rows.append((f"{package} differs", used))
    return pd.DataFrame(rows, columns=["what", "value"])


def weights_table(provenance: Mapping[str, Any]) -> pd.DataFrame:
    """Checksums of every model's files."""
    labels = {name: entry["label"] for name, entry in provenance["config"]["models"].items()}
    rows = [
        (labels[model], name, checksum)
        for model, files in provenance["weights"].items()
        for name, checksum in files.items()
    ]
    return pd.DataFrame(rows, columns=["model", "file", "sha256"])


def resource_table(resources: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Wall time and peak memory of every rule."""
    table = resources.assign(model=_model_labels(resources, config))
    return table.assign(seconds=table["seconds"].round().astype(int), peak_memory_mb=table["peak_memory_mb"].round())
