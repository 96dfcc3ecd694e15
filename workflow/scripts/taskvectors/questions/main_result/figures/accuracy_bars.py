"""Mean accuracy over tasks by method."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from taskvectors.drawing.style import METHOD_COLOURS, Labels, grid, in_percent, legend_above, reach
from taskvectors.names import ALL
from taskvectors.observations.rows import Tables

GROUPS_IN_A_ROW = 10  # of bars: more would not fit on a page


def draw(tables: Tables, labels: Labels) -> Figure:
    """Mean accuracy over tasks by method (paper, figure 4): our models first, then the published ones, paler."""
    accuracy, published = (tables["accuracy"], tables["main_results"])
    models = labels.models
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
        error = np.nan_to_num(reach(table, "accuracy"))
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
    in_percent(axis)
