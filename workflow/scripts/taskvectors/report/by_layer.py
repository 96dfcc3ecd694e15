"""Pictures of the page that a slider steps through layers: a matrix of shares, and points.

Each is a drawing of the layer that it begins with, whole without JavaScript, beside the values of every other layer,
which `page.js` puts in.
"""

import html
import json
from collections.abc import Callable, Iterator
from typing import Any
from unicodedata import east_asian_width

import pandas as pd

from taskvectors.drawing.colours import SHARES, family_colours

CELL, LETTER = 15, 5.4  # pixels of a cell, and of a letter of a name, on average
SIDE, POINT = 380, 2.6  # pixels of a picture of points, and of a point
PALE = "#e2e5e8"  # of a cell without a value
# Of a panel, its layers, and the place among them that the picture begins with: a drawing, and what changes by layer.
Drawn = Callable[[pd.DataFrame, list[int], int], tuple[str, dict[str, Any]]]


def matrix_html(content: pd.DataFrame, says: str) -> str:
    """A square for every pair of names, as dark as its share.

    Args:
        content: a row for every pair and layer: panel, first (the layer that the picture begins with), layer, row,
            column, value and beside (shares from 0 to 1).
        says: of a cell, with the places {row}, {column}, {value} and {beside}.
    """
    return _panels(content, lambda panel, layers, first: _matrix(panel, layers, first, says))


def points_html(content: pd.DataFrame) -> str:
    """A dot for every point, in the colour of its family.

    Args:
        content: a row for every point and layer: panel, first, layer, family, point (what tells points apart), says
            (of the point), x and y.
    """
    colours = family_colours(content["family"])
    legend = "".join(
        f'<span><i style="background: {colour}"></i>{html.escape(name)}</span>' for name, colour in colours.items()
    )
    return f'<p class="legend">{legend}</p>' + _panels(
        content, lambda panel, layers, first: _points(panel, layers, first, colours)
    )


def _panels(content: pd.DataFrame, drawn: Drawn) -> str:
    return f'<div class="panels">{"".join(_each_panel(content, drawn))}</div>'


def _each_panel(content: pd.DataFrame, drawn: Drawn) -> Iterator[str]:
    for title, panel in content.groupby("panel", sort=False):
        named, layers = html.escape(str(title)), sorted(panel["layer"].unique().tolist())
        first = layers.index(panel["first"].iloc[0])
        svg, moving = drawn(panel, layers, first)
        svg = svg.replace("<svg", f'<svg role="img" aria-label="{named}"', 1)
        steps = json.dumps({"layers": layers, **moving}, separators=(",", ":")).replace("<", "\\u003c")
        step = f'<p class="step">layer <output>{layers[first]}</output> of {layers[0]}–{layers[-1]}</p>'
        yield (
            f'<div class="panel"><h4>{named}</h4>{step}<div class="scroll">{svg}</div>'
            f'<script type="application/json">{steps}</script></div>'
        )


def _matrix(panel: pd.DataFrame, layers: list[int], first: int, says: str) -> tuple[str, dict[str, Any]]:
    """The drawing, and of every cell its shares by layer, in percent."""
    names = list(dict.fromkeys([*panel["row"], *panel["column"]]))
    left = round(LETTER * max(map(_width, names))) + 8
    side = left + CELL * len(names)
    parts = [f'<svg class="matrix" width="{side}" height="{side}" viewBox="0 0 {side} {side}">']
    parts.append(f'<rect x="{left}" y="{left}" width="{side - left}" height="{side - left}" fill="{PALE}"/>')
    for place, name in enumerate(names):
        middle, label = left + CELL * (place + 0.5) + 3, html.escape(name)
        parts.append(f'<text x="{left - 5}" y="{middle:g}" text-anchor="end">{label}</text>')
        parts.append(f'<text transform="translate({middle:g} {left - 5}) rotate(-90)">{label}</text>')
    values, beside = list[list[int | None]](), list[list[int | None]]()
    for (row, column), cell in panel.groupby(["row", "column"], sort=False):
        of_layer = cell.set_index("layer").reindex(layers)
        values.append(_percent(of_layer["value"]))
        beside.append(_percent(of_layer["beside"]))
        value = values[-1][first]
        numbers = {"value": value, "beside": beside[-1][first]}
        written = {name: "–" if number is None else number for name, number in numbers.items()}
        title = says.format(row=row, column=column, **written)
        shade = PALE if value is None else SHARES[(value + 5) // 10]
        x, y = (left + CELL * names.index(name) for name in (column, row))
        parts.append(
            f'<rect class="labelled" x="{x}" y="{y}" width="{CELL - 1}" height="{CELL - 1}" fill="{shade}" '
            f'data-row="{html.escape(str(row))}" data-column="{html.escape(str(column))}"><title>{html.escape(title)}</title></rect>'
        )
    return "".join([*parts, "</svg>"]), {
        "values": values,
        "beside": beside,
        "says": says,
        "shades": SHARES,
        "none": PALE,
    }


def _width(name: str) -> float:
    """Of a name, in letters: capitals are wider, and those of Chinese, Japanese and Korean twice as wide."""
    return sum(2 if east_asian_width(letter) in "WF" else 1.25 if letter.isupper() else 1 for letter in name)


def _percent(shares: pd.Series) -> list[int | None]:
    return [None if pd.isna(share) else round(100 * share) for share in shares]


def _points(panel: pd.DataFrame, layers: list[int], first: int, colours: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """The drawing, and where every point lies at every layer, in pixels."""
    wide = panel.pivot(index="point", columns="layer", values=["x", "y"]).reindex(panel["point"].unique())
    reach = wide.abs().to_numpy().max() * 1.04
    x, y = (
        [((wide[axis][layer] * sign / reach + 1) * SIDE / 2).round().astype(int).tolist() for layer in layers]
        for axis, sign in (("x", 1), ("y", -1))
    )
    parts = [f'<svg class="points" width="{SIDE}" height="{SIDE}" viewBox="0 0 {SIDE} {SIDE}">']
    once = panel.drop_duplicates("point").set_index("point")
    for family, members in once.groupby("family", sort=False):
        parts.append(f'<g fill="{colours[str(family)]}">')
        for point, says in members["says"].items():
            place = wide.index.get_loc(point)
            parts.append(
                f'<circle class="labelled" data-place="{place}" cx="{x[first][place]}" cy="{y[first][place]}" r="{POINT}">'
                f"<title>{html.escape(says)}</title></circle>"
            )
        parts.append("</g>")
    return "".join([*parts, "</svg>"]), {"x": x, "y": y}
