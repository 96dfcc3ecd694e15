"""Rivals of θ: accuracy against divergence."""

import matplotlib as mpl
from matplotlib.figure import Figure

from taskvectors.drawing.style import Labels, grid, in_percent, models_of, numbered, reach
from taskvectors.names import ALL, CONTROL, REFERENCE, RIVAL
from taskvectors.observations.rows import Tables

COLOURS = {REFERENCE: "#30638e", RIVAL: "#d1495b", CONTROL: "#8a8a8a"}
MARKERS = {REFERENCE: "s", RIVAL: "o", CONTROL: "X"}


def draw(tables: Tables, labels: Labels) -> Figure:
    """A panel a model: what is best lies at the upper left. Numbers name the points, in the order of the list
    beside."""
    table = tables["rivals"]
    means = table[(table["task"] == ALL) & (table["n"] > 0)]
    called = means.drop_duplicates("representation").set_index("representation")
    number = {name: place for place, name in enumerate(called.index, start=1)}
    models = models_of(means)
    figure, axes = grid(len(models) + 1, 3, 4.2, max(3.6, 0.9 + 0.24 * len(number)))
    for axis, model in zip(axes, models, strict=False):
        points = means[means["model"] == model]
        for kind, of_kind in points.groupby("kind", sort=False):
            axis.errorbar(
                of_kind["divergence"], of_kind["accuracy"], fmt=MARKERS[kind], color=COLOURS[kind], ms=5, lw=0.8, alpha=0.9,
                xerr=reach(of_kind, "divergence"), yerr=reach(of_kind, "accuracy"),
            )  # fmt: skip
        numbered(
            axis, points["divergence"], points["accuracy"], [str(number[name]) for name in points["representation"]]
        )
        axis.set(title=labels.models[model], xlabel="divergence from the regular prompt, bits", ylim=(-0.03, 1.03))
        axis.set_xlim(-0.03, 1.06)
        in_percent(axis)
    axes[0].set_ylabel("accuracy (95% intervals)")
    lines = [(f"{number[name]}  {row['label']}", row["kind"]) for name, row in called.iterrows()]
    _list(axes[len(models)], lines)
    return figure


def _list(axis: mpl.axes.Axes, lines: list[tuple[str, str]]) -> None:
    """What the numbers mean, in the place of a panel."""
    axis.set_axis_off()
    for place, (text, kind) in enumerate(lines):
        y = 1 - (place + 0.5) / len(lines)
        axis.plot(0.03, y, MARKERS[kind], color=COLOURS[kind], ms=5, transform=axis.transAxes)
        axis.text(0.09, y, text, transform=axis.transAxes, va="center", fontsize=8.5)
