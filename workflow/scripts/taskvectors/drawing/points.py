"""θ as points of a picture: what the figures of t-SNE and UMAP share."""

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from taskvectors.drawing.style import Names, families, legend_above
from taskvectors.names import POINTS

MARKERS = "osD^vPX*<>hdp8"
TITLES = {"tsne": "t-SNE", "umap": "UMAP"}


def scatter(axis: mpl.axes.Axes, table: pd.DataFrame, size: float, names: Names | None = None) -> None:
    """θ as points; in SVG, a group for each task that carries its name, if there are names, and pixels if there are
    none: thousands of points would make a large file."""
    family_of = dict(zip(table["task"], table["family"], strict=True))
    markers: dict[str, str] = {}
    styles = families(table)
    for family in styles:
        members = [task for task, own in family_of.items() if own == family]
        markers |= {task: MARKERS[i % len(MARKERS)] for i, task in enumerate(members)}
    for task, rows in table.groupby("task", sort=False):
        colour = styles[family_of[task]]["color"]
        group = f"{POINTS}{names[task]}" if names else None
        axis.scatter(
            rows["x"],
            rows["y"],
            s=size,
            marker=markers[task],
            color=colour,
            alpha=0.6,
            lw=0,
            gid=group,
            rasterized=not names,
        )
    if table["x"].isna().all():
        axis.text(0.5, 0.5, "too few θ for a picture", transform=axis.transAxes, ha="center", fontsize=9)
    axis.set(xticks=[], yticks=[], xlabel="", ylabel="")


def family_legend(figure: Figure, points: pd.DataFrame) -> None:
    styles = families(points)
    handles = [
        mpl.lines.Line2D([], [], marker="o", ls="", color=style["color"], label=family)
        for family, style in styles.items()
    ]
    legend_above(figure, handles, list(styles))
