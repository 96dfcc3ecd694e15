"""θ against gradient descent: the descent step by step, and the direction of θ."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from taskvectors.drawing.style import METHOD_COLOURS, Labels, in_percent, models_of, notice, reach
from taskvectors.names import ALL
from taskvectors.observations.rows import Tables, clearest
from taskvectors.questions.gradient.names import (
    ACCURACY,
    CHANGES,
    COMPARED_WITH,
    COSINES,
    DESCENT,
    GRADIENT,
    LOSS,
    OTHER_THETA,
    THETA,
    V0,
    VECTORS,
)

THETA_COLOUR, DESCENT_COLOUR, CONTROL_COLOUR = METHOD_COLOURS["hypothesis"], "#30638e", "#8a8a8a"
PATHS = {LOSS: "loss of the demonstrations, nats", ACCURACY: "accuracy on queries"}


def draw(tables: Tables, labels: Labels) -> Figure:
    """A row a model: loss and accuracy by steps of descent, θ a level line; cosines with the gradient and with
    controls."""
    table = tables["gradient"]
    means = table[(table["task"] == ALL) & (table["n"] > 0)]
    models = models_of(means)
    if not models:
        return notice("no model whose gradients can be taken")
    figure = Figure(figsize=(13, 3.9 * len(models)))
    axes = figure.subplots(len(models), 3, squeeze=False, width_ratios=(1, 1, 1.25))
    for row, model in zip(axes, models, strict=True):
        rows = means[means["model"] == model]
        for axis, measure in zip(row, PATHS, strict=False):
            _path(axis, rows[rows["measure"] == measure])
            axis.set(ylabel=PATHS[measure], xlabel="steps of gradient descent from v₀")
        row[0].margins(y=0.08)
        row[0].set_ylim(bottom=0)
        row[1].set_ylim(-0.03, 1.03)
        in_percent(row[1])
        row[0].set_title(labels.models[model])
        row[0].legend(facecolor="white", edgecolor="none", framealpha=1, loc="center right", fontsize=9)
        _forest(row[2], rows)
    low, high = (pick(axis.get_xlim()[end] for axis in axes[:, 2]) for end, pick in enumerate((min, max)))
    for axis in axes[:, 2]:  # one scale for all models
        axis.set_xlim(low, high)
    return figure


def _path(axis: mpl.axes.Axes, rows: pd.DataFrame) -> None:
    """Along the descent, beside the level of θ; steps at equal distances."""
    path = rows[rows["subject"].isin([V0, DESCENT])].sort_values("step")
    places = np.arange(len(path))
    axis.errorbar(
        places,
        path["value"],
        reach(path, "value"),
        fmt="o-",
        color=DESCENT_COLOUR,
        ms=5,
        lw=1.3,
        label="gradient descent",
    )
    theta = rows[rows["subject"] == THETA].iloc[0]
    axis.axhspan(theta["value_low"], theta["value_high"], color=THETA_COLOUR, alpha=0.13, lw=0)
    axis.axhline(theta["value"], color=THETA_COLOUR, lw=1.6, label="θ")
    for other in rows[rows["subject"] == OTHER_THETA]["value"]:
        axis.axhline(other, color=CONTROL_COLOUR, lw=1.2, ls="--", label=VECTORS[OTHER_THETA])
    axis.set_xticks(places, ["v₀" if step == 0 else f"{step:.0f}" for step in path["step"]])


def _forest(axis: mpl.axes.Axes, rows: pd.DataFrame) -> None:
    """A cosine a line, with its interval; lines of one comparison together, the gradient's own first."""
    at, ticks, names = 0.0, [], []
    for measure in COSINES:
        named = COMPARED_WITH[measure]
        of_measure = rows[(rows["measure"] == measure) & rows["step"].isna()]
        lines = clearest(of_measure).set_index("subject")
        if lines.empty:
            continue
        heading: Any = {"ha": "right", "va": "center", "fontsize": 9, "weight": "bold"}
        axis.text(-0.03, at, f"{CHANGES[measure]} and", transform=axis.get_yaxis_transform(), **heading)
        at += 1
        for subject in (name for name in named if name in lines.index):
            line, colour = lines.loc[[subject]], THETA_COLOUR if subject == GRADIENT else CONTROL_COLOUR
            axis.errorbar(
                line["value"],
                [at],
                xerr=reach(line, "value"),
                fmt="o" if subject == GRADIENT else "X",
                color=colour,
                ms=6,
                lw=1.3,
            )
            ticks.append(at)
            names.append(named[subject])
            at += 1
        at += 0.4
    axis.axvline(0, color="#606060", lw=0.8)
    axis.set_yticks(ticks, names)
    axis.set_ylim(max(at, 1) - 0.6, -0.8)
    axis.set_xlabel("cosine (95% intervals)")
    axis.grid(visible=False, axis="y")
