"""Tasks that one vector may not hold."""

import numpy as np
from matplotlib.figure import Figure

from taskvectors.drawing.style import (
    METHOD_COLOURS,
    Labels,
    dots,
    explain_daggers,
    grid,
    in_percent,
    legend_above,
    marked,
    models_of,
)
from taskvectors.observations.rows import Tables


def draw(tables: Tables, labels: Labels) -> Figure:
    """Tasks that one vector may not hold: regular, hypothesis, and for bijections the right item in the wrong
    direction."""
    table, controls = (tables["limits"], tables["controls"])
    models, tasks = labels.models, labels.tasks
    names, order = models_of(table), list(dict.fromkeys(table["task"]))
    figure, axes = grid(len(names), 3, 5.2, 2.4 + 0.45 * len(order), sharey=True)
    series = [
        (-0.24, "s", "regular", "right", "with demonstrations (regular)", "full"),
        (-0.08, "o", "hypothesis", "right", "with θ (hypothesis)", "full"),
        (0.08, "s", "regular", "wrong_direction", "regular: right item, wrong direction", "none"),
        (0.24, "o", "hypothesis", "wrong_direction", "hypothesis: right item, wrong direction", "none"),
    ]
    daggers: list[str] = []
    for axis, name in zip(axes, names, strict=False):
        of_model = table[table["model"] == name]
        for shift, marker, method, outcome, label, fill in series:
            shares = (
                of_model[(of_model["method"] == method) & (of_model["outcome"] == outcome)]
                .set_index("task")
                .reindex(order)
            )
            dots(axis, shares, shift, "share", fmt=marker, color=METHOD_COLOURS[method], label=label, fillstyle=fill)
        daggered = marked(tasks, controls, name)  # one axis for all models: daggers are at its other end
        daggers += [label for task in order if (label := daggered[task]).endswith("†")]
        for y in np.flatnonzero([daggered[task].endswith("†") for task in order]):
            axis.text(1.03, y, "†", va="center", clip_on=False)
        axis.set(title=models[name], xlim=(-0.02, 1.02), xlabel="share of answers (95% interval)")
        axis.set_ylim(len(order) - 0.5, -0.5)
        in_percent(axis, "x")
    axes[0].set_yticks(range(len(order)), [tasks[task] for task in order])
    legend_above(figure, *axes[0].get_legend_handles_labels())
    explain_daggers(figure, daggers)
    return figure
