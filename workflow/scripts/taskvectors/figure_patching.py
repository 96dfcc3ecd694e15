"""Figures of patches beyond the main experiment: conflicting tasks, the transfer matrix, how θ forms, what θ says."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from taskvectors.figure_style import (
    FAMILY_COLOURS,
    FAMILY_LINES,
    METHOD_COLOURS,
    Labels,
    band,
    explain_daggers,
    grid,
    legend_above,
    marked,
    models_of,
    percent,
    whole_layers,
)
from taskvectors.prompts import KEPT, WITHOUT
from taskvectors.tables import ALL, at_chosen_layer, main_tasks


def conflict(table: pd.DataFrame, controls: pd.DataFrame, models: Labels, tasks: Labels) -> Figure:
    """Prompts of task A patched with θ of B: share answered as A and as B, by layer (paper, section 4.2 and figure 6)."""
    names = models_of(table)
    pairs = list(dict.fromkeys(zip(table["task_a"], table["task_b"], strict=True)))
    figure = Figure(figsize=(2.6 * max(len(pairs), 2), 1.0 + 2.3 * len(names)))
    axes = figure.subplots(len(names), len(pairs), squeeze=False, sharey=True, sharex="row")
    sides = {
        "a": ("task A, as in the prompt", METHOD_COLOURS["regular"], "-."),
        "b": ("task B, patched in", METHOD_COLOURS["hypothesis"], "-"),
    }
    written: list[str] = []
    for row, name in zip(axes, names, strict=True):
        labels = marked(tasks, controls, name)
        for axis, (task_a, task_b) in zip(row, pairs, strict=True):
            mine = table[(table["model"] == name) & (table["task_a"] == task_a) & (table["task_b"] == task_b)]
            for side, (label, colour, style) in sides.items():
                band(axis, mine, "layer", f"patched_{side}", color=colour, ls=style, lw=2, label=label)
                for share in mine[f"regular_{side}"].head(1):
                    axis.axhline(share, color=colour, lw=1, ls="--")
            axis.set(ylim=(-0.02, 1.02))
            axis.set_title(f"A: {labels[task_a]}\nB: {labels[task_b]}", fontsize=8)
            percent(axis)
            whole_layers(axis)
            written += [labels[task_a], labels[task_b]]
        row[0].set_ylabel(f"{models[name]}\nshare of answers")
    for axis in axes[-1]:
        axis.set_xlabel("patched layer L")
    handles, labels_of_sides = axes[0, 0].get_legend_handles_labels()
    handles.append(mpl.lines.Line2D([], [], color="#606060", lw=1, ls="--"))
    legend_above(figure, handles, [*labels_of_sides, "without a patch"])
    explain_daggers(figure, written)
    return figure


NUMBERED = 24  # tasks; of more, the numbers of a matrix could not be read
PROMPTS = {WITHOUT: "bare query", KEPT: "query's own demonstrations kept"}


def transfer(
    table: pd.DataFrame, accuracy: pd.DataFrame, controls: pd.DataFrame, choice: pd.DataFrame,
    models: Labels, tasks: Labels,
) -> Figure:  # fmt: skip
    """θ of every task (rows) in queries of every other (columns) whose inputs fit, at the layer chosen for θ's task.

    Colour and number are the share answered as the task of θ, in percent; below it, small, as the task of the query.
    Of many tasks colours alone; the source table has the numbers.
    Framed: θ of the task itself in its own bare queries, from the main experiment.
    """
    used = set(table["theta_task"]) | set(table["query_task"])
    order = [task for task in tasks if task in used]
    if not order:
        figure = Figure(figsize=(5, 1.2))
        figure.text(0.5, 0.5, "no two tasks share enough inputs", ha="center", va="center")
        return figure
    names = models_of(accuracy)
    many = len(order) > NUMBERED
    side = (0.11 if many else 0.36) * max(len(order), 3)
    figure = Figure(figsize=(3.1 + 2 * side, (side + 1.5) * len(names) + 0.6))
    axes = figure.subplots(len(names), 2, squeeze=False)
    chosen = at_chosen_layer(table, choice, "theta_task")
    size = 5.5 if many else 8
    written: list[str] = []
    for row, name in zip(axes, names, strict=True):
        labels = [marked(tasks, controls, name)[task] for task in order]
        written += labels
        for axis, (prompt, title) in zip(row, PROMPTS.items(), strict=True):
            its = chosen[(chosen["model"] == name) & (chosen["demonstrations"] == prompt)]
            own = accuracy[(accuracy["model"] == name) & (accuracy["method"] == "hypothesis")]
            own = own.set_index("task")["accuracy"] if prompt == WITHOUT else pd.Series(dtype=float)
            _matrix(axis, its, own, order, numbers=not many)
            axis.set_title(f"{models[name]}:\n{title}", fontsize=9.5)
            axis.set_xticks(np.arange(len(order)) + 0.5, labels, rotation=90 if many else 40, ha="center" if many else "right",
                            fontsize=size)  # fmt: skip
            axis.set_xlabel("task of the query", fontsize=9)
        row[0].set_yticks(np.arange(len(order)) + 0.5, labels, rotation=0, fontsize=size)
        row[0].set_ylabel("task of the patched θ", fontsize=9)
        row[1].set_yticks([])
    shade = mpl.cm.ScalarMappable(mpl.colors.Normalize(0, 1), COLOURS)
    bar = figure.colorbar(shade, ax=axes, shrink=0.5, pad=0.01, label="answered as the task of θ")
    percent(bar.ax)
    explain_daggers(figure, written)
    return figure


COLOURS = sns.color_palette("rocket_r", as_cmap=True)


def _matrix(axis: mpl.axes.Axes, its: pd.DataFrame, own: pd.Series, order: list[str], numbers: bool) -> None:
    """One heat map, its cells with numbers or not; tasks whose inputs do not fit leave their cell grey."""
    shares, others = (
        its.pivot(index="theta_task", columns="query_task", values=name).reindex(index=order, columns=order)
        for name in ("as_theta", "as_query")
    )
    shares, others = shares.to_numpy(dtype=float, copy=True), others.to_numpy(dtype=float, copy=True)
    for i, task in enumerate(order):
        if task in own:
            shares[i, i] = own[task]
            axis.add_patch(mpl.patches.Rectangle((i, i), 1, 1, fill=False, ec="black", lw=1.4, zorder=3))
    axis.set_facecolor("#efefef")
    axis.grid(visible=False)
    style = {"cmap": COLOURS, "vmin": 0, "vmax": 1, "square": True, "cbar": False, "linewidths": 0.5 if numbers else 0}
    # Without labels, which come later: seaborn would draw the whole figure to measure them.
    sns.heatmap(shares, ax=axis, xticklabels=False, yticklabels=False, **style)
    for (i, j), share in np.ndenumerate(shares if numbers else np.empty((0, 0))):
        if not np.isnan(share):
            ink = "white" if share > 0.5 else "black"
            lower = "" if np.isnan(others[i, j]) else f"{100 * others[i, j]:.0f}"
            axis.text(j + 0.5, i + (0.38 if lower else 0.5), f"{100 * share:.0f}", color=ink, fontsize=7.5, ha="center",
                      va="center", fontweight="bold")  # fmt: skip
            axis.text(j + 0.5, i + 0.76, lower, color=ink, fontsize=5.5, ha="center", va="center")


def formation(table: pd.DataFrame, variance: pd.DataFrame, accuracy: pd.DataFrame, models: Labels) -> Figure:
    """How θ forms: accuracy and cosine to the final θ after k demonstrations, and what θ varies with, by layer."""
    names = models_of(table)
    figure, axes = grid(3 * len(names), 3, 4.0, 3.1)
    for (left, middle, right), name in zip(axes.reshape(-1, 3), names, strict=True):
        mine = table[table["model"] == name]
        pooled = mine[mine["task"] == ALL]
        for axis, column in ((left, "accuracy"), (middle, "cosine_centred")):
            for family, its in main_tasks(mine[mine["task"] != ALL]).groupby("family", sort=False):
                line = its.groupby("demonstrations")[column].mean()
                axis.plot(line, color=FAMILY_COLOURS[family], ls=FAMILY_LINES[family], lw=1.2, label=family)
            band(axis, pooled, "demonstrations", column, color="black", lw=2.2, label="mean over tasks (95% interval)")
            axis.set(title=models[name], xlabel="demonstrations read, k")
            whole_layers(axis)
        final = accuracy[(accuracy["model"] == name) & (accuracy["task"] == ALL)].set_index("method")["accuracy"]
        left.axhline(final["hypothesis"], color=METHOD_COLOURS["hypothesis"], lw=1, ls="--")
        left.annotate("θ, mean over dummies", (0, final["hypothesis"]), fontsize=7.5, va="bottom")
        left.set(ylabel="accuracy, state after k", ylim=(-0.02, 1.02))
        percent(left)
        middle.plot(
            pooled["demonstrations"], pooled["cosine"], color="black", lw=1, ls=":", label="cosine of both as they are"
        )
        handles, words = middle.get_legend_handles_labels()
        middle.legend(handles[-1:], words[-1:], frameon=False, fontsize=7.5)
        middle.set(ylabel="cosine to the final θ, both\nless the mean over tasks", ylim=(None, 1.02))
        _variance(right, variance[variance["model"] == name])
        right.set_title(models[name])
    legend_above(figure, *axes[0].get_legend_handles_labels())
    return figure


def _variance(axis: mpl.axes.Axes, variance: pd.DataFrame) -> None:
    """Variance of a state over demonstrations and over dummies, as shares of the squared length of the mean θ."""
    main = main_tasks(variance)
    for column, colour, style in (("demonstrations", "#0072b2", "-"), ("dummies", "#d55e00", "--")):
        share = (main[column] / main["mean_square"]).groupby(main["layer"]).mean()
        axis.plot(share, color=colour, ls=style, lw=1.8, label=f"over {column}")
    axis.set(xlabel="layer", ylabel="variance / |mean θ|²")
    axis.set_ylim(bottom=0)
    whole_layers(axis)
    axis.legend(frameon=False, fontsize=8)


RANKS = {
    "answer_rank_median": ("the task's own answers, median", METHOD_COLOURS["hypothesis"], "-"),
    "other_answer_rank_median": ("answers of other tasks, median", "#606060", "--"),
    "name_rank": ("a word of the task's name, best", METHOD_COLOURS["regular"], "-."),
}


def answer_ranks(ranks: pd.DataFrame, models: Labels) -> Figure:
    """Where answers and names stand among all tokens when θ is unembedded, by layer: the median over tasks."""
    names = models_of(ranks)
    figure, axes = grid(len(names), 3, 4.4, 3.3, sharey=True)
    for axis, name in zip(axes, names, strict=False):
        mine = ranks[ranks["model"] == name]
        for column, (label, colour, style) in RANKS.items():
            quartiles = mine.groupby("layer")[column].quantile([0.25, 0.5, 0.75]).unstack()
            axis.plot(quartiles[0.5], color=colour, ls=style, lw=2, label=label)
            axis.fill_between(quartiles.index, quartiles[0.25], quartiles[0.75], color=colour, alpha=0.13, lw=0)
        axis.set(title=f"{models[name]} ({mine['vocabulary'].iloc[0]:,} tokens)", xlabel="layer", yscale="log")
        whole_layers(axis)
    axes[0].invert_yaxis()  # the axes are shared
    axes[0].set_ylabel("rank among all tokens")
    legend_above(figure, *axes[0].get_legend_handles_labels())
    return figure
