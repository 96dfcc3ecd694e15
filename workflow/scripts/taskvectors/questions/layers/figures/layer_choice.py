"""Accuracy by how the layer is chosen."""

from matplotlib.figure import Figure

from taskvectors.drawing.style import Labels, dots, grid, in_percent, legend_above, models_of
from taskvectors.observations.rows import Tables
from taskvectors.questions.layers.views import VIEWS

CHOICES = {
    "hypothesis": "per task, on dev, where θ does something",
    "hypothesis_paper": "per task, on dev, by the paper's rule",
    "hypothesis_common": "one layer for all tasks, on dev",
    "hypothesis_oracle": "oracle: on the test episodes themselves",
    "regular": "no patch, demonstrations (regular)",
}


def draw(tables: Tables, labels: Labels) -> Figure:
    """Accuracy by how the layer is chosen, over all tasks and over the tasks that the paper's figures show."""
    views = tables["views"]
    models = labels.models
    names = models_of(views)
    figure, axes = grid(len(names), 3, 4.6 if len(names) > 1 else 6.4, 3.0, sharey=True)
    styles = {"all": ("o", "#222222"), "gain": ("s", "#0072b2"), "passes": ("^", "#d55e00")}
    for axis, name in zip(axes, names, strict=False):
        of_model = views[views["model"] == name]
        for shift, (view, (marker, colour)) in zip((-0.2, 0, 0.2), styles.items(), strict=True):
            table = of_model[of_model["view"] == view].set_index("method").reindex(CHOICES)
            dots(axis, table, shift, fmt=marker, color=colour, label=VIEWS[view])
        counts = of_model.groupby("view")["tasks"].first().reindex(styles).fillna(0).astype(int)
        axis.set(title=f"{models[name]}\n({' / '.join(map(str, counts))} tasks)", xlim=(-0.02, 1.02))
        axis.set(xlabel="mean accuracy (95% interval)", ylim=(len(CHOICES) - 0.5, -0.5))
        in_percent(axis, "x")
    axes[0].set_yticks(range(len(CHOICES)), list(CHOICES.values()))
    legend_above(figure, *axes[0].get_legend_handles_labels())
    return figure
