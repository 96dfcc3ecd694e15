"""What shakes θ: templates, wrong answers, the number of demonstrations, instructions."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from taskvectors.drawing.style import METHOD_COLOURS, Labels, grid, in_percent, legend_above, models_of, notice
from taskvectors.names import ALL
from taskvectors.observations.rows import Tables
from taskvectors.questions.robustness.names import (
    ANY,
    INSTRUCTION,
    NO_TASK,
    NUMBER,
    OTHER_TASK,
    OWN,
    REGULAR,
    TEMPLATE,
    THETA,
    WRONG,
)

COLOURS = {THETA: METHOD_COLOURS["hypothesis"], REGULAR: METHOD_COLOURS["regular"]}
NAMES = {THETA: "with θ", REGULAR: "with the whole prompt"}


def draw(tables: Tables, labels: Labels) -> Figure:
    """Four panels a model."""
    table = tables["robustness"]
    means = table[(table["task"] == ALL) & (table["n"] > 0)]
    names = models_of(means)
    if not names:
        return notice("No task has an answer of one token in every template.")
    figure, axes = grid(4 * len(names), 4, 3.6, 3.6)
    for row, name in enumerate(names):
        rows = means[means["model"] == name]
        panels = axes[4 * row : 4 * row + 4]
        matrix(panels[0], rows, labels.models[name])
        levels = [(WRONG, "share of wrong answers, percent"), (NUMBER, "number of demonstrations")]
        for axis, (aspect, words) in zip(panels[1:3], levels, strict=True):
            curve(axis, rows, aspect)
            axis.set(title=labels.models[name], xlabel=words)
        wordings(panels[3], rows)
        panels[3].set_title(labels.models[name])
        for axis in panels[1:]:
            controls(axis, rows)
            axis.set_ylim(-0.03, 1.03)
            in_percent(axis)
    legend_above(figure, *axes[1].get_legend_handles_labels())
    return figure


def matrix(axis: mpl.axes.Axes, rows: pd.DataFrame, title: str) -> None:
    """Accuracy with θ read in one template and put into another."""
    of_templates = rows[(rows["aspect"] == TEMPLATE) & (rows["measure"] == THETA) & (rows["target"] != ANY)]
    names = list(dict.fromkeys(of_templates["level"]))
    wide = of_templates.pivot(index="level", columns="target", values="value").reindex(index=names, columns=names)
    axis.imshow(wide, vmin=0, vmax=1, cmap="viridis", aspect="auto")
    for (y, x), value in np.ndenumerate(wide.to_numpy(dtype=float)):
        if np.isfinite(value):
            axis.text(
                x, y, f"{value:.0%}", ha="center", va="center", fontsize=8, color="white" if value < 0.6 else "black"
            )
    axis.set_xticks(range(len(names)), names, rotation=35, ha="right")
    axis.set_yticks(range(len(names)), names)
    axis.set(title=title, xlabel="put into", ylabel="θ is read in")
    axis.grid(visible=False)


def curve(axis: mpl.axes.Axes, rows: pd.DataFrame, aspect: str) -> None:
    """Accuracy by a level that is a number; the study's own prompts are at zero wrong answers."""
    own = rows[(rows["aspect"] == TEMPLATE) & (rows["level"] == OWN) & (rows["target"] == OWN)].assign(level="0")
    lines = pd.concat([own, rows[rows["aspect"] == aspect]]) if aspect == WRONG else rows[rows["aspect"] == aspect]
    for measure, colour in COLOURS.items():
        line = lines[lines["measure"] == measure]
        line = line.assign(at=line["level"].astype(float)).sort_values("at")
        bounds = (line["value"] - line["value_low"], line["value_high"] - line["value"])
        axis.errorbar(
            line["at"], line["value"], yerr=np.abs(np.stack(bounds)), fmt="o-", ms=4, color=colour, label=NAMES[measure]
        )


def wordings(axis: mpl.axes.Axes, rows: pd.DataFrame) -> None:
    """Accuracy behind instructions and behind demonstrations."""
    own = rows[(rows["aspect"] == TEMPLATE) & (rows["level"] == OWN) & (rows["target"] == OWN)]
    behind = rows[(rows["aspect"] == INSTRUCTION) & (rows["level"] != ANY)]
    for place, of_place in enumerate((own, behind)):
        for shift, (measure, colour) in zip((-0.12, 0.12), COLOURS.items(), strict=True):
            values = of_place.loc[of_place["measure"] == measure, "value"]
            axis.plot([place + shift] * len(values), values, "o", ms=5, color=colour, alpha=0.8)
    axis.set_xticks([0, 1], ["demonstrations", "instructions"])
    axis.set_xlim(-0.5, 1.5)


def controls(axis: mpl.axes.Axes, rows: pd.DataFrame) -> None:
    """Levels of θ of another task, and of θ behind demonstrations of many tasks."""
    for aspect, style in ((OTHER_TASK, "--"), (NO_TASK, ":")):
        level = rows.loc[(rows["aspect"] == aspect) & (rows["measure"] == THETA), "value"]
        if len(level):
            axis.axhline(level.iloc[0], color=COLOURS[THETA], lw=0.9, ls=style)
