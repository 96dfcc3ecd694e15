"""How θ forms."""

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from taskvectors.drawing.style import (
    METHOD_COLOURS,
    Labels,
    band,
    family_lines,
    grid,
    in_percent,
    legend_above,
    models_of,
    whole_layers,
)
from taskvectors.names import ALL
from taskvectors.observations.rows import Tables, main_tasks


def draw(tables: Tables, labels: Labels) -> Figure:
    """How θ forms: accuracy and cosine to the final θ after k demonstrations, and what θ varies with, by layer."""
    table, variance, accuracy = (tables["formation"], tables["theta_variance"], tables["accuracy"])
    models = labels.models
    names = models_of(table)
    figure, axes = grid(3 * len(names), 3, 4.0, 3.1)
    for (left, middle, right), name in zip(axes.reshape(-1, 3), names, strict=True):
        of_model = table[table["model"] == name]
        pooled = of_model[of_model["task"] == ALL]
        for axis, column in ((left, "accuracy"), (middle, "cosine_centred")):
            family_lines(axis, main_tasks(of_model[of_model["task"] != ALL]), "demonstrations", column)
            band(axis, pooled, "demonstrations", column, color="black", lw=2.2, label="mean over tasks (95% interval)")
            axis.set(title=models[name], xlabel="demonstrations read, k")
            whole_layers(axis)
        final = accuracy[(accuracy["model"] == name) & (accuracy["task"] == ALL)].set_index("method")["accuracy"]
        left.axhline(final["hypothesis"], color=METHOD_COLOURS["hypothesis"], lw=1, ls="--")
        left.annotate("θ, mean over dummies", (0, final["hypothesis"]), fontsize=7.5, va="bottom")
        left.set(ylabel="accuracy, state after k", ylim=(-0.02, 1.02))
        in_percent(left)
        middle.plot(
            pooled["demonstrations"], pooled["cosine"], color="black", lw=1, ls=":", label="cosine of both as read"
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
