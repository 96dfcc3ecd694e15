"""Figures of accuracies: by method, by layer, by task, by layer choice, by demonstrations, and of limits."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from taskvectors.accuracy import PASSES, VIEWS
from taskvectors.figure_style import (
    FAMILY_COLOURS,
    FAMILY_LINES,
    METHOD_COLOURS,
    PAPER_GREY,
    Labels,
    explain_daggers,
    grid,
    legend_above,
    marked,
    models_of,
    percent,
    whole_layers,
)
from taskvectors.tables import ALL, main_tasks


def layer_curves(sweep: pd.DataFrame, published: pd.DataFrame, models: Labels) -> Figure:
    """Dev accuracy of the patched model by layer (paper, figures 3 and 7): families thin, mean over tasks thick.

    Dotted: the mean over the tasks that the paper shows. The last panel shows the paper's models by relative depth beside ours.
    """
    dev = sweep[sweep["split"] == "dev"]
    names = models_of(dev)
    figure, axes = grid(len(names) + 1, 3, 4.1, 3.6, sharey=True)
    for axis, name in zip(axes, names, strict=False):
        mine = dev[dev["model"] == name]
        for family, table in mine.groupby("family", sort=False):
            line = table.groupby("layer")["accuracy"].mean()
            axis.plot(line, color=FAMILY_COLOURS[family], ls=FAMILY_LINES[family], lw=1.2, label=family)
        main = main_tasks(mine)
        mean = main.groupby("layer")["accuracy"].mean()
        axis.plot(mean, color="black", lw=2.4, label="mean over all tasks but limits")
        shown = main.groupby("task")["accuracy"].transform("max") > PASSES
        if shown.any():
            paper = main[shown].groupby("layer")["accuracy"].mean()
            axis.plot(paper, color="black", lw=1.4, ls=(0, (1, 1)), label="the paper's view: best layer passes 75%")
        best = mean.idxmax()
        axis.axvline(best, color="black", lw=0.8, ls=":")
        axis.annotate(f"layer {best}", (best, 1.0), xytext=(4, -4), textcoords="offset points", va="top", fontsize=8)
        axis.set(title=models[name], xlabel="patched layer L", ylim=(-0.02, 1.02))
        whole_layers(axis)
        percent(axis)
    _published_curves(axes[len(names)], dev, published, models)
    axes[0].set_ylabel("dev accuracy of the patched model")
    legend_above(figure, *axes[0].get_legend_handles_labels())
    return figure


def _published_curves(axis: mpl.axes.Axes, dev: pd.DataFrame, published: pd.DataFrame, models: Labels) -> None:
    for name, table in published.groupby("model", sort=False):
        line = table.groupby("layer")["dev_accuracy"].mean()
        axis.plot(line.index / line.index.max(), line, lw=1.2, ls="--", color=PAPER_GREY)
        place = {"xytext": (0, 3), "textcoords": "offset points", "ha": "center"}
        axis.annotate(name, (line.idxmax() / line.index.max(), line.max()), fontsize=7, color="#606060", **place)
    names = models_of(dev)
    for colour, name in zip(sns.color_palette("dark", len(names)), names, strict=True):
        line = main_tasks(dev[dev["model"] == name]).groupby("layer")["accuracy"].mean()
        axis.plot(line.index / line.index.max(), line, lw=2.2, label=models[name], color=colour)
    axis.plot([], [], lw=1.2, ls="--", color=PAPER_GREY, label="published")
    axis.set(title="Ours and the paper's", xlabel="relative depth of L", ylim=(-0.02, 1.02))
    axis.legend(frameon=False, fontsize=8, loc="upper right")


GROUPS_IN_A_ROW = 10  # of bars: more would not fit on a page


def accuracy_bars(accuracy: pd.DataFrame, published: pd.DataFrame, models: Labels) -> Figure:
    """Mean accuracy over tasks by method (paper, figure 4): our models first, then the published ones, paler."""
    ours = accuracy[accuracy["task"] == ALL].assign(published=False)
    means = published.groupby("model")[list(METHOD_COLOURS)].mean().reset_index()
    means = means.melt("model", var_name="method", value_name="accuracy").assign(published=True)
    bars = pd.concat([ours, means])
    groups = list(dict.fromkeys(zip(bars["model"], bars["published"], strict=True)))
    rows = -(-len(groups) // GROUPS_IN_A_ROW)
    length = -(-len(groups) // rows)
    figure, axes = grid(rows, 1, 1.6 + 1.15 * length, 3.8, sharey=True)
    for axis, start in zip(axes, range(0, len(groups), length), strict=True):
        _bar_row(axis, bars, groups[start : start + length], length)
        names = [name if paper else models[name] for name, paper in groups[start : start + length]]
        axis.set_xticklabels(["\n".join(name.rsplit(" ", 1)) for name in names])
    legend_above(figure, *axes[0].get_legend_handles_labels())
    return figure


def _bar_row(axis: mpl.axes.Axes, bars: pd.DataFrame, groups: list[tuple[str, bool]], length: int) -> None:
    """Bars of some models, ours or published, in a row that has room for `length`."""
    of_paper = [published for _, published in groups]
    x = np.arange(len(groups)) + 0.4 * np.array(of_paper)
    width = 0.27
    for place, (method, colour) in enumerate(METHOD_COLOURS.items()):
        table = bars[bars["method"] == method].set_index(["model", "published"]).loc[groups]
        error = np.nan_to_num([table["accuracy"] - table["ci_low"], table["ci_high"] - table["accuracy"]])
        drawn = axis.bar(
            x + (place - 1) * width,
            table["accuracy"],
            width,
            color=colour,
            label=method,
            yerr=error,
            error_kw={"lw": 1},
        )
        for bar, paler in zip(drawn, of_paper, strict=True):
            bar.set_alpha(0.55 if paler else 1)
        axis.bar_label(drawn, fmt="%.2f", padding=3, fontsize=7)
    if any(of_paper):
        first = x[of_paper.index(True)] - 0.7
        axis.axvline(first, color="#888888", lw=0.8, ls=":")
        axis.text(first + 0.1, 1.1, "published (Hendel et al. 2023) →", fontsize=8, color="#606060", va="top")
    axis.set_xticks(x)
    axis.grid(axis="x", visible=False)
    axis.set(ylabel="accuracy, mean over tasks", ylim=(0, 1.12), xlim=(-0.7, length - 0.1))
    percent(axis)


def accuracy_by_task(
    accuracy: pd.DataFrame, controls: pd.DataFrame, choice: pd.DataFrame, models: Labels, tasks: Labels
) -> Figure:
    """Every task's baseline, hypothesis and regular accuracy with 95% intervals (paper, table 6), a panel per model.

    A cross shows the best control, a dagger that a control reaches the hypothesis. A hollow point is θ at the common layer,
    of a task that has none of its own. A task that a model lacks leaves its row empty.
    """
    by_task = accuracy[(accuracy["task"] != ALL) & accuracy["method"].isin(METHOD_COLOURS)]
    names, order = models_of(accuracy), list(dict.fromkeys(by_task["task"]))
    figure, axes = grid(len(names), 3, 4.6, 1.2 + 0.3 * len(order), sharey=True)
    for axis, name in zip(axes, names, strict=False):
        mine = by_task[by_task["model"] == name]
        for shift, marker, (method, colour) in zip((0.22, 0, -0.22), "^os", METHOD_COLOURS.items(), strict=True):
            table = mine[mine["method"] == method].set_index("task").reindex(order)
            _dots(axis, table, shift, color=colour, label=method, fmt=marker)
        own = choice[choice["model"] == name].set_index("task")["own"].reindex(order)
        hollow = mine[mine["method"] == "hypothesis"].set_index("task")["accuracy"].reindex(order).where(own.eq(False))
        axis.plot(hollow, range(len(order)), "o", ms=3, color="white", zorder=3)
        best = controls[controls["model"] == name].groupby("task")[["accuracy", "reached"]].max().reindex(order)
        axis.plot(
            best["accuracy"], range(len(order)), "x", ms=5, color="black", label="best control († reaches hypothesis)"
        )
        for y in np.flatnonzero(best["reached"].eq(True)):
            axis.text(best["accuracy"].iloc[y] + 0.025, y, "†", va="center", fontsize=9)
        axis.set(
            title=models[name], xlim=(-0.02, 1.02), xlabel="accuracy (95% interval)", ylim=(len(order) - 0.5, -0.5)
        )
        percent(axis, "x")
    axes[0].set_yticks(range(len(order)), [tasks[task] for task in order])
    cross, *methods = zip(*axes[0].get_legend_handles_labels(), strict=True)
    handles, labels = map(list, zip(*methods, cross, strict=True))
    if not choice["own"].all():
        colour = METHOD_COLOURS["hypothesis"]
        handles.append(mpl.lines.Line2D([], [], marker="o", ls="", ms=5, mfc="white", mec=colour, mew=1.2))
        labels.append("hypothesis, no layer of its own")
    legend_above(figure, handles, labels)
    return figure


def _dots(axis: mpl.axes.Axes, table: pd.DataFrame, shift: float, share: str = "accuracy", **options: object) -> None:
    """Shares with their intervals, one a row, from the top."""
    error = np.nan_to_num([table[share] - table["ci_low"], table["ci_high"] - table[share]]).clip(0)
    axis.errorbar(table[share], np.arange(len(table)) + shift, xerr=error, ms=5, lw=1, **options)


CHOICES = {
    "hypothesis": "per task, on dev, where θ does something",
    "hypothesis_paper": "per task, on dev, by the paper's rule",
    "hypothesis_common": "one layer for all tasks, on dev",
    "hypothesis_oracle": "oracle: on the test episodes themselves",
    "regular": "no patch, demonstrations (regular)",
}


def layer_choice(views: pd.DataFrame, models: Labels) -> Figure:
    """Accuracy by how the layer is chosen, over all tasks and over the tasks that the paper's figures show."""
    names = models_of(views)
    figure, axes = grid(len(names), 3, 4.6 if len(names) > 1 else 6.4, 3.0, sharey=True)
    styles = {"all": ("o", "#222222"), "gain": ("s", "#0072b2"), "passes": ("^", "#d55e00")}
    for axis, name in zip(axes, names, strict=False):
        mine = views[views["model"] == name]
        for shift, (view, (marker, colour)) in zip((-0.2, 0, 0.2), styles.items(), strict=True):
            table = mine[mine["view"] == view].set_index("method").reindex(CHOICES)
            _dots(axis, table, shift, fmt=marker, color=colour, label=VIEWS[view])
        counts = mine.groupby("view")["tasks"].first().reindex(styles).fillna(0).astype(int)
        axis.set(title=f"{models[name]}\n({' / '.join(map(str, counts))} tasks)", xlim=(-0.02, 1.02))
        axis.set(xlabel="mean accuracy (95% interval)", ylim=(len(CHOICES) - 0.5, -0.5))
        percent(axis, "x")
    axes[0].set_yticks(range(len(CHOICES)), list(CHOICES.values()))
    legend_above(figure, *axes[0].get_legend_handles_labels())
    return figure


def limits(table: pd.DataFrame, controls: pd.DataFrame, models: Labels, tasks: Labels) -> Figure:
    """Tasks that one vector may not hold: regular, hypothesis, and for bijections the right item in the wrong direction."""
    names, order = models_of(table), list(dict.fromkeys(table["task"]))
    figure, axes = grid(len(names), 3, 5.2, 2.4 + 0.45 * len(order), sharey=True)
    series = [
        (-0.24, "s", "regular", "right", "with demonstrations (regular)", "full"),
        (-0.08, "o", "hypothesis", "right", "with θ (hypothesis)", "full"),
        (0.08, "s", "regular", "wrong_direction", "regular: right item, wrong direction", "none"),
        (0.24, "o", "hypothesis", "wrong_direction", "hypothesis: right item, wrong direction", "none"),
    ]
    daggers: list[str] = []
    for axis, name in zip(axes, names, strict=False):
        mine = table[table["model"] == name]
        for shift, marker, method, outcome, label, fill in series:
            its = mine[(mine["method"] == method) & (mine["outcome"] == outcome)].set_index("task").reindex(order)
            _dots(axis, its, shift, "share", fmt=marker, color=METHOD_COLOURS[method], label=label, fillstyle=fill)
        labels = marked(tasks, controls, name)  # one axis for all models: daggers stand at its other end
        daggers += [label for task in order if (label := labels[task]).endswith("†")]
        for y in np.flatnonzero([labels[task].endswith("†") for task in order]):
            axis.text(1.03, y, "†", va="center", clip_on=False)
        axis.set(title=models[name], xlim=(-0.02, 1.02), xlabel="share of answers (95% interval)")
        axis.set_ylim(len(order) - 0.5, -0.5)
        percent(axis, "x")
    axes[0].set_yticks(range(len(order)), [tasks[task] for task in order])
    legend_above(figure, *axes[0].get_legend_handles_labels())
    explain_daggers(figure, daggers)
    return figure
