"""Pieces of the report: sentences with numbers, tables and embedded figures, all made from the study's tables."""

import base64
import html
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from taskvectors.statistics import RESAMPLES
from taskvectors.tables import ALL

CONTROLS = {
    "zero_shot": "zero-shot",
    "majority": "majority answer",
    "copy_query": "copy the query",
    "random_theta": "random vector",
    "other_theta": "θ of another task",
    "last_layer": "θ at last layer",
}
METHODS = ("baseline", "hypothesis", "regular")
LIBRARIES = ("numpy", "pandas", "scipy", "scikit-learn", "umap-learn", "seaborn", "nbconvert")
Config = Mapping[str, Any]
FEW_PAIRS = 30


def figure_html(path: str, caption: str) -> str:
    """An SVG file inside the page, with a caption."""
    data = base64.b64encode(Path(path).read_bytes()).decode()
    name = html.escape(Path(path).stem)
    return (
        f'<figure id="{name}"><img alt="{html.escape(caption)}" src="data:image/svg+xml;base64,{data}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def table_html(table: pd.DataFrame, caption: str) -> str:
    """A table inside the page; every cell is escaped."""
    filled = table.rename_axis(columns=None).astype(object).where(table.notna(), "–")
    body = filled.to_html(index=False, border=0, float_format="{:.2f}".format, escape=True)
    return f'<figure class="table"><figcaption>{html.escape(caption)}</figcaption><div class="scroll">{body}</div></figure>'


def summary(accuracy: pd.DataFrame, published: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Mean accuracy over tasks of our models and the paper's: model, source, n, baseline, hypothesis, regular, ratio."""
    pooled = accuracy[accuracy["task"] == ALL]
    ours = pooled.pivot(index="model", columns="method", values="accuracy")[list(METHODS)]
    ours = ours.loc[list(dict.fromkeys(pooled["model"]))].reset_index()
    n = pooled[pooled["method"] == "hypothesis"].set_index("model")["n"]
    ours.insert(1, "source", "this study")
    ours.insert(2, "n", ours["model"].map(n).astype("Int64"))
    ours["model"] = ours["model"].map(lambda model: config["models"][model]["label"])
    papers = published.groupby("model", sort=False)[list(METHODS)].mean().reset_index()
    papers.insert(1, "source", "published")
    papers.insert(2, "n", pd.NA)
    table = pd.concat([ours, papers], ignore_index=True)
    return table.assign(ratio=table["hypothesis"] / table["regular"])


def answer(
    accuracy: pd.DataFrame, controls: pd.DataFrame, differences: pd.DataFrame, choice: pd.DataFrame, config: Config
) -> str:
    """The main finding in one paragraph per model (Markdown)."""
    lines = []
    paired = differences[differences["task"] == ALL].set_index(["model", "reference"])
    pooled = accuracy[accuracy["task"] == ALL].set_index(["model", "method"])
    for model in dict.fromkeys(accuracy["model"]):
        base, hypothesis, regular, common = (
            _percent(pooled.loc[(model, method)]) for method in (*METHODS, "hypothesis_common")
        )
        mine = choice[choice["model"] == model]
        lines.append(
            f"**{config['models'][model]['label']}** answers {base} of the test queries without demonstrations, "
            f"{regular} with {config['episodes']['demonstrations']} demonstrations, and {hypothesis} without demonstrations "
            f"but with θ patched in at the layer chosen per task on dev episodes ({common} at the one common layer "
            f"{mine['common_layer'].iloc[0]}). Chosen layers range from {mine['layer'].min()} to {mine['layer'].max()}, "
            f"median {mine['layer'].median():.0f}. On the same episodes that is "
            f"{_points(paired.loc[(model, 'regular')])} points beside the demonstrations and "
            f"{_points(paired.loc[(model, 'zero_shot')])} beside the bare query. {_reached(controls, model, config)}"
        )
    return "\n\n".join(lines)


def _percent(row: pd.Series) -> str:
    return f"{row['accuracy']:.0%} [{row['ci_low']:.0%}, {row['ci_high']:.0%}]"


def _points(row: pd.Series) -> str:
    difference, low, high = (
        f"{100 * row[name]:+.0f}".replace("-", "−") for name in ("difference", "ci_low", "ci_high")
    )
    return f"{difference} [{low}, {high}]"


def _reached(controls: pd.DataFrame, model: str, config: Config) -> str:
    """Which tasks are no evidence by themselves, because a control does as well."""
    mine = controls[(controls["model"] == model) & controls["reached"]]
    tasks = [config["tasks"][task]["label"] for task in dict.fromkeys(mine["task"])]
    if not tasks:
        return "No control reaches it in any task."
    total = controls[controls["model"] == model]["task"].nunique()
    return f"In {len(tasks)} of {total} tasks a control does as well: {', '.join(tasks)}."


def control_table(controls: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Every model and task: the hypothesis and each control; of the other tasks' θ the best."""
    best = controls.groupby(["model", "task", "control"], sort=False)["accuracy"].max().unstack("control")
    table = best[[name for name in CONTROLS if name in best]].rename(columns=CONTROLS)
    by_task = controls.groupby(["model", "task"], sort=False)
    table.insert(0, "hypothesis", by_task["hypothesis"].first())
    table["reached"] = by_task["reached"].max().map({True: "†", False: ""})
    return _labelled(table.loc[list(by_task.groups)].reset_index(), config)


def difference_table(differences: pd.DataFrame, config: Config) -> pd.DataFrame:
    """The hypothesis against other methods, mean over tasks, in points."""
    mean = differences[differences["task"] == ALL]
    names = CONTROLS | {"regular": "demonstrations (regular)", "hypothesis_common": "θ at the common layer"}
    return pd.DataFrame(
        {
            "model": mean["model"].map(lambda model: config["models"][model]["label"]),
            "hypothesis minus": mean["reference"].map(names),
            "episodes": mean["n"],
            "points [95% interval]": [_points(row) for _, row in mean.iterrows()],
        }
    )


def task_table(accuracy: pd.DataFrame, choice: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Every model and task: chosen layer, and accuracy with its 95% interval by method."""
    table = accuracy[(accuracy["task"] != ALL)].copy()
    table["cell"] = [f"{r.accuracy:.2f} [{r.ci_low:.2f}, {r.ci_high:.2f}]" for r in table.itertuples()]
    wide = table.pivot(index=["model", "task"], columns="method", values="cell")
    wide = wide.loc[list(dict.fromkeys(zip(table["model"], table["task"], strict=True)))].reset_index()
    layers = choice.set_index(["model", "task"])["layer"]
    wide.insert(2, "layer", [layers[model, task] for model, task in zip(wide["model"], wide["task"], strict=True)])
    order = ["baseline", "hypothesis", "hypothesis_common", "hypothesis_oracle", "last_layer", "regular"]
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
    table = wide.join(theirs).reset_index()
    return table.assign(task=table["task"].map(lambda task: config["tasks"][task]["label"]))


def conflict_summary(
    conflict: pd.DataFrame, choice: pd.DataFrame, published: pd.DataFrame, config: Config
) -> pd.DataFrame:
    """Each pair at the layer chosen for task B on the main experiment's dev episodes, and the paper's numbers below."""
    layers = choice.set_index(["model", "task"])["layer"]
    at_choice = [row.layer == layers[row.model, row.task_b] for row in conflict.itertuples()]
    columns = ["model", "task_a", "task_b", "layer", "n", "regular_a", "regular_b", "patched_a", "patched_b"]
    ours = conflict.loc[at_choice, columns].assign(source="this study")
    ours["model"] = ours["model"].map(lambda model: config["models"][model]["label"])
    table = pd.concat([ours, published], ignore_index=True)[["model", "source", *columns[1:]]]
    for side in ("task_a", "task_b"):
        table[side] = [config["tasks"].get(task, {"label": task})["label"] for task in table[side]]
    words = {"task_a": "task A", "task_b": "task B"}
    for side in ("a", "b"):
        words |= {f"regular_{side}": f"unpatched: {side.upper()}", f"patched_{side}": f"patched: {side.upper()}"}
    return table.astype({"layer": "Int64", "n": "Int64"}).rename(columns=words)


def geometry_table(geometry: pd.DataFrame, choice: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Distances and separation by task at the common layer of each model."""
    common = choice.groupby("model")["common_layer"].first()
    table = geometry[geometry["layer"] == geometry["model"].map(common)]
    return _labelled(table.drop(columns="family"), config)


def token_table(tokens: pd.DataFrame, config: Config, shown: int = 10) -> pd.DataFrame:
    """Top tokens of θ by task and layer: only alphabetic ones, each once whatever its case and spaces."""
    rows = []
    for (model, task, layer), group in tokens.groupby(["model", "task", "layer"], sort=False):
        words = [str(token).strip() for token in group.sort_values("rank")["token"].fillna("")]
        unique = dict.fromkeys(word.lower() for word in words if word.isalpha())
        rows.append((model, task, layer, ", ".join(list(unique)[:shown])))
    return _labelled(pd.DataFrame(rows, columns=["model", "task", "layer", "top tokens"]), config)


def filter_table(filtered: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Pairs kept of total by the filter of answer lengths; tasks with few pairs left are marked."""
    notes = ["few pairs: episodes repeat inputs" if kept < FEW_PAIRS else "" for kept in filtered["kept"]]
    return _labelled(filtered.drop(columns="family").assign(note=notes), config).rename(
        columns={"leading_space": "leading space"}
    )


def _labelled(table: pd.DataFrame, config: Config) -> pd.DataFrame:
    models = {name: entry["label"] for name, entry in config["models"].items()}
    tasks = {name: entry["label"] for name, entry in config["tasks"].items()} | {ALL: "all tasks"}
    return table.assign(model=table["model"].map(models), task=table["task"].map(tasks))


def methods(config: Config, tasks: list[str]) -> str:
    """The methods section (Markdown), generated from the configuration."""
    episodes, conflict, pictures = config["episodes"], config["conflict"], config["embedding"]
    sampling = (
        f"taken from `{episodes['source']}`"
        if episodes["source"]
        else f"sampled with study seed {config['study']['seed']}"
    )
    tokens = config["scoring"]["answer_tokens"]
    short, answer = ("is a single token", "token") if tokens == 1 else (f"has at most {tokens} tokens", "line")
    read = "one greedy token is" if tokens == 1 else f"{tokens} greedy tokens are"
    models = "\n".join(f"* {_model_line(name, config['models'][name])}" for name in config["study"]["models"])
    return f"""**Models.**

{models}

**Tasks.** {len(tasks)} tasks: {", ".join(config["tasks"][task]["label"] for task in tasks)}. Per tokenizer, only pairs whose
answer {short} are kept, with or without a leading space on both sides, whichever keeps more.

**Episodes** are {sampling}. A prompt is `example:{{x}}->{{y}}` lines joined by newlines, then `example:{{query}}->`. Per task:
{episodes["baseline"]} baseline episodes without demonstrations; {episodes["dev"]} dev and {episodes["test"]} test episodes with
{episodes["demonstrations"]} demonstrations. Demonstrations, query and dummy queries have different inputs.

**θ** is the residual stream at the last prompt token after each block, averaged over {episodes["dummies"]} dummy queries in
place of the query. *Hypothesis*: in a prompt without demonstrations the last token's state after block L is replaced by θ of
that block, and {read} read. The layer is chosen per task on dev episodes (ties: the lowest) and reported on
test episodes; the common layer maximizes the mean dev accuracy over tasks; the oracle layer is chosen on the test episodes and
is an upper bound, not a result. θ at the last layer is a control: it cannot use the query.

**Scoring.** The predicted {answer}, outer spaces aside, must be an accepted answer; for knowledge tasks prediction and answer
may be prefixes of each other, as in the paper. Translations accept the synonyms listed in the tables.

**Intervals** are 95%: Wilson's for one accuracy, and for means over tasks and paired differences the percentile bootstrap over
episodes within tasks ({RESAMPLES} resamples, seeded).

**Controls**, on the test episodes: the zero-shot prompt of the same query; the commonest answer of the other episodes; the query
itself; a random vector of θ's norm and θ of every other task of the family, both at the chosen layer; θ at the last layer. A task
in which a control is as good as the hypothesis is marked †: by itself it is no evidence for the claim.

**Conflicting tasks.** {conflict["episodes"]} episodes a pair with {conflict["demonstrations"]} demonstrations; the query is an
input of both tasks on which they disagree, and never among B's demonstrations or dummies.

**Geometry** uses θ of the test episodes, all tasks at one layer, cosine distance, no self-pairs. t-SNE: perplexity
{pictures["tsne"]["perplexity"]}, seed {pictures["tsne"]["seed"]}. UMAP: {pictures["umap"]["neighbours"]} neighbours, minimum distance
{pictures["umap"]["min_dist"]}, seed {pictures["umap"]["seed"]}.
"""


def _model_line(name: str, entry: Config) -> str:
    if "wheels" in entry:
        where = f"de-quantized from GGUF, sha256 `{entry['gguf_sha256'][:16]}…`"
    elif "hub" in entry:
        where = f"`{entry['hub']}` at revision `{entry['revision']}`"
    else:
        where = "from a local folder"
    return f"{entry['label']} (`{name}`), {where}; computed in {entry['dtype']}"


def versions() -> pd.DataFrame:
    """Versions of the libraries that matter, as installed."""
    return pd.DataFrame([(name, version(name)) for name in LIBRARIES], columns=["library", "version"])
