"""Ranks of answers and names when θ is unembedded."""

from matplotlib.figure import Figure

from taskvectors.drawing.style import METHOD_COLOURS, Labels, grid, legend_above, logarithmic, models_of, whole_layers
from taskvectors.observations.rows import Tables

RANKS = {
    "answer_rank_median": ("the task's own answers, median", METHOD_COLOURS["hypothesis"], "-"),
    "other_answer_rank_median": ("answers of other tasks, median", "#606060", "--"),
    "name_rank": ("a word of the task's name, best", METHOD_COLOURS["regular"], "-."),
}


def draw(tables: Tables, labels: Labels) -> Figure:
    """Ranks of answers and names among all tokens when θ is unembedded, by layer: the median over tasks."""
    ranks = tables["decoded_ranks"]
    models = labels.models
    names = models_of(ranks)
    figure, axes = grid(len(names), 3, 4.4, 3.3, sharey=True)
    for axis, name in zip(axes, names, strict=False):
        of_model = ranks[ranks["model"] == name]
        for column, (label, colour, style) in RANKS.items():
            quartiles = of_model.groupby("layer")[column].quantile([0.25, 0.5, 0.75]).unstack()
            axis.plot(quartiles[0.5], color=colour, ls=style, lw=2, label=label)
            axis.fill_between(quartiles.index, quartiles[0.25], quartiles[0.75], color=colour, alpha=0.13, lw=0)
        axis.set(title=f"{models[name]} ({of_model['vocabulary'].iloc[0]:,} tokens)", xlabel="layer")
        logarithmic(axis)
        whole_layers(axis)
    axes[0].invert_yaxis()  # the axes are shared
    axes[0].set_ylabel("rank among all tokens")
    legend_above(figure, *axes[0].get_legend_handles_labels())
    return figure
