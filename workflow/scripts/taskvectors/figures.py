"""The study's figures: tidy tables in, one figure out. One style for all; nothing here knows of models or θ."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import matplotlib.patheffects
import matplotlib.ticker
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from taskvectors.files import atomic
from taskvectors.tables import ALL

METHOD_COLOURS = {"baseline": "#b8b8b8", "hypothesis": "#d1495b", "regular": "#30638e"}
FAMILY_COLOURS = {"algorithmic": "#0072b2", "knowledge": "#d55e00", "linguistic": "#009e73", "translation": "#aa4499"}
FAMILY_COLOURS |= {"limits": "#8c6d00", "own": "#444444"}
PAPER_GREY = "#9a9a9a"
MARKERS = "osD^vPX*<>hdp8"
Labels = Mapping[str, str]


def set_style() -> None:
    """Fonts, grid and fixed metadata, so that the same table gives the same bytes."""
    sns.set_theme(context="paper", style="whitegrid", palette="colorblind", font_scale=1.1)
    mpl.rcParams.update(
        {
            "svg.hashsalt": "task vectors",
            "svg.fonttype": "path",
            "figure.constrained_layout.use": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "grid.color": "#e8e8e8",
            "axes.titleweight": "bold",
            "font.family": "DejaVu Sans",
        }
    )


def save(figure: Figure, path: str | Path) -> None:
    """Write one file, atomically, without a date; the suffix gives the format."""
    path = Path(path)
    metadata = {"Date": None} if path.suffix == ".svg" else None
    with atomic(path) as temporary:
        figure.savefig(temporary, dpi=200, metadata=metadata)


def _grid(panels: int, columns: int, width: float, height: float, **options: object) -> tuple[Figure, np.ndarray]:
    columns = min(columns, panels)
    rows = -(-panels // columns)
    figure = Figure(figsize=(width * columns, height * rows))
    axes = figure.subplots(rows, columns, squeeze=False, **options).ravel()
    for axis in axes[panels:]:
        axis.set_visible(False)
    return figure, axes


def _legend_above(figure: Figure, handles: list, labels: list[str]) -> None:
    """One legend for all panels, in as many columns as the figure is wide enough for."""
    column = 0.6 + 0.075 * max(map(len, labels))  # inches: handle and longest label
    columns = max(1, min(len(labels), int(figure.get_figwidth() / column)))
    figure.legend(handles, labels, loc="outside upper center", ncols=columns, frameon=False)


def _percent(axis: mpl.axes.Axes, which: str = "y") -> None:
    getattr(axis, f"{which}axis").set_major_formatter(mpl.ticker.PercentFormatter(1.0, decimals=0))


def layer_curves(sweep: pd.DataFrame, published: pd.DataFrame, models: Labels) -> Figure:
    """Dev accuracy of the patched model by layer (paper, figures 3 and 7): families thin, mean over tasks thick.

    The last panel shows the paper's models by relative depth beside ours.
    """
    dev = sweep[sweep["split"] == "dev"]
    names = list(dict.fromkeys(dev["model"]))
    figure, axes = _grid(len(names) + 1, 3, 4.1, 3.4, sharey=True)
    for axis, name in zip(axes, names, strict=False):
        mine = dev[dev["model"] == name]
        for family, table in mine.groupby("family", sort=False):
            line = table.groupby("layer")["accuracy"].mean()
            axis.plot(line.index, line, color=FAMILY_COLOURS[family], lw=1.2, label=family)
        mean, spread = (mine.groupby("layer")["accuracy"].agg(how) for how in ("mean", "std"))
        axis.fill_between(mean.index, mean - spread, mean + spread, color="black", alpha=0.08, lw=0)
        axis.plot(mean.index, mean, color="black", lw=2.4, label="mean over tasks (± sd)")
        best = mean.idxmax()
        axis.axvline(best, color="black", lw=0.8, ls=":")
        axis.annotate(f"layer {best}", (best, 1.0), xytext=(4, -4), textcoords="offset points", va="top", fontsize=8)
        axis.set(title=models[name], xlabel="patched layer L", ylim=(-0.02, 1.02))
        axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
        _percent(axis)
    last = axes[len(names)]
    for name, table in published.groupby("model", sort=False):
        line = table.groupby("layer")["dev_accuracy"].mean()
        last.plot(line.index / line.index.max(), line, lw=1.2, ls="--", color=PAPER_GREY)
        last.annotate(
            name,
            (line.idxmax() / line.index.max(), line.max()),
            fontsize=7,
            color="#606060",
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
        )
    for colour, name in zip(sns.color_palette("dark", len(names)), names, strict=True):
        line = dev[dev["model"] == name].groupby("layer")["accuracy"].mean()
        last.plot(line.index / line.index.max(), line, lw=2.2, label=models[name], color=colour)
    last.plot([], [], lw=1.2, ls="--", color=PAPER_GREY, label="published")
    last.set(title="Ours and the paper's", xlabel="relative depth of L", ylim=(-0.02, 1.02))
    last.legend(frameon=False, fontsize=8, loc="upper right")
    axes[0].set_ylabel("dev accuracy of the patched model")
    axes[0].legend(frameon=False, fontsize=8, loc="upper left")
    return figure


def accuracy_bars(accuracy: pd.DataFrame, published: pd.DataFrame, models: Labels) -> Figure:
    """Mean accuracy over tasks by method (paper, figure 4): our models left, the published ones right."""
    ours = accuracy[accuracy["task"] == ALL]
    names = list(dict.fromkeys(ours["model"]))
    means = published.groupby("model")[list(METHOD_COLOURS)].mean()
    figure = Figure(figsize=(1.6 + 1.15 * (len(names) + len(means)), 3.8))
    axis = figure.subplots()
    width = 0.27
    for place, (method, colour) in enumerate(METHOD_COLOURS.items()):
        table = ours[ours["method"] == method].set_index("model").loc[names]
        x = np.arange(len(names)) + (place - 1) * width
        error = [table["accuracy"] - table["ci_low"], table["ci_high"] - table["accuracy"]]
        bars = axis.bar(x, table["accuracy"], width, color=colour, label=method, yerr=error, error_kw={"lw": 1})
        axis.bar_label(bars, fmt="%.2f", padding=3, fontsize=7)
        x = len(names) + 0.4 + np.arange(len(means)) + (place - 1) * width
        bars = axis.bar(x, means[method], width, color=colour, alpha=0.55)
        axis.bar_label(bars, fmt="%.2f", padding=2, fontsize=6, color="#606060")
    axis.axvline(len(names) - 0.3, color="#888888", lw=0.8, ls=":")
    axis.text(len(names) - 0.2, 1.06, "published (Hendel et al. 2023) →", fontsize=8, color="#606060", va="top")
    ticks = [*np.arange(len(names)), *(len(names) + 0.4 + np.arange(len(means)))]
    axis.set_xticks(
        ticks,
        ["\n".join(models[name].rsplit(" ", 1)) for name in names] + [name.replace(" ", "\n") for name in means.index],
    )
    axis.grid(axis="x", visible=False)
    axis.set(ylabel="accuracy, mean over tasks", ylim=(0, 1.08))
    _percent(axis)
    _legend_above(figure, *axis.get_legend_handles_labels())
    return figure


def accuracy_by_task(accuracy: pd.DataFrame, controls: pd.DataFrame, models: Labels, tasks: Labels) -> Figure:
    """Every task's baseline, hypothesis and regular accuracy with 95% intervals (paper, table 6), a panel per model.

    A cross shows the best control, a dagger that it reaches the hypothesis.
    """
    names = list(dict.fromkeys(accuracy["model"]))
    by_task = accuracy[(accuracy["task"] != ALL) & accuracy["method"].isin(METHOD_COLOURS)]
    order = list(dict.fromkeys(by_task["task"]))
    figure, axes = _grid(len(names), 3, 4.6, 1.2 + 0.3 * len(order), sharey=True)
    for axis, name in zip(axes, names, strict=False):
        for shift, (method, colour) in zip((0.22, 0, -0.22), METHOD_COLOURS.items(), strict=True):
            table = by_task[(by_task["model"] == name) & (by_task["method"] == method)].set_index("task").loc[order]
            error = [table["accuracy"] - table["ci_low"], table["ci_high"] - table["accuracy"]]
            y = np.arange(len(order)) + shift
            axis.errorbar(table["accuracy"], y, xerr=error, fmt="o", ms=5, lw=1, color=colour, label=method)
        best = controls[controls["model"] == name].groupby("task")[["accuracy", "reached"]].max().loc[order]
        axis.plot(
            best["accuracy"], range(len(order)), "x", ms=5, color="black", label="best control († reaches hypothesis)"
        )
        for y in np.flatnonzero(best["reached"]):
            axis.text(best["accuracy"].iloc[y] + 0.025, y, "†", va="center", fontsize=9)
        axis.set_yticks(range(len(order)), [tasks[task] for task in order])
        axis.set(
            title=models[name], xlim=(-0.02, 1.02), xlabel="accuracy (95% interval)", ylim=(len(order) - 0.5, -0.5)
        )
        _percent(axis, "x")
    cross, *methods = zip(*axes[0].get_legend_handles_labels(), strict=True)
    _legend_above(figure, *map(list, zip(*methods, cross, strict=True)))
    return figure


def embedding(points: pd.DataFrame, models: Labels, tasks: Labels) -> Figure:
    """t-SNE and UMAP of θ (paper, figures 5 and 9): colour is the family, marker the task, names stand at the clusters."""
    panels = list(dict.fromkeys(zip(points["model"], points["method"], strict=True)))
    figure, axes = _grid(len(panels), 2, 5.6, 4.8)
    family_of = dict(zip(points["task"], points["family"], strict=True))
    markers: dict[str, str] = {}
    for family in FAMILY_COLOURS:
        members = [task for task, its in family_of.items() if its == family]
        markers |= {task: MARKERS[i % len(MARKERS)] for i, task in enumerate(members)}
    for axis, (name, method) in zip(axes, panels, strict=False):
        table = points[(points["model"] == name) & (points["method"] == method)]
        for task, mine in table.groupby("task", sort=False):
            colour = FAMILY_COLOURS[family_of[task]]
            axis.scatter(mine["x"], mine["y"], s=14, marker=markers[task], color=colour, alpha=0.6, lw=0)
        _label_clusters(axis, table, tasks)
        title = {"tsne": "t-SNE", "umap": "UMAP"}[method]
        axis.set(
            title=f"{models[name]}: {title}, layer {table['layer'].iloc[0]}", xticks=[], yticks=[], xlabel="", ylabel=""
        )
        axis.margins(0.1)
    handles = [
        mpl.lines.Line2D([], [], marker="o", ls="", color=FAMILY_COLOURS[family], label=family)
        for family in FAMILY_COLOURS
        if family in family_of.values()
    ]
    _legend_above(figure, handles, [handle.get_label() for handle in handles])
    return figure


def _label_clusters(axis: mpl.axes.Axes, table: pd.DataFrame, tasks: Labels) -> None:
    """Write each task's name at its median, nudged apart vertically where names would overlap."""
    height = np.ptp(table["y"]) * 0.045
    width = np.ptp(table["x"]) * 0.26
    placed: list[tuple[float, float]] = []
    medians = table.groupby("task", sort=False)[["x", "y"]].median().sort_values("y")
    for task, (x, median) in medians.iterrows():
        y = median + height
        while any(abs(y - other_y) < height and abs(x - other_x) < width for other_x, other_y in placed):
            y += height / 4
        placed.append((x, y))
        text = axis.text(x, y, tasks[task], fontsize=7.5, ha="center", va="center")
        text.set_path_effects([mpl.patheffects.withStroke(linewidth=2.5, foreground="white")])


def distances(histogram: pd.DataFrame, models: Labels, tasks: Labels) -> Figure:
    """Cosine distances of θ within a task and to the other tasks (paper, figure 8), a panel per task, model by model."""
    panels = list(dict.fromkeys(zip(histogram["model"], histogram["task"], strict=True)))
    figure, axes = _grid(len(panels), 6, 2.2, 1.55)
    reach = histogram[histogram["count"] > 0].groupby("model")["bin_high"].max()
    colours = {"within": METHOD_COLOURS["hypothesis"], "between": METHOD_COLOURS["baseline"]}
    for axis, (name, task) in zip(axes, panels, strict=False):
        for kind, colour in colours.items():
            table = histogram[(histogram["model"] == name) & (histogram["task"] == task) & (histogram["kind"] == kind)]
            share = table["count"] / max(table["count"].sum(), 1)
            axis.stairs(
                share, [*table["bin_low"], table["bin_high"].iloc[-1]], fill=True, color=colour, alpha=0.75, label=kind
            )
        axis.set_title(f"{models[name]}\n{tasks[task]}", fontsize=7.5)
        axis.set(yticks=[], xlim=(0, reach[name]))
        axis.tick_params(labelsize=7)
    figure.supxlabel("cosine distance between θ", fontsize=9)
    figure.supylabel("share of pairs", fontsize=9)
    names = {"within": "within the task", "between": "to other tasks"}
    handles, labels = axes[0].get_legend_handles_labels()
    _legend_above(figure, handles, [names[label] for label in labels])
    return figure


def conflict(table: pd.DataFrame, models: Labels, tasks: Labels) -> Figure:
    """Prompts of task A patched with θ of B: share answered as A and as B, by layer (paper, section 4.2 and figure 6)."""
    names = list(dict.fromkeys(table["model"]))
    pairs = list(dict.fromkeys(zip(table["task_a"], table["task_b"], strict=True)))
    figure = Figure(figsize=(2.6 * max(len(pairs), 2), 1.0 + 2.3 * len(names)))
    axes = figure.subplots(len(names), len(pairs), squeeze=False, sharey=True, sharex="row")
    sides = {
        "a": ("task A, as in the prompt", METHOD_COLOURS["regular"]),
        "b": ("task B, patched in", METHOD_COLOURS["hypothesis"]),
    }
    for row, name in zip(axes, names, strict=True):
        for axis, (task_a, task_b) in zip(row, pairs, strict=True):
            mine = table[(table["model"] == name) & (table["task_a"] == task_a) & (table["task_b"] == task_b)]
            for side, (label, colour) in sides.items():
                axis.fill_between(
                    mine["layer"],
                    mine[f"patched_{side}_ci_low"],
                    mine[f"patched_{side}_ci_high"],
                    color=colour,
                    alpha=0.15,
                    lw=0,
                )
                axis.plot(mine["layer"], mine[f"patched_{side}"], color=colour, lw=2, label=label)
                axis.axhline(mine[f"regular_{side}"].iloc[0], color=colour, lw=1, ls="--")
            axis.set(ylim=(-0.02, 1.02))
            axis.set_title(f"A: {tasks[task_a]}\nB: {tasks[task_b]}", fontsize=8)
            _percent(axis)
        row[0].set_ylabel(f"{models[name]}\nshare of answers")
    for axis in axes[-1]:
        axis.set_xlabel("patched layer L")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    handles.append(mpl.lines.Line2D([], [], color="#606060", lw=1, ls="--"))
    _legend_above(figure, handles, [*labels, "without a patch"])
    return figure


def separation(geometry: pd.DataFrame, sweep: pd.DataFrame, models: Labels) -> Figure:
    """Where tasks separate, and whether that is where patching works: scores of θ and dev accuracy by layer."""
    names = list(dict.fromkeys(geometry["model"]))
    figure, axes = _grid(len(names), 3, 4.4, 3.2, sharey=True)
    for axis, name in zip(axes, names, strict=False):
        scores = geometry[(geometry["model"] == name) & (geometry["task"] == ALL)].set_index("layer")
        dev = sweep[(sweep["model"] == name) & (sweep["split"] == "dev")].groupby("layer")["accuracy"].mean()
        axis.plot(dev.index, dev, color="black", lw=2.2, label="dev accuracy, patched")
        axis.plot(
            scores.index,
            scores["knn_accuracy"],
            color="#009e73",
            lw=1.6,
            ls="-.",
            label="5 nearest neighbours find the task",
        )
        axis.plot(scores.index, scores["silhouette"], color="#d55e00", lw=1.6, ls="--", label="silhouette of tasks")
        axis.set(title=models[name], xlabel="layer", ylim=(-0.3, 1.05))
        axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
    axes[0].set_ylabel("score")
    _legend_above(figure, *axes[0].get_legend_handles_labels())
    return figure
