"""Accuracy of the patched model by layer."""

from typing import Any

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from taskvectors.drawing.style import (
    PAPER_GREY,
    Labels,
    Names,
    family_lines,
    grid,
    in_percent,
    legend_above,
    models_of,
    whole_layers,
)
from taskvectors.observations.rows import Tables, main_tasks
from taskvectors.questions.layers.views import PASSES


def draw(tables: Tables, labels: Labels) -> Figure:
    """Dev accuracy of the patched model by layer (paper, figures 3 and 7): families thin, mean over tasks thick.

    Dotted: the mean over the tasks that the paper shows. The last panel shows the paper's models by relative depth
    beside ours.
    """
    sweep, published = (tables["layer_sweep"], tables["layer_curves"])
    models = labels.models
    dev = sweep[sweep["split"] == "dev"]
    names = models_of(dev)
    figure, axes = grid(len(names) + 1, 3, 4.1, 3.6, sharey=True)
    for axis, name in zip(axes, names, strict=False):
        of_model = dev[dev["model"] == name]
        family_lines(axis, of_model, "layer", "accuracy")
        main = main_tasks(of_model)
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
        in_percent(axis)
    _published_curves(axes[len(names)], dev, published, models)
    axes[0].set_ylabel("dev accuracy of the patched model")
    legend_above(figure, *axes[0].get_legend_handles_labels())
    return figure


def _published_curves(axis: mpl.axes.Axes, dev: pd.DataFrame, published: pd.DataFrame, models: Names) -> None:
    for name, table in published.groupby("model", sort=False):
        line = table.groupby("layer")["dev_accuracy"].mean()
        axis.plot(line.index / line.index.max(), line, lw=1.2, ls="--", color=PAPER_GREY)
        place: dict[str, Any] = {"xytext": (0, 3), "textcoords": "offset points", "ha": "center"}
        axis.annotate(name, (line.idxmax() / line.index.max(), line.max()), fontsize=7, color="#606060", **place)
    names = models_of(dev)
    for colour, name in zip(sns.color_palette("dark", len(names)), names, strict=True):
        line = main_tasks(dev[dev["model"] == name]).groupby("layer")["accuracy"].mean()
        axis.plot(line.index / line.index.max(), line, lw=2.2, label=models[name], color=colour)
    axis.plot([], [], lw=1.2, ls="--", color=PAPER_GREY, label="published")
    axis.set(title="Ours and the paper's", xlabel="relative depth of L", ylim=(-0.02, 1.02))
    axis.legend(frameon=False, fontsize=8, loc="upper right")
