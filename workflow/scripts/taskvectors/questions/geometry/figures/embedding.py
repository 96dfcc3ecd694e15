"""t-SNE and UMAP of θ."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from taskvectors.drawing.points import TITLES, family_legend, scatter
from taskvectors.drawing.style import Labels, Names, explain_daggers, grid, marked
from taskvectors.names import CENTRED, RAW
from taskvectors.observations.rows import Tables

NAMES_IN_A_PANEL = 30  # of clusters: more need larger panels
LETTER, MARGIN = 0.064, 0.1  # inches of a letter of a name, on average, and between two names
# Letters with an outline would be paths of their own, which make half of the drawing's file.
BEHIND = {"facecolor": "white", "alpha": 0.75, "lw": 0, "pad": 0.6}
STATES = {RAW: "θ", CENTRED: "θ less the mean over tasks"}


def draw(tables: Tables, labels: Labels) -> Figure:
    """t-SNE and UMAP of θ (paper, figures 5 and 9), at the first seed: itself, and less the mean over tasks.

    Colour is the family, marker the task; names are at the clusters.
    """
    points, quality, controls = (tables["embedding"], tables["embedding_quality"], tables["controls"])
    models, tasks = labels.models, labels.tasks
    panels = list(dict.fromkeys(zip(points["model"], points["states"], points["method"], strict=True)))
    many = points["task"].nunique() > NAMES_IN_A_PANEL
    figure, axes = grid(len(panels), 1, 11.2, 9.6) if many else grid(len(panels), 2, 5.6, 4.8)
    written: list[str] = []
    for axis, (name, states, method) in zip(axes, panels, strict=False):
        table = points[(points["model"] == name) & (points["states"] == states) & (points["method"] == method)]
        seed = table["seed"].iloc[0]
        table = table[table["seed"] == seed]
        daggered = marked(tasks, controls, name)
        scatter(axis, table, 14, daggered)
        axis.margins(0.1)
        _label_clusters(axis, table, daggered)
        written += [daggered[task] for task in table["task"].unique()]
        key = (quality["model"] == name) & (quality["states"] == states) & (quality["method"] == method)
        row = quality[key & (quality["seed"] == seed)].iloc[0]
        axis.set_title(
            f"{models[name]}: {TITLES[method]}, layer {row['layer']}\n{STATES[states]}, trustworthiness "
            f"{row['trustworthiness']:.2f}",
            fontsize=10,
        )
    family_legend(figure, points)
    explain_daggers(figure, written)
    return figure


def _label_clusters(axis: mpl.axes.Axes, table: pd.DataFrame, tasks: Names) -> None:
    """Write each task's name at its median, nudged apart vertically where names would overlap."""
    figure: Any = axis.figure
    panels: Any = axis.get_gridspec()
    inches = figure.get_size_inches() / panels.get_geometry()[::-1]  # of a panel
    one_inch_and_a_name = np.array([1, 0.19])  # inches: along x, and the height of a name along y
    inch, height = (np.ptp(axis.get_xlim()), np.ptp(axis.get_ylim())) * one_inch_and_a_name / inches
    placed: list[tuple[float, float, float]] = []
    medians = table.groupby("task", sort=False)[["x", "y"]].median().dropna().sort_values("y")
    for task, (x, median) in medians.iterrows():
        y, width = median + height, (MARGIN + LETTER * len(tasks[task])) * inch
        while any(
            abs(y - other_y) < height and abs(x - other_x) < (width + other_width) / 2
            for other_x, other_y, other_width in placed
        ):
            y += height / 4
        placed.append((x, y, width))
        axis.text(x, y, tasks[task], fontsize=7.5, ha="center", va="center", bbox=BEHIND)
    axis.set_ylim(top=max([axis.get_ylim()[1], *(y + height for _, y, _ in placed)]))
