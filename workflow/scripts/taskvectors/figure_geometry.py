"""Figures of where θ lies: t-SNE and UMAP, distances, separation by layer."""

import matplotlib as mpl
import matplotlib.patheffects
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from taskvectors.figure_style import (
    FAMILY_COLOURS,
    METHOD_COLOURS,
    POINTS,
    Labels,
    explain_daggers,
    grid,
    legend_above,
    marked,
    models_of,
    whole_layers,
)
from taskvectors.tables import ALL, CENTRED, RAW, main_tasks

NAMES_IN_A_PANEL = 30  # of clusters: more need larger panels
HISTOGRAMS = 60  # more panels than that would run over several pages
MARKERS = "osD^vPX*<>hdp8"
TITLES = {"tsne": "t-SNE", "umap": "UMAP"}
STATES = {RAW: "θ", CENTRED: "θ less the mean over tasks"}


def embedding(
    points: pd.DataFrame, quality: pd.DataFrame, controls: pd.DataFrame, models: Labels, tasks: Labels
) -> Figure:
    """t-SNE and UMAP of θ (paper, figures 5 and 9), at the first seed: as it is, and less the mean over tasks.

    Colour is the family, marker the task, names stand at the clusters.
    """
    panels = list(dict.fromkeys(zip(points["model"], points["states"], points["method"], strict=True)))
    many = points["task"].nunique() > NAMES_IN_A_PANEL
    figure, axes = grid(len(panels), 1, 11.2, 9.6) if many else grid(len(panels), 2, 5.6, 4.8)
    written: list[str] = []
    for axis, (name, states, method) in zip(axes, panels, strict=False):
        table = points[(points["model"] == name) & (points["states"] == states) & (points["method"] == method)]
        seed = table["seed"].iloc[0]
        table = table[table["seed"] == seed]
        labels = marked(tasks, controls, name)
        _scatter(axis, table, 14, labels)
        axis.margins(0.1)
        _label_clusters(axis, table, labels)
        written += [labels[task] for task in table["task"].unique()]
        key = (quality["model"] == name) & (quality["states"] == states) & (quality["method"] == method)
        its = quality[key & (quality["seed"] == seed)].iloc[0]
        axis.set_title(
            f"{models[name]}: {TITLES[method]}, layer {its['layer']}\n{STATES[states]}, trustworthiness "
            f"{its['trustworthiness']:.2f}",
            fontsize=10,
        )
    _family_legend(figure, points)
    explain_daggers(figure, written)
    return figure


def embedding_seeds(points: pd.DataFrame, quality: pd.DataFrame, models: Labels) -> Figure:
    """The same pictures at every seed, in small: what they share is in θ, what changes is chance. Of θ less the mean over tasks."""
    points, quality = clearest(points), clearest(quality)
    rows = list(dict.fromkeys(zip(points["model"], points["method"], strict=True)))
    seeds = list(dict.fromkeys(points["seed"]))
    figure = Figure(figsize=(2.1 * max(len(seeds), 2), 0.6 + 2.1 * len(rows)))
    axes = figure.subplots(len(rows), len(seeds), squeeze=False)
    trust = quality.set_index(["model", "method", "seed"])["trustworthiness"]
    for line, (name, method) in zip(axes, rows, strict=True):
        for axis, seed in zip(line, seeds, strict=True):
            mine = (points["model"] == name) & (points["method"] == method) & (points["seed"] == seed)
            _scatter(axis, points[mine], 4)
            axis.set_title(f"seed {seed}: {trust[name, method, seed]:.2f}", fontsize=8, fontweight="normal")
        line[0].set_ylabel(f"{models[name]}\n{TITLES[method]}", fontsize=8.5)
    _family_legend(figure, points)
    return figure


def clearest(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of θ less the mean over tasks; of a model with a single task, which has none, those of θ as it is."""
    has = table.groupby("model")["states"].transform(lambda states: (states == CENTRED).any())
    return table[(table["states"] == CENTRED) | ~has.astype(bool)]


def _scatter(axis: mpl.axes.Axes, table: pd.DataFrame, size: float, names: Labels | None = None) -> None:
    """θ as points; in SVG, a group for each task that carries its name, if there are names."""
    family_of = dict(zip(table["task"], table["family"], strict=True))
    markers: dict[str, str] = {}
    for family in FAMILY_COLOURS:
        members = [task for task, its in family_of.items() if its == family]
        markers |= {task: MARKERS[i % len(MARKERS)] for i, task in enumerate(members)}
    for task, mine in table.groupby("task", sort=False):
        colour = FAMILY_COLOURS[family_of[task]]
        group = f"{POINTS}{names[task]}" if names else None
        axis.scatter(mine["x"], mine["y"], s=size, marker=markers[task], color=colour, alpha=0.6, lw=0, gid=group)
    if table["x"].isna().all():
        axis.text(0.5, 0.5, "too few θ for a picture", transform=axis.transAxes, ha="center", fontsize=9)
    axis.set(xticks=[], yticks=[], xlabel="", ylabel="")


def _family_legend(figure: Figure, points: pd.DataFrame) -> None:
    present = set(points["family"])
    handles = [
        mpl.lines.Line2D([], [], marker="o", ls="", color=FAMILY_COLOURS[family], label=family)
        for family in FAMILY_COLOURS
        if family in present
    ]
    legend_above(figure, handles, [handle.get_label() for handle in handles])


def _label_clusters(axis: mpl.axes.Axes, table: pd.DataFrame, tasks: Labels) -> None:
    """Write each task's name at its median, nudged apart vertically where names would overlap."""
    inches = axis.figure.get_size_inches() / axis.get_gridspec().get_geometry()[::-1]  # of a panel
    width, height = (np.ptp(axis.get_xlim()), np.ptp(axis.get_ylim())) * np.array([1.25, 0.19]) / inches  # of a name
    placed: list[tuple[float, float]] = []
    medians = table.groupby("task", sort=False)[["x", "y"]].median().dropna().sort_values("y")
    for task, (x, median) in medians.iterrows():
        y = median + height
        while any(abs(y - other_y) < height and abs(x - other_x) < width for other_x, other_y in placed):
            y += height / 4
        placed.append((x, y))
        text = axis.text(x, y, tasks[task], fontsize=7.5, ha="center", va="center")
        text.set_path_effects([mpl.patheffects.withStroke(linewidth=2.5, foreground="white")])
    axis.set_ylim(top=max([axis.get_ylim()[1], *(y + height for _, y in placed)]))


KINDS = {"within": METHOD_COLOURS["hypothesis"], "between": METHOD_COLOURS["baseline"]}
DARKER = {"within": "#7a1f2d", "between": "#555555"}  # for lines
KIND_LABELS = {"within": "within the task", "between": "to other tasks"}


def distances(histogram: pd.DataFrame, controls: pd.DataFrame, models: Labels, tasks: Labels) -> Figure:
    """Cosine distances of θ within a task and to the other tasks (paper, figure 8), a panel per task, model by model.

    Filled: θ as it is; lines: less the mean over tasks. Where that would be too many panels, a row per task instead: medians, and the
    middle 90% of the pairs.
    """
    panels = list(dict.fromkeys(zip(histogram["model"], histogram["task"], strict=True)))
    if len(panels) > HISTOGRAMS:
        return _distance_ranges(histogram, controls, models, tasks)
    figure, axes = grid(len(panels), 6, 2.2, 1.55)
    reach = histogram[histogram["count"] > 0].groupby("model")["bin_high"].max()
    labels = {name: marked(tasks, controls, name) for name in models_of(histogram)}
    for axis, (name, task) in zip(axes, panels, strict=False):
        mine = histogram[(histogram["model"] == name) & (histogram["task"] == task)]
        for (kind, states), table in mine.groupby(["kind", "states"], sort=False):
            shares = _wider(table) if states == CENTRED else table
            share = shares["count"] / max(shares["count"].max(), 1)
            label = KIND_LABELS[kind] + (", mean over tasks off" if states == CENTRED else "")
            style = {"fill": True, "alpha": 0.75} if states == RAW else {"lw": 1.3}
            colour = KINDS[kind] if states == RAW else DARKER[kind]
            axis.stairs(share, [*shares["bin_low"], shares["bin_high"].iloc[-1]], color=colour, label=label, **style)
        axis.set_title(f"{models[name]}\n{labels[name][task]}", fontsize=7.5)
        axis.set(yticks=[], xlim=(0, reach.get(name, histogram["bin_high"].max())))
        axis.tick_params(labelsize=7)
    figure.supxlabel("cosine distance between θ", fontsize=9)
    figure.supylabel("pairs (peak: 1)", fontsize=9)
    legend_above(figure, *axes[0].get_legend_handles_labels())
    explain_daggers(figure, [labels[name][task] for name, task in panels])
    return figure


def _wider(bins: pd.DataFrame) -> pd.DataFrame:
    """A histogram in bins five times as wide."""
    place = np.arange(len(bins)) // 5
    return bins.groupby(place).agg({"bin_low": "first", "bin_high": "last", "count": "sum"})


def _distance_ranges(histogram: pd.DataFrame, controls: pd.DataFrame, models: Labels, tasks: Labels) -> Figure:
    """Distances of many tasks, a row each: their median and the middle 90% of the pairs, to the width of a bin. Mean taken off."""
    histogram = clearest(histogram)
    names, order = models_of(histogram), list(dict.fromkeys(histogram["task"]))
    figure, axes = grid(len(names), 3, 4.6, 1.2 + 0.22 * len(order), sharey=True)
    for axis, name in zip(axes, names, strict=False):
        mine = histogram[histogram["model"] == name]
        for shift, marker, (kind, colour) in zip((0.17, -0.17), "os", KINDS.items(), strict=True):
            its = mine[mine["kind"] == kind].groupby("task").apply(_middle, include_groups=False).reindex(order)
            error = np.nan_to_num([its[0.5] - its[0.05], its[0.95] - its[0.5]])
            y = np.arange(len(order)) + shift
            axis.errorbar(its[0.5], y, xerr=error, fmt=marker, color=colour, label=KIND_LABELS[kind], ms=4, lw=1)
        labels = marked(tasks, controls, name)
        for y in np.flatnonzero([labels[task].endswith("†") for task in order]):
            axis.text(1.01, y, "†", transform=axis.get_yaxis_transform(), va="center")
        axis.set(title=models[name], xlabel="cosine distance between θ less the\nmean over tasks (middle 90% of pairs)")
        axis.set(ylim=(len(order) - 0.5, -0.5), xlim=(0, None))
    axes[0].set_yticks(range(len(order)), [tasks[task] for task in order], fontsize=8)
    legend_above(figure, *axes[0].get_legend_handles_labels())
    explain_daggers(figure, ["†"] if controls["reached"].any() else [])
    return figure


def _middle(bins: pd.DataFrame) -> pd.Series:
    """Quantiles of what a histogram counts: centres of the bins in which they lie."""
    reached = bins["count"].cumsum() / max(bins["count"].sum(), 1)
    centres = ((bins["bin_low"] + bins["bin_high"]) / 2).to_numpy()
    shares = [0.05, 0.5, 0.95]
    found = [centres[np.argmax(reached >= share)] if bins["count"].sum() else np.nan for share in shares]
    return pd.Series(found, index=shares)


SCORES = {
    "knn_accuracy": ("5 nearest neighbours find the task", "#009e73", "-."),
    "ari": ("k-means finds the tasks (adjusted Rand)", "#0072b2", (0, (1, 1))),
    "silhouette": ("silhouette of tasks", "#d55e00", "--"),
}


def separation(geometry: pd.DataFrame, sweep: pd.DataFrame, models: Labels) -> Figure:
    """Where tasks separate, and whether that is where patching works: scores of θ and dev accuracy by layer.

    Thick: θ less the mean over tasks, thin: θ as it is.
    """
    names = models_of(geometry)
    figure, axes = grid(len(names), 3, 4.4, 3.4, sharey=True)
    lowest = min(0, np.nan_to_num(geometry.loc[geometry["task"] == ALL, list(SCORES)].min().min())) - 0.05
    for axis, name in zip(axes, names, strict=False):
        pooled = geometry[(geometry["model"] == name) & (geometry["task"] == ALL)]
        mine = main_tasks(sweep[(sweep["model"] == name) & (sweep["split"] == "dev")])
        axis.plot(mine.groupby("layer")["accuracy"].mean(), color="black", lw=2.2, label="dev accuracy, patched")
        for column, (label, colour, style) in SCORES.items():
            for states, width in ((CENTRED, 1.8), (RAW, 0.7)):
                scores = pooled[pooled["states"] == states].set_index("layer")[column]
                axis.plot(scores, color=colour, lw=width, ls=style, label=label if states == CENTRED else None)
        axis.set(title=models[name], xlabel="layer", ylim=(lowest, 1.05))
        whole_layers(axis)
    handles, labels = axes[0].get_legend_handles_labels()
    handles.append(mpl.lines.Line2D([], [], color="#606060", lw=0.7))
    axes[0].set_ylabel("score")
    legend_above(figure, handles, [*labels, "thin: θ as it is"])
    return figure
