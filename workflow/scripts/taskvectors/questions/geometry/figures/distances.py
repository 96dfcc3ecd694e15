"""Cosine distances of θ within and between tasks."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from taskvectors.drawing.style import (
    METHOD_COLOURS,
    Labels,
    Names,
    explain_daggers,
    grid,
    legend_above,
    marked,
    models_of,
)
from taskvectors.names import CENTRED, RAW
from taskvectors.observations.rows import Tables, clearest

HISTOGRAMS = 60  # more panels than that would run over several pages
KINDS = {"within": METHOD_COLOURS["hypothesis"], "between": METHOD_COLOURS["baseline"]}
DARKER = {"within": "#7a1f2d", "between": "#555555"}  # for lines
KIND_LABELS = {"within": "within the task", "between": "to other tasks"}


def draw(tables: Tables, labels: Labels) -> Figure:
    """Cosine distances of θ within a task and to the other tasks (paper, figure 8), a panel per task, model by model.

    Filled: θ itself; lines: less the mean over tasks. Where that would be too many panels, a row per task instead:
    medians, and the middle 90% of the pairs.
    """
    histogram, controls = (tables["distances"], tables["controls"])
    models, tasks = labels.models, labels.tasks
    panels = list(dict.fromkeys(zip(histogram["model"], histogram["task"], strict=True)))
    if len(panels) > HISTOGRAMS:
        return _distance_ranges(histogram, controls, models, tasks)
    figure, axes = grid(len(panels), 6, 2.2, 1.45)
    figure.set_figheight(
        figure.get_figheight() + 0.7
    )  # for the legend and the name of the axis, however few the panels
    reach = histogram[histogram["count"] > 0].groupby("model")["bin_high"].max()
    daggered = {name: marked(tasks, controls, name) for name in models_of(histogram)}
    for axis, (name, task) in zip(axes, panels, strict=False):
        of_task = histogram[(histogram["model"] == name) & (histogram["task"] == task)]
        for (kind, states), table in of_task.groupby(["kind", "states"], sort=False):
            shares = _wider(table) if states == CENTRED else table
            share = shares["count"] / max(shares["count"].max(), 1)
            label = KIND_LABELS[kind] + (", mean over tasks off" if states == CENTRED else "")
            style = {"fill": True, "alpha": 0.75} if states == RAW else {"lw": 1.3}
            colour = KINDS[kind] if states == RAW else DARKER[kind]
            axis.stairs(share, [*shares["bin_low"], shares["bin_high"].iloc[-1]], color=colour, label=label, **style)
        axis.set_title(f"{models[name]}\n{daggered[name][task]}", fontsize=7.5)
        axis.set(yticks=[], xlim=(0, reach.get(name, histogram["bin_high"].max())))
        axis.tick_params(labelsize=7)
    figure.supxlabel("cosine distance between θ", fontsize=9)
    figure.supylabel("pairs (peak: 1)", fontsize=9)
    legend_above(figure, *axes[0].get_legend_handles_labels())
    explain_daggers(figure, [daggered[name][task] for name, task in panels])
    return figure


def _wider(bins: pd.DataFrame) -> pd.DataFrame:
    """A histogram in bins five times as wide."""
    place = np.arange(len(bins)) // 5
    return bins.groupby(place).agg({"bin_low": "first", "bin_high": "last", "count": "sum"})


def _distance_ranges(histogram: pd.DataFrame, controls: pd.DataFrame, models: Names, tasks: Names) -> Figure:
    """Distances of many tasks, a row each: their median and the middle 90% of the pairs, to the width of a bin. Mean
    taken off."""
    histogram = clearest(histogram)
    names, order = models_of(histogram), list(dict.fromkeys(histogram["task"]))
    figure, axes = grid(len(names), 3, 4.6, 1.2 + 0.22 * len(order), sharey=True)
    for axis, name in zip(axes, names, strict=False):
        of_model = histogram[histogram["model"] == name]
        for shift, marker, (kind, colour) in zip((0.17, -0.17), "os", KINDS.items(), strict=True):
            middle = (
                of_model[of_model["kind"] == kind].groupby("task").apply(_middle, include_groups=False).reindex(order)
            )
            error = np.nan_to_num([middle[0.5] - middle[0.05], middle[0.95] - middle[0.5]])
            axis.errorbar(
                middle[0.5],
                np.arange(len(order)) + shift,
                xerr=error,
                fmt=marker,
                color=colour,
                label=KIND_LABELS[kind],
                ms=4,
                lw=1,
            )
        daggered = marked(tasks, controls, name)
        for y in np.flatnonzero([daggered[task].endswith("†") for task in order]):
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
    quantiles = [centres[np.argmax(reached >= share)] if bins["count"].sum() else np.nan for share in shares]
    return pd.Series(quantiles, index=shares)
