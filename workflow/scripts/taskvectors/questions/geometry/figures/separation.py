"""Where tasks separate, by layer."""

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from taskvectors.drawing.style import Labels, grid, legend_above, models_of, whole_layers
from taskvectors.names import ALL, CENTRED, RAW
from taskvectors.observations.rows import Tables, main_tasks

SCORES = {
    "knn_accuracy": ("5 nearest neighbours find the task", "#009e73", "-."),
    "ari": ("k-means finds the tasks (adjusted Rand)", "#0072b2", (0, (1, 1))),
    "silhouette": ("silhouette of tasks", "#d55e00", "--"),
}


def draw(tables: Tables, labels: Labels) -> Figure:
    """Where tasks separate, and whether that is where patching works: scores of θ and dev accuracy by layer.

    Thick: θ less the mean over tasks, thin: θ itself.
    """
    geometry, sweep = (tables["geometry"], tables["layer_sweep"])
    models = labels.models
    names = models_of(geometry)
    figure, axes = grid(len(names), 3, 4.4, 3.4, sharey=True)
    lowest = min(0, np.nan_to_num(geometry.loc[geometry["task"] == ALL, list(SCORES)].min().min())) - 0.05
    for axis, name in zip(axes, names, strict=False):
        pooled = geometry[(geometry["model"] == name) & (geometry["task"] == ALL)]
        of_model = main_tasks(sweep[(sweep["model"] == name) & (sweep["split"] == "dev")])
        axis.plot(of_model.groupby("layer")["accuracy"].mean(), color="black", lw=2.2, label="dev accuracy, patched")
        for column, (label, colour, style) in SCORES.items():
            for states, width in ((CENTRED, 1.8), (RAW, 0.7)):
                scores = pooled[pooled["states"] == states].set_index("layer")[column]
                axis.plot(scores, color=colour, lw=width, ls=style, label=label if states == CENTRED else None)
        axis.set(title=models[name], xlabel="layer", ylim=(lowest, 1.05))
        whole_layers(axis)
    handles, words = axes[0].get_legend_handles_labels()
    handles.append(mpl.lines.Line2D([], [], color="#606060", lw=0.7))
    axes[0].set_ylabel("score")
    legend_above(figure, handles, [*words, "thin: θ itself"])
    return figure
