"""Accuracy of function vectors by the number of their heads."""

from matplotlib.figure import Figure

from taskvectors.drawing.style import Labels, grid, in_percent, legend_above, logarithmic, models_of, notice
from taskvectors.names import ALL, FEW_HEADS, THETA
from taskvectors.observations.rows import Tables

KINDS = {
    "top_heads": ("heads of largest effect", "#d1495b"),
    "random_heads": ("random heads of the same layers", "#8a8a8a"),
}


def draw(tables: Tables, labels: Labels) -> Figure:
    """A panel a model."""
    doses, rivals = tables["doses"], tables["rivals"]
    models = models_of(doses)
    if not models:
        return notice("no model whose heads can be distinguished")
    figure, axes = grid(len(models), 2, 5.4, 3.8, sharey=True)
    for axis, model in zip(axes, models, strict=False):
        rows = doses[doses["model"] == model]
        for kind, (words, colour) in KINDS.items():
            line = rows[rows["kind"] == kind].sort_values("heads")
            if line.empty:
                continue
            axis.plot(line["heads"], line["accuracy"], "o-", color=colour, label=words, ms=4)
            low, high = ("lowest", "highest") if kind == "random_heads" else ("accuracy_low", "accuracy_high")
            axis.fill_between(line["heads"], line[low], line[high], color=colour, alpha=0.15, lw=0)
        theta = rivals[(rivals["model"] == model) & (rivals["representation"] == THETA) & (rivals["task"] == ALL)]
        for level in theta["accuracy"].dropna():
            axis.axhline(level, color="black", lw=1, ls=":")
        axis.axvline(FEW_HEADS * float((rows["heads"] / rows["share"]).iloc[0]), color="#606060", lw=0.8)
        axis.set(title=labels.models[model], xlabel="heads put in", ylim=(-0.02, 1.02))
        logarithmic(axis, "x")
        in_percent(axis)
    axes[0].set_ylabel("accuracy on bare queries")
    legend_above(figure, *axes[0].get_legend_handles_labels())
    return figure
