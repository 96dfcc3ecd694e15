"""Accuracy and divergence by rung of the ladder, from a constant to the state itself."""

from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from taskvectors.drawing.style import Labels, grid, in_percent, legend_above, models_of, notice
from taskvectors.names import ABLE, ALL, LIMIT, MEANS, THETA
from taskvectors.observations.rows import Tables, able_tasks
from taskvectors.questions.ladder.names import BARE, CONSTANT, FULL, MAP, OFFSET, REGULAR, SHUFFLED, STATE

WORDS = {
    BARE: "bare query",
    THETA: "θ",
    CONSTANT: "constant",
    OFFSET: "offset",
    FULL: "full",
    STATE: "state",
    REGULAR: "demonstrations",
}
MEASURES = {"accuracy": "accuracy", "divergence": "divergence, bits"}


def draw(tables: Tables, labels: Labels) -> Figure:
    """Four panels a model: accuracy and divergence, of main tasks and of limits. A line a task, black for the mean."""
    table = tables["ladder"]
    table = table[table["n"] > 0]
    names = models_of(table)
    if table.empty:
        return notice("No task has a map of its own.")
    groups = [False, True] if (table["role"] == LIMIT).any() else [False]
    figure, axes = grid(len(names) * 2 * len(groups), len(groups), 6.4, 3.4)
    panels = iter(axes)
    for name in names:
        able = able_tasks(tables["layer_choice"].query("model == @name"))
        for measure, words in MEASURES.items():
            for limits in groups:
                axis = next(panels)
                rows = table[(table["model"] == name) & ((table["role"] == LIMIT) == limits)]
                draw_lines(axis, rows, measure, able, labels, limits)
                kind = "tasks of limits" if limits else "main tasks"
                axis.set(title=f"{labels.models[name]}, {kind}", ylabel=words)
                if measure == "accuracy":
                    axis.set_ylim(-0.03, 1.03)
                    in_percent(axis)
    explain_lines(figure)
    return figure


def explain_lines(figure: Figure) -> None:
    line = mpl.lines.Line2D
    handles = {
        "mean over main tasks that the model does, with its 95% interval": line([], [], color="black", lw=2),
        "a main task": line([], [], color="#b0b0b0", lw=1),
        "a task that the model does not do": line([], [], color="#808080", lw=1.5, ls=":"),
        "map of shuffled pairs": line([], [], color="black", marker="x", ls="", ms=7),
    }
    legend_above(figure, list(handles.values()), list(handles))


def draw_lines(
    axis: mpl.axes.Axes, rows: pd.DataFrame, measure: str, able: list[str], labels: Labels, limits: bool
) -> None:
    """A line for each task that the model can do, and the mean over these; crosses for maps of shuffled pairs."""
    at = [BARE, THETA, CONSTANT, OFFSET, *rank_names(rows), FULL, STATE, REGULAR]
    rows = rows.assign(
        at=[
            f"{MAP} {int(rank)}" if rung == MAP else rung for rung, rank in zip(rows["rung"], rows["rank"], strict=True)
        ]
    )
    rows = rows[rows["at"].isin([*at, SHUFFLED])]
    shown = [place for place in at if not (measure == "divergence" and place == REGULAR)]
    colours = mpl.colormaps["tab20"]
    of_tasks = dict.fromkeys(rows.loc[(rows["rung"] == STATE) & ~rows["task"].isin(MEANS), "task"])
    for number, task in enumerate(of_tasks):
        own = rows[rows["task"] == task].set_index("at")[measure].reindex(shown)
        style: dict[str, Any] = (
            {"lw": 1.5, "color": colours(number % 20)} if limits else {"lw": 0.7, "color": "#b0b0b0"}
        )
        axis.plot(
            range(len(shown)),
            own,
            label=labels.tasks[task] if limits else None,
            ls="-" if task in able else ":",
            **style,
        )
    mean = ABLE if (rows["task"] == ABLE).any() else ALL
    over_all = rows[rows["task"] == mean].set_index("at")
    if len(over_all):
        line = over_all.reindex(shown)
        axis.plot(range(len(shown)), line[measure], color="black", lw=2)
        axis.fill_between(
            range(len(shown)), line[f"{measure}_low"], line[f"{measure}_high"], color="black", alpha=0.12, lw=0
        )
        if SHUFFLED in over_all.index:
            axis.plot(shown.index(FULL), over_all.loc[SHUFFLED, measure], "x", color="black", ms=7)
    words = [WORDS.get(place, f"rank {place.split()[-1]}") for place in shown]
    axis.set_xticks(range(len(shown)), words, rotation=35, ha="right")
    if limits and of_tasks and measure == "accuracy":
        axis.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def rank_names(rows: pd.DataFrame) -> list[str]:
    """The ranks that were tried, in order."""
    ranks = sorted(rows.loc[rows["rung"] == MAP, "rank"].dropna().unique())
    return [f"{MAP} {int(rank)}" for rank in ranks]
