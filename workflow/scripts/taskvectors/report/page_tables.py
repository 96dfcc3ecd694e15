"""Tables of the page, and of papers in LaTeX: what is shown of the study's tables.

`<name>_table(tables, config)` for every entry of `report` in workflow/tables.yaml: from the tables that the entry names, of all models
together, by name; published ones are called `paper/<name>`.
"""

import pandas as pd

from taskvectors.analysis.roles import Tables, at_chosen_layer, is_limit
from taskvectors.analysis.views import VIEWS
from taskvectors.names import ALL, KEPT, MARKED_FROM, WITHOUT
from taskvectors.report import page_tables_of_gradient, page_tables_of_rivals
from taskvectors.report.cells import Config, in_brackets, in_points, labelled, model_labels, with_interval
from taskvectors.report.sentences import reached_tasks

CONTROLS = {
    "zero_shot": "zero-shot",
    "majority": "majority answer",
    "copy_query": "copy the query",
    "random_theta": "random vector",
    "other_theta": "θ of another task",
    "last_layer": "θ at last layer",
}
FEW_PAIRS = 30


def page_table(name: str, tables: Tables, config: Config) -> pd.DataFrame:
    """The table that `<name>_table` makes."""
    return (globals() | vars(page_tables_of_rivals) | vars(page_tables_of_gradient))[f"{name}_table"](tables, config)


def summary_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Ours and the paper's models; `summary.csv` as it is."""
    return tables["summary"].astype({"n": "Int64"})


def controls_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Every model and task: the hypothesis, each control (of the other tasks' θ the best), and how far the closest is below it."""
    controls = tables["controls"]
    best = controls.groupby(["model", "task", "control"], sort=False)["accuracy"].max().unstack("control")
    table = best[[name for name in CONTROLS if name in best]].rename(columns=CONTROLS)
    by_task = controls.groupby(["model", "task"], sort=False)
    table.insert(0, "hypothesis", by_task["hypothesis"].first())
    nearest = (
        controls["difference_ci_low"].fillna(controls["difference"]).groupby([controls["model"], controls["task"]])
    )
    closest = controls.loc[nearest.idxmin()].set_index(["model", "task"])
    table["closest"] = closest["control"].map(CONTROLS)
    table["hypothesis − closest, points"] = [
        in_points(row, "difference_") for _, row in closest.loc[table.index].iterrows()
    ]
    reached, undecided = reached_tasks(controls)
    table["reached"] = ["†" if reached[key] else "" for key in table.index]
    table["undecided"] = ["?" if undecided[key] else "" for key in table.index]
    return labelled(table.loc[list(by_task.groups)].reset_index(), config)


def differences_table(tables: Tables, config: Config) -> pd.DataFrame:
    """The hypothesis against other methods, mean over tasks, in points."""
    differences = tables["differences"]
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
            "model": model_labels(mean, config),
            "hypothesis minus": mean["reference"].map(names),
            "episodes": mean["n"],
            "points [95% interval]": [in_points(row) for _, row in mean.iterrows()],
        }
    )


def divergence_table(tables: Tables, config: Config) -> pd.DataFrame:
    """The distance from the demonstrations' next-token distribution by method, mean over tasks, beside accuracy."""
    divergence, accuracy = (tables[name][tables[name]["task"] == ALL] for name in ("divergence", "accuracy"))
    beside = accuracy.set_index(["model", "method"])["accuracy"]
    names = {"hypothesis": "θ (hypothesis)", "mean_theta": "mean θ of other episodes"} | CONTROLS
    keys = zip(divergence["model"], divergence["method"], strict=True)
    return pd.DataFrame(
        {
            "model": model_labels(divergence, config),
            "patched in": divergence["method"].map(names),
            "divergence, bits": with_interval(divergence, "divergence", "ci"),
            "accuracy": [f"{beside[key]:.2f}" if key in beside else "–" for key in keys],
        }
    )


def accuracy_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Every model and task: chosen layer, and accuracy with its 95% interval by method.

    Below that of a knowledge task, scored by prefix, stands the share that is exactly right.
    """
    accuracy, choice = tables["accuracy"], tables["layer_choice"]
    table = accuracy[(accuracy["task"] != ALL)].copy()
    by_prefix = (table["exact"] != table["accuracy"]).groupby([table["model"], table["task"]]).transform("any")
    exact = [f"; exact {share:.2f}" if shown else "" for share, shown in zip(table["exact"], by_prefix, strict=True)]
    table["cell"] = [cell + more for cell, more in zip(with_interval(table), exact, strict=True)]
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
    return labelled(wide[["model", "task", "layer", *order]], config).rename(
        columns={**names, "last_layer": "θ at last layer"}
    )


def paper_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Task by task: hypothesis accuracy of our models beside that of every published model (paper, table 6)."""
    accuracy, published = tables["accuracy"], tables["paper/main_results"]
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


def conflict_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Each pair at the layer chosen for task B on the main experiment's dev episodes and at the common one, and the paper's numbers
    below."""
    conflict, choice, published = tables["conflict"], tables["layer_choice"], tables["paper/conflicting_tasks"]
    columns = ["model", "task_a", "task_b", "layer", "n", "regular_a", "regular_b", "patched_a", "patched_b"]
    ours = _at_both_layers(conflict, choice, "task_b", config)[[*columns, "layer of"]].assign(source="this study")
    ours["model"] = model_labels(ours, config)
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
    of_layers = {words: at_chosen_layer(table, choice, of, layer) for words, layer in LAYERS_OF.items()}
    both = pd.concat([rows.assign(**{"layer of": words}) for words, rows in of_layers.items()])
    return both.sort_values("model", key=lambda models: models.map(list(config["models"]).index), kind="stable")


LAYERS_OF = {"task": "layer", "all tasks": "common_layer"}


def transfer_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Each ordered pair at the layer chosen for the task of θ, and at the common one: shares answered as either task, bare and
    with demonstrations."""
    transfer, choice = tables["transfer"], tables["layer_choice"]
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
    table["model"] = model_labels(table, config)
    names = {"theta_task": "task of θ", "query_task": "task of the query"}
    return table.assign(**{name: table[name].map(labels) for name in names}).rename(columns=names)


def views_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Means over tasks by layer choice, over all tasks and over those that the paper shows."""
    views = tables["views"]
    table = views.copy()
    table["cell"] = with_interval(table)
    wide = table.pivot(index=["model", "view", "tasks"], columns="method", values="cell")
    wide = wide.loc[list(dict.fromkeys(zip(table["model"], table["view"], table["tasks"], strict=True)))].reset_index()
    wide["model"] = model_labels(wide, config)
    names = {
        "hypothesis": "θ, layer per task",
        "hypothesis_paper": "θ, the paper's rule",
        "hypothesis_common": "θ, common layer",
        "hypothesis_oracle": "θ, oracle layer",
    }
    columns = ["model", "view", "tasks", "baseline", *names, "regular"]
    return wide.assign(view=wide["view"].map(VIEWS))[columns].rename(columns=names)


def seeds_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Mean accuracy over tasks of each method over study seeds."""
    spread = tables["seed_spread"]
    mean = spread[spread["task"] == ALL].drop(columns=["family", "role", "task"], errors="ignore")
    return mean.assign(model=model_labels(mean, config))


def limits_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Tasks that one vector may not hold: shares with intervals, and the paired difference in points."""
    limits, differences = tables["limits"], tables["differences"]
    table = limits.copy()
    table["cell"] = with_interval(table, "share")
    table["column"] = table["method"] + table["outcome"].map({"right": "", "wrong_direction": ": wrong direction"})
    wide = table.pivot(index=["model", "task"], columns="column", values="cell")
    wide = wide.loc[list(dict.fromkeys(zip(table["model"], table["task"], strict=True)))].reset_index()
    paired = differences[is_limit(differences) & (differences["reference"] == "regular")]
    points = {(row["model"], row["task"]): in_points(row) for _, row in paired.iterrows()}
    wide["points"] = [points[key] for key in zip(wide["model"], wide["task"], strict=True)]
    return labelled(wide, config).rename(columns={"points": "hypothesis − regular, points"})


def formation_table(tables: Tables, config: Config) -> pd.DataFrame:
    """θ after k demonstrations, mean over tasks."""
    formation = tables["formation"]
    mean = formation[formation["task"] == ALL]
    return pd.DataFrame(
        {
            "model": model_labels(mean, config),
            "demonstrations": mean["demonstrations"],
            "accuracy": with_interval(mean),
            "cosine to θ": with_interval(mean, "cosine", "cosine_ci", digits=3),
            "less the mean over tasks": with_interval(mean, "cosine_centred", "cosine_centred_ci", digits=3),
        }
    )


def embedding_quality_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Trustworthiness of the pictures: lowest and highest over seeds."""
    quality = tables["embedding_quality"]
    groups = quality.groupby(["model", "method", "states"], sort=False)["trustworthiness"]
    table = groups.agg(seeds="size", lowest="min", highest="max").reset_index()
    return table.assign(model=model_labels(table, config))


def conclusions_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Every claim: the measured value with its interval, the threshold and the verdict, by model."""
    conclusions = tables["conclusions"]
    table = conclusions.copy()
    bounds = [in_brackets(row.ci_low, row.ci_high, "{:.2f}".format) for row in table.itertuples()]
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


def decoded_ranks_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Where the answers and the name of a task stand at the layer chosen for it."""
    ranks, choice = tables["decoded_ranks"], tables["layer_choice"]
    table = labelled(at_chosen_layer(ranks, choice), config)
    words = {
        "answer_rank_best": "best answer",
        "answer_rank_median": "median answer",
        "other_answer_rank_median": "median of other tasks' answers",
        "name_word": "word of the name",
        "name_rank": "its rank",
    }
    integers = ["answer_rank_median", "other_answer_rank_median", "name_rank"]
    return table.astype(dict.fromkeys(integers, "Int64")).rename(columns=words)


def geometry_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Distances and separation by task at the common layer of each model."""
    geometry, choice = tables["geometry"], tables["layer_choice"]
    common = choice.groupby("model")["common_layer"].first()
    table = geometry[geometry["layer"] == geometry["model"].map(common)]
    return labelled(table, config)


LAYERS_ABOVE = (0, 2)  # of the chosen layer; the paper decodes two above


def decoded_tokens_table(tables: Tables, config: Config, shown: int = 10) -> pd.DataFrame:
    """Top tokens of θ by task, at the chosen layer and two above: raw, spaces made visible, and filtered as in the paper."""
    tokens, choice = tables["decoded_tokens"], tables["layer_choice"]
    layers = choice.set_index(["model", "task"])["layer"]
    rows = []
    for (model, task), of_task in tokens.groupby(["model", "task"], sort=False):
        for layer in sorted({min(layers[model, task] + above, of_task["layer"].max()) for above in LAYERS_ABOVE}):
            group = of_task[of_task["layer"] == layer].sort_values("rank")
            raw = group["token"].fillna("").astype(str).head(shown)
            raw = raw.str.replace(" ", "␣").str.replace("\n", "↵").str.replace("\t", "⇥")
            kept = group.sort_values("filtered_rank").dropna(subset="filtered_rank").head(shown)
            words = kept["token"].astype(str).str.strip().str.lower()
            rows.append((model, task, layer, "  ".join(raw), ", ".join(words)))
    columns = ["model", "task", "layer", "raw", "filtered"]
    return labelled(pd.DataFrame(rows, columns=columns), config)


def filter_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Pairs kept of total by the filter of answer lengths, and the best constant answers: tasks with few pairs left, or in which a
    constant answer is right too often, are marked."""
    filtered = tables["filter"]
    few = ["few pairs: episodes repeat inputs" if kept < FEW_PAIRS else "" for kept in filtered["kept"]]
    guess = [f"a constant answer passes {MARKED_FROM:.0%}" if marked else "" for marked in filtered["guessable"]]
    left_out = filtered["left_out"].notna() if "left_out" in filtered else [False] * len(filtered)
    out = ["left out: too few pairs are left" if one else "" for one in left_out]
    notes = ["; ".join(filter(None, parts)) for parts in zip(out, few, guess, strict=True)]
    table = filtered.drop(columns=["guessable", "left_out"], errors="ignore").assign(note=notes)
    for name, words in (("constant", "best constant"), ("constant_prefix", "best by prefix")):
        shares = zip(table[name], table.pop(f"{name}_share"), strict=True)
        table[name] = [f"{text} {share:.0%}" for text, share in shares]
        table = table.rename(columns={name: words})
    return labelled(table, config).rename(columns={"leading_space": "leading space", "too_long": "too long"})


def resources_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Wall time, CPU time and peak memory of every rule; archives of before it was counted have no CPU time."""
    resources = tables["resources"]
    table = resources.assign(model=model_labels(resources, config))
    whole = {name: table[name].round().astype("Int64") for name in table if name.endswith(("seconds", "_mb"))}
    return table.assign(**whole).rename(columns={name: name.replace("_", " ") for name in whole})
