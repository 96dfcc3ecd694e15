"""θ's effect in parts: an answer follows, inputs and answers, the task, these demonstrations."""

import pandas as pd
from matplotlib.figure import Figure

from taskvectors.drawing.style import Labels, grid, in_percent, legend_above, models_of, notice
from taskvectors.names import ACCURACY, ALL, LOSS, OTHER_THETA, THETA
from taskvectors.observations.rows import Tables
from taskvectors.questions.recognition.names import PARTS, SAME_TASK, SHUFFLED
from taskvectors.questions.recognition.tables import parts_of

COLOURS = {OTHER_THETA: "#b8b8b8", SHUFFLED: "#e3a857", SAME_TASK: "#30638e", THETA: "#d1495b"}
ROWS = {LOSS: "loss of the demonstrations", ACCURACY: "accuracy on queries"}


def draw(tables: Tables, labels: Labels) -> Figure:
    """A panel a model; a bar for the loss and one for accuracy, each θ's effect in shares."""
    table = tables["recognition"]
    means = table[table["task"] == ALL]
    models = [model for model in models_of(means) if _bars(means[means["model"] == model])]
    if not models:
        return notice("no model with all parts of θ's effect")
    figure, axes = grid(len(models), 2, 6.2, 2.2, sharey=True)
    for axis, model in zip(axes, models, strict=False):
        bars = _bars(means[means["model"] == model])
        for measure, shares in bars.items():
            right, left = 0.0, 0.0
            for subject, share in shares.items():
                start = right if share >= 0 else left
                axis.barh(ROWS[measure], share, left=start, color=COLOURS[subject], label=PARTS[subject], height=0.62)
                if abs(share) >= 0.05:
                    axis.text(
                        start + share / 2,
                        ROWS[measure],
                        f"{share:.0%}".replace("-", "−"),
                        ha="center",
                        va="center",
                        color="white",
                    )
                right, left = right + max(share, 0), left + min(share, 0)
        axis.axvline(0, color="black", lw=0.8)
        axis.axvline(1, color="black", lw=0.8, ls=":")
        axis.set(title=labels.models[model], xlabel="share of the change from v₀ to θ")
        in_percent(axis, "x")
        axis.invert_yaxis()
    handles = dict(zip(*reversed(axes[0].get_legend_handles_labels()), strict=True))
    legend_above(figure, list(handles.values()), list(handles))
    return figure


def _bars(means: pd.DataFrame) -> dict[str, dict[str, float]]:
    """By measure the share of θ's effect that each step of the ladder adds."""
    return {measure: parts for measure in ROWS if (parts := parts_of(means, measure))}
