"""θ of every task in queries of every other."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from taskvectors.drawing.style import Labels, explain_daggers, in_percent, marked, models_of
from taskvectors.names import KEPT, WITHOUT
from taskvectors.observations.rows import Tables, at_chosen_layer

NUMBERED = 24  # tasks; of more, the numbers of a matrix could not be read
PROMPTS = {WITHOUT: "bare query", KEPT: "query's own demonstrations kept"}
COLOURS = sns.color_palette("rocket_r", as_cmap=True)


def draw(tables: Tables, labels: Labels) -> Figure:
    """θ of every task (rows) in queries of every other (columns) whose inputs fit, at the layer chosen for θ's task.

    Colour and number are the share answered as the task of θ, in percent; below it, small, as the task of the query.
    Of many tasks colours alone; the source table has the numbers.
    Framed: θ of the task itself in its own bare queries, from the main experiment.
    """
    table, accuracy, controls, choice = (
        tables["transfer"],
        tables["accuracy"],
        tables["controls"],
        tables["layer_choice"],
    )
    models, tasks = labels.models, labels.tasks
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
        daggered = [marked(tasks, controls, name)[task] for task in order]
        written += daggered
        for axis, (prompt, title) in zip(row, PROMPTS.items(), strict=True):
            shares = chosen[(chosen["model"] == name) & (chosen["demonstrations"] == prompt)]
            own = accuracy[(accuracy["model"] == name) & (accuracy["method"] == "hypothesis")]
            own = own.set_index("task")["accuracy"] if prompt == WITHOUT else pd.Series(dtype=float)
            _matrix(axis, shares, own, order, numbers=not many)
            axis.set_title(f"{models[name]}:\n{title}", fontsize=9.5)
            axis.set_xticks(np.arange(len(order)) + 0.5, daggered, rotation=90 if many else 40, ha="center" if many else "right",
                            fontsize=size)  # fmt: skip
            axis.set_xlabel("task of the query", fontsize=9)
        row[0].set_yticks(np.arange(len(order)) + 0.5, daggered, rotation=0, fontsize=size)
        row[0].set_ylabel("task of the patched θ", fontsize=9)
        row[1].set_yticks([])
    shade = mpl.cm.ScalarMappable(mpl.colors.Normalize(0, 1), COLOURS)
    bar = figure.colorbar(shade, ax=axes, shrink=0.5, pad=0.01, label="answered as the task of θ")
    in_percent(bar.ax)
    explain_daggers(figure, written)
    return figure


def _matrix(axis: mpl.axes.Axes, shares: pd.DataFrame, own: pd.Series, order: list[str], numbers: bool) -> None:
    """One heat map, its cells with numbers or not; tasks whose inputs do not fit leave their cell grey."""
    shares, others = (
        shares.pivot(index="theta_task", columns="query_task", values=name).reindex(index=order, columns=order)
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
