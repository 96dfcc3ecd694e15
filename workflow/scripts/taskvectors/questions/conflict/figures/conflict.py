"""Prompts of one task patched with θ of another, by layer."""

import matplotlib as mpl
from matplotlib.figure import Figure

from taskvectors.drawing.style import (
    METHOD_COLOURS,
    Labels,
    band,
    explain_daggers,
    in_percent,
    legend_above,
    marked,
    models_of,
    whole_layers,
)
from taskvectors.observations.rows import Tables


def draw(tables: Tables, labels: Labels) -> Figure:
    """Prompts of task A patched with θ of B: share answered as A and as B, by layer (paper, section 4.2 and figure
    6)."""
    table, controls = (tables["conflict"], tables["controls"])
    models, tasks = labels.models, labels.tasks
    names = models_of(table)
    pairs = list(dict.fromkeys(zip(table["task_a"], table["task_b"], strict=True)))
    figure = Figure(figsize=(2.6 * max(len(pairs), 2), 1.0 + 2.3 * len(names)))
    axes = figure.subplots(len(names), len(pairs), squeeze=False, sharey=True, sharex="row")
    sides = {
        "a": ("task A, as in the prompt", METHOD_COLOURS["regular"], "-."),
        "b": ("task B, patched in", METHOD_COLOURS["hypothesis"], "-"),
    }
    written: list[str] = []
    for row, name in zip(axes, names, strict=True):
        daggered = marked(tasks, controls, name)
        for axis, (task_a, task_b) in zip(row, pairs, strict=True):
            of_pair = table[(table["model"] == name) & (table["task_a"] == task_a) & (table["task_b"] == task_b)]
            for side, (label, colour, style) in sides.items():
                band(axis, of_pair, "layer", f"patched_{side}", color=colour, ls=style, lw=2, label=label)
                for share in of_pair[f"regular_{side}"].head(1):
                    axis.axhline(share, color=colour, lw=1, ls="--")
            axis.set(ylim=(-0.02, 1.02))
            axis.set_title(f"A: {daggered[task_a]}\nB: {daggered[task_b]}", fontsize=8)
            in_percent(axis)
            whole_layers(axis)
            written += [daggered[task_a], daggered[task_b]]
        row[0].set_ylabel(f"{models[name]}\nshare of answers")
    for axis in axes[-1]:
        axis.set_xlabel("patched layer L")
    handles, labels_of_sides = axes[0, 0].get_legend_handles_labels()
    handles.append(mpl.lines.Line2D([], [], color="#606060", lw=1, ls="--"))
    legend_above(figure, handles, [*labels_of_sides, "without a patch"])
    explain_daggers(figure, written)
    return figure
