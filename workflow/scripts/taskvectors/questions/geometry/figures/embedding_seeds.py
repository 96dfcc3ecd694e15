"""t-SNE and UMAP of θ at every seed."""

from matplotlib.figure import Figure

from taskvectors.drawing.points import TITLES, family_legend, scatter
from taskvectors.drawing.style import Labels
from taskvectors.observations.rows import Tables, clearest


def draw(tables: Tables, labels: Labels) -> Figure:
    """The same pictures at every seed, in small: what they share is in θ, what changes is chance. Of θ less the mean
    over tasks."""
    points, quality = (tables["embedding"], tables["embedding_quality"])
    models = labels.models
    points, quality = clearest(points), clearest(quality)
    rows = list(dict.fromkeys(zip(points["model"], points["method"], strict=True)))
    seeds = list(dict.fromkeys(points["seed"]))
    figure = Figure(figsize=(2.1 * max(len(seeds), 2), 0.6 + 2.1 * len(rows)))
    axes = figure.subplots(len(rows), len(seeds), squeeze=False)
    trust = quality.set_index(["model", "method", "seed"])["trustworthiness"]
    for line, (name, method) in zip(axes, rows, strict=True):
        for axis, seed in zip(line, seeds, strict=True):
            shown = (points["model"] == name) & (points["method"] == method) & (points["seed"] == seed)
            if not shown.any():  # of another study, which has other seeds
                axis.axis("off")
                continue
            scatter(axis, points[shown], 4)
            axis.set_title(f"seed {seed}: {trust[name, method, seed]:.2f}", fontsize=8, fontweight="normal")
        line[0].set_ylabel(f"{models[name]}\n{TITLES[method]}", fontsize=8.5)
    family_legend(figure, points)
    return figure
