"""Accuracy of every task by method."""

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from taskvectors.drawing.style import METHOD_COLOURS, Labels, dots, grid, in_percent, legend_above, models_of
from taskvectors.names import ALL
from taskvectors.observations.rows import Tables


def draw(tables: Tables, labels: Labels) -> Figure:
    """Every task's baseline, hypothesis and regular accuracy with 95% intervals (paper, table 6), a panel per model.

    A cross shows the best control, a dagger that a control reaches the hypothesis. A hollow point is θ at the common
    layer, of a task that has none of its own. A task that a model lacks leaves its row empty.
    """
    accuracy, controls, choice = (tables["accuracy"], tables["controls"], tables["layer_choice"])
    models, tasks = labels.models, labels.tasks
    by_task = accuracy[(accuracy["task"] != ALL) & accuracy["method"].isin(METHOD_COLOURS)]
    names, order = models_of(accuracy), list(dict.fromkeys(by_task["task"]))
    figure, axes = grid(len(names), 3, 4.6, 1.2 + 0.3 * len(order), sharey=True)
    for axis, name in zip(axes, names, strict=False):
        of_model = by_task[by_task["model"] == name]
        for shift, marker, (method, colour) in zip((0.22, 0, -0.22), "^os", METHOD_COLOURS.items(), strict=True):
            table = of_model[of_model["method"] == method].set_index("task").reindex(order)
            dots(axis, table, shift, color=colour, label=method, fmt=marker)
        own = choice[choice["model"] == name].set_index("task")["own"].reindex(order)
        hollow = (
            of_model[of_model["method"] == "hypothesis"]
            .set_index("task")["accuracy"]
            .reindex(order)
            .where(own.eq(False))
        )
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
        in_percent(axis, "x")
    axes[0].set_yticks(range(len(order)), [tasks[task] for task in order])
    cross, *methods = zip(*axes[0].get_legend_handles_labels(), strict=True)
    handles, words = map(list, zip(*methods, cross, strict=True))
    if not choice["own"].all():
        colour = METHOD_COLOURS["hypothesis"]
        handles.append(mpl.lines.Line2D([], [], marker="o", ls="", ms=5, mfc="white", mec=colour, mew=1.2))
        words.append("hypothesis, no layer of its own")
    legend_above(figure, handles, words)
    return figure
