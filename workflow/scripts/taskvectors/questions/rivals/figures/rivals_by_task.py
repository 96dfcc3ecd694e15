"""Rivals of θ in every task."""

from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from taskvectors.drawing.style import Labels, in_percent, models_of
from taskvectors.names import ALL
from taskvectors.observations.rows import Tables

COLOURS = sns.color_palette("rocket_r", as_cmap=True)
NUMBERED = 30  # tasks; of more, numbers could not be read


def draw(tables: Tables, labels: Labels) -> Figure:
    """A heat map a model: accuracy of every representation (rows) in every task (columns); the last column is their
    mean."""
    table = tables["rivals"]
    tasks = [task for task in labels.tasks if task in set(table["task"])]
    columns = [*tasks, ALL]
    called = table.drop_duplicates("representation").set_index("representation")["label"]
    models = models_of(table)
    width, height = 0.34 * max(len(columns), 6), 0.27 * max(len(called), 3)
    figure = Figure(figsize=(3.0 + width, (height + 0.5) * len(models) + 1.6))
    axes = figure.subplots(len(models), 1, squeeze=False)[:, 0]
    for axis, model in zip(axes, models, strict=True):
        wide = table[table["model"] == model].pivot(index="representation", columns="task", values="accuracy")
        _matrix(axis, wide.reindex(index=called.index, columns=columns).to_numpy(dtype=float), len(columns) <= NUMBERED)
        axis.axvline(len(tasks), color="white", lw=3)
        axis.set_title(labels.models[model], fontsize=9.5)
        axis.set_yticks(np.arange(len(called)) + 0.5, called, rotation=0, fontsize=7.5)
    names = [*(labels.tasks[task] for task in tasks), "mean"]
    axes[-1].set_xticks(np.arange(len(columns)) + 0.5, names, rotation=40, ha="right", fontsize=7.5)
    layout: Any = figure.get_layout_engine()
    layout.set(w_pad=0.15)  # labels are wider in some formats
    shade = mpl.cm.ScalarMappable(mpl.colors.Normalize(0, 1), COLOURS)
    in_percent(figure.colorbar(shade, ax=list(axes), shrink=0.5, pad=0.01, label="accuracy").ax)
    return figure


def _matrix(axis: mpl.axes.Axes, shares: np.ndarray, numbers: bool) -> None:
    axis.set_facecolor("#efefef")
    axis.grid(visible=False)
    style = {"cmap": COLOURS, "vmin": 0, "vmax": 1, "cbar": False, "linewidths": 0.5}
    sns.heatmap(shares, ax=axis, xticklabels=False, yticklabels=False, **style)
    for (i, j), share in np.ndenumerate(shares if numbers else np.empty((0, 0))):
        if not np.isnan(share):
            ink = "white" if share > 0.5 else "black"
            axis.text(j + 0.5, i + 0.5, f"{100 * share:.0f}", color=ink, fontsize=6.5, ha="center", va="center")
