"""What is left of the demonstrations when the last token's state is changed, by layer."""

from matplotlib.figure import Figure

from taskvectors.drawing.style import Labels, grid, in_percent, legend_above, models_of, whole_layers
from taskvectors.names import ALL, OTHER_THETA, THETA, V0
from taskvectors.observations.rows import Tables
from taskvectors.questions.necessity.names import (
    CHANGES,
    MEAN,
    OTHER_PART,
    RANDOM_PART,
    REGULAR,
    REMOVED,
    TASK_PART,
    ZERO_SHOT,
)

COLOURS = {THETA: "#d1495b", MEAN: "#e3a857", V0: "#30638e", OTHER_THETA: "#7a5195"}
BANDS = (V0, RANDOM_PART)
COLOURS |= {TASK_PART: "#30638e", OTHER_PART: "#7a5195", RANDOM_PART: "#8a8a8a"}


def draw(tables: Tables, labels: Labels) -> Figure:
    """A panel a model: mean accuracy over tasks under every change, by layer."""
    table, choice = tables["necessity"], tables["layer_choice"]
    means = table[table["task"] == ALL]
    names = models_of(means)
    figure, axes = grid(len(names), 2, 6.2, 4.0, sharey=True)
    for axis, name in zip(axes, names, strict=False):
        rows = means[means["model"] == name]
        for change, words in CHANGES.items():
            line = rows[rows["change"] == change].sort_values("layer")
            if line.empty:
                continue
            layers, style = line["layer"].to_numpy(dtype=float), "--" if change in REMOVED else "-"
            axis.plot(layers, line["accuracy"], style, color=COLOURS[change], label=words, lw=1.8)
            if change in BANDS:  # of all seven nothing could be seen
                bounds = (line[f"accuracy_{end}"].to_numpy(dtype=float) for end in ("low", "high"))
                axis.fill_between(layers, *bounds, color=COLOURS[change], alpha=0.15, lw=0)
        for change in (REGULAR, ZERO_SHOT):
            level = rows.loc[rows["change"] == change, "accuracy"]
            axis.axhline(level.iloc[0], color="#606060", lw=0.9, ls=":")
        axis.axvline(choice.loc[choice["model"] == name, "common_layer"].iloc[0], color="black", lw=0.8, ls=":")
        axis.set(title=labels.models[name], xlabel="changed after block L", ylim=(-0.02, 1.02))
        whole_layers(axis)
        in_percent(axis)
    axes[0].set_ylabel("accuracy with demonstrations")
    legend_above(figure, *axes[0].get_legend_handles_labels())
    return figure
