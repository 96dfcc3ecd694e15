"""Causal indirect effects of attention heads."""

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from taskvectors.drawing.style import Labels, grid, models_of, notice
from taskvectors.observations.rows import Tables
from taskvectors.questions.rivals.tables import TOP_HEADS

COLOURS = mpl.colormaps["RdBu_r"]


def draw(tables: Tables, labels: Labels) -> Figure:
    """A heat map a model: heads across, layers up; ringed, the ten heads of largest effect."""
    table = tables["heads"]
    names = models_of(table)
    if not names:
        return notice("no model whose heads can be distinguished")
    figure, axes = grid(len(names), 3, 4.3, 3.8)
    for axis, name in zip(axes, names, strict=False):
        of_model = table[table["model"] == name]
        effects = of_model.pivot(index="layer", columns="head", values="effect").to_numpy(dtype=float)
        reach = float(np.abs(effects).max()) or 1.0  # every model's own: effects differ by an order of magnitude
        style = {"origin": "lower", "aspect": "auto", "cmap": COLOURS, "vmin": -reach, "vmax": reach}
        picture = axis.imshow(effects, interpolation="nearest", **style)
        axis.grid(visible=False)
        top = of_model[of_model["rank"] <= TOP_HEADS]
        axis.plot(top["head"], top["layer"], "o", ms=7, mfc="none", mec="black", mew=0.9)
        axis.set(title=labels.models[name], xlabel="head")
        for direction in (axis.xaxis, axis.yaxis):
            direction.set_major_locator(mpl.ticker.MaxNLocator(integer=True, nbins=8))
        axis.set(xlim=(-0.5, effects.shape[1] - 0.5), ylim=(-0.5, effects.shape[0] - 0.5))
        figure.colorbar(picture, ax=axis, shrink=0.85, pad=0.02, label="effect on the answer's probability")
    axes[0].set_ylabel("layer")
    return figure
