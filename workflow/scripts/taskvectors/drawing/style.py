"""One style for all figures: fonts, colours, panels, legends and files. Nothing here knows of models or θ."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

import matplotlib as mpl
import matplotlib.ticker
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

from taskvectors.drawing.colours import FAMILIES, family_colours
from taskvectors.names import ALL
from taskvectors.progress import logger
from taskvectors.store.files import atomic
from taskvectors.store.tables import write_csv

SHEET = Path(__file__).with_name("study.mplstyle")
METHOD_COLOURS = {"baseline": "#b8b8b8", "hypothesis": "#d1495b", "regular": "#30638e"}
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)))
PAPER_GREY = "#9a9a9a"
# Distance of a name from its point, directions that are tried in turn (up, right), and what is too close, on axes of
# shares.
BESIDE, CLOSE = (0.04, 0.035), (0.035, 0.04)
AROUND = (
    (1, 1),
    (1, -1),
    (-1, 1),
    (-1, -1),
    (2, 1),
    (2, -1),
    (-2, 1),
    (-2, -1),
    (0, 2),
    (0, -2),
    (3, 1),
    (-3, 1),
    (3, -1),
    (-3, -1),
)
DAGGER = "† a control reaches the hypothesis in this task"
Names = Mapping[str, str]  # what figures call models or tasks, by name


@dataclass(frozen=True)
class Labels:
    """What figures call the models and tasks of a study."""

    models: Names
    tasks: Names


class Drawing(Protocol):
    """`figures/<name>.py` of a question."""

    def draw(self, tables: Mapping[str, pd.DataFrame], labels: Labels) -> Figure:
        """The figure.

        Args:
            tables: those that its entry names, of all models together; published ones by their own names.
            labels: of models and tasks.
        """


def drawn(file: str, tables: Mapping[str, pd.DataFrame], labels: Labels) -> Figure:
    """The figure that a file below workflow/scripts draws."""
    drawing = cast(Drawing, import_module(file.removesuffix(".py").replace("/", ".")))
    return drawing.draw(tables, labels)


def set_style() -> None:
    """Fonts, grid, sizes and metadata of all figures (study.mplstyle); for the rest matplotlib's defaults."""
    mpl.rc_file(SHEET)


def legible(labels: Names) -> dict[str, str]:
    """Labels as this machine can draw them: the name in the place of one with characters that no installed font has.

    Fonts that have what DejaVu Sans lacks are added to the style, for these characters alone.
    """
    shown = {}
    for name, label in labels.items():
        lacking = sorted({character for character in label if not _drawable(character)})
        if lacking:
            logger.warning("no installed font has %s: figures write %s for %s", " ".join(lacking), name, label)
        shown[name] = name if lacking else label
    return shown


def _drawable(character: str) -> bool:
    """Whether a font of the style has the character, or an installed one that is added to it."""
    families = mpl.rcParams["font.family"]
    fonts = (get_font(findfont(FontProperties(family=family))) for family in families)
    if any(font.get_char_index(ord(character)) for font in fonts):
        return True
    for entry in sorted(fontManager.ttflist, key=lambda entry: (entry.style != "normal", entry.name, entry.fname)):
        # The font of last resort has a frame for every character.
        if not entry.name.startswith("Last Resort") and get_font(entry.fname).get_char_index(ord(character)):
            mpl.rcParams["font.family"] = [*families, entry.name]
            return True
    return False


PLACES = 6  # digits of where an axis lies in its figure
MOST_LAYOUTS, STILL = 6, 5e-4  # how often a figure is laid out at most, and what share of it no longer moves
DPI = {".svg": 150}  # of pixels inside a drawing: the page holds all of them
UNDATED = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}  # the same figure has the same bytes


def save(figure: Figure, tables: Mapping[str, pd.DataFrame], paths: Iterable[str | Path]) -> None:
    """Write a figure in the format of every suffix, and as `.csv` all that it shows; atomically.

    Args:
        tables: those that it is drawn from, by name. The source table holds one below the other; column `table` has
            the name.
    """
    lay_out(figure)
    for path in map(Path, paths):
        if path.suffix == ".csv":
            parts = [table.assign(table=name) for name, table in tables.items()]
            source = pd.concat(parts, ignore_index=True)
            write_csv(path, source[["table", *(column for column in source if column != "table")]])
            continue
        with atomic(path) as temporary:
            figure.savefig(temporary, dpi=DPI.get(path.suffix, 300), metadata=UNDATED.get(path.suffix))


def lay_out(figure: Figure) -> None:
    """Put everything in its place, for all formats alike."""
    layout: Any = figure.get_layout_engine()
    before = np.zeros(())
    for _ in range(
        MOST_LAYOUTS if figure.axes else 0
    ):  # ticks follow from the size of an axis, and the size from its ticks
        layout.execute(figure)
        places = np.array([axis.get_position().bounds for axis in figure.axes])
        if np.allclose(places, before, atol=STILL):
            break
        before = places
    figure.set_layout_engine("none")
    for (
        axis
    ) in figure.axes:  # the solver's last digits differ between processes, and names in SVG are made of all of them
        axis.set_position(np.round(axis.get_position(original=True).bounds, PLACES))


def grid(panels: int, columns: int, width: float, height: float, **options: Any) -> tuple[Figure, np.ndarray]:
    """A figure of so many panels, `width` × `height` inches each."""
    columns = min(columns, panels)
    rows = -(-panels // columns)
    figure = Figure(figsize=(width * columns, height * rows))
    axes = figure.subplots(rows, columns, squeeze=False, **options).ravel()
    for axis in axes[panels:]:
        axis.set_visible(False)
    return figure, axes


def notice(text: str) -> Figure:
    """In the place of a figure that has nothing to show: why."""
    figure = Figure(figsize=(5, 1.2))
    figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure


def legend_above(figure: Figure, handles: list, labels: list[str]) -> None:
    """One legend for all panels, in as many columns as the figure is wide enough for."""
    column = 0.6 + 0.075 * max(map(len, labels))  # inches: handle and longest label
    columns = max(1, min(len(labels), int(figure.get_figwidth() / column)))
    figure.legend(handles, labels, loc="outside upper center", ncols=columns, frameon=False)


def in_percent(axis: mpl.axes.Axes, which: str = "y") -> None:
    """Write an axis of shares in percent."""
    getattr(axis, f"{which}axis").set_major_formatter(mpl.ticker.PercentFormatter(1.0, decimals=0))


def logarithmic(axis: mpl.axes.Axes, which: str = "y") -> None:
    """A logarithmic axis with plain whole numbers: 1, 10, … 10,000."""
    getattr(axis, f"set_{which}scale")("log")
    line = getattr(axis, f"{which}axis")
    line.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:,.0f}"))
    line.set_minor_formatter(mpl.ticker.NullFormatter())


def numbered(axis: mpl.axes.Axes, x: Iterable[float], y: Iterable[float], names: Iterable[str]) -> None:
    """Write a name beside every point, away from other names and points; both axes are of shares."""
    points = list(zip(x, y, names, strict=True))
    taken = [(right, up) for right, up, _ in points]
    for right, up, name in points:
        free = [
            place
            for place in ((right + BESIDE[0] * across, up + BESIDE[1] * along) for along, across in AROUND)
            if not any(abs(place[0] - x) < CLOSE[0] and abs(place[1] - y) < CLOSE[1] for x, y in taken)
        ]
        place = free[0] if free else (right + BESIDE[0], up + BESIDE[1])
        taken.append(place)
        line = {"arrowstyle": "-", "color": "#b0b0b0", "lw": 0.5, "shrinkA": 1, "shrinkB": 2}
        axis.annotate(
            name, (right, up), place, fontsize=7.5, color="#303030", ha="center", va="center", arrowprops=line
        )


def whole_layers(axis: mpl.axes.Axes) -> None:
    """No tick between two layers."""
    axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))


def models_of(table: pd.DataFrame) -> list[str]:
    """The models of a table, in its order."""
    return list(dict.fromkeys(table["model"]))


def marked(tasks: Names, controls: pd.DataFrame, model: str) -> dict[str, str]:
    """The labels of tasks, with a dagger where a control is as good as the hypothesis in this model."""
    of_model = controls[(controls["model"] == model) & controls["reached"]]
    reached = set(of_model["task"])
    return {task: f"{label} †" if task in reached else label for task, label in tasks.items()}


def explain_daggers(figure: Figure, labels: Sequence[str]) -> None:
    """What the dagger means, below the figure, if one of its labels has one."""
    if any(label.endswith("†") for label in labels):
        figure.text(0.995, 0.005, DAGGER, ha="right", va="bottom", fontsize=7.5, color="#606060")
        layout: Any = figure.get_layout_engine()
        layout.set(rect=(0, 0.2 / figure.get_figheight(), 1, 1 - 0.2 / figure.get_figheight()))


def band(axis: mpl.axes.Axes, table: pd.DataFrame, x: str, y: str, **options: Any) -> None:
    """A line with the 95% interval around it."""
    (line,) = axis.plot(table[x], table[y], **options)
    low, high = table[f"{y}_low"], table[f"{y}_high"]
    axis.fill_between(table[x].astype(float), low, high, color=line.get_color(), alpha=0.15, lw=0)


def reach(rows: pd.DataFrame, value: str) -> np.ndarray:
    """Below and above the values, to the ends of their intervals `[2, row]`."""
    return np.array([rows[value] - rows[f"{value}_low"], rows[f"{value}_high"] - rows[value]], dtype=float).clip(0)


def dots(axis: mpl.axes.Axes, table: pd.DataFrame, shift: float, share: str = "accuracy", **options: Any) -> None:
    """Shares with their intervals, one a row, from the top."""
    error = np.nan_to_num(reach(table, share))
    axis.errorbar(table[share], np.arange(len(table)) + shift, xerr=error, ms=5, lw=1, **options)


def families(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Colour and line style (`color`, `ls`) of every family of a table, in the order of legends."""
    colours = family_colours(table.loc[table["family"] != ALL, "family"])
    lines = dict(zip(dict.fromkeys([*FAMILIES, *colours]), itertools.cycle(LINES), strict=False))
    return {family: {"color": colour, "ls": lines[family]} for family, colour in colours.items()}


def family_lines(axis: mpl.axes.Axes, table: pd.DataFrame, x: str, y: str) -> None:
    """A thin line for each family, the mean over its tasks."""
    styles = families(table)
    for family, rows in table.groupby("family", sort=False):
        axis.plot(rows.groupby(x)[y].mean(), **styles[family], lw=1.2, label=family)
