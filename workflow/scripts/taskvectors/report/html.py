"""Figures and tables as HTML inside the page, and labels that are safe inside Markdown."""

import html
import itertools
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from taskvectors.names import POINTS
from taskvectors.report.cells import Config

PAGES = "reports"  # where the page lies
WRITTEN = ("results/", f"{PAGES}/")  # folders that the study writes to
LONG = 40  # rows of a table that scrolls by itself; shorter ones are shown whole


def figure_html(path: str, title: str, caption: str, sources: Iterable[str], *, hover: bool = False) -> str:
    """An SVG file inside the page, with a caption and the files that it is drawn from; with `hover`, points tell their
    task under the mouse.

    Args:
        title: what a screen reader calls the figure; the caption describes it.
    """
    name, svg = Path(path).stem, slim(Path(path).read_text(encoding="utf-8"))
    width = round(float(re.search(r'<svg[^>]* width="([\d.]+)pt"', svg).group(1)) * 4 / 3)  # type: ignore[union-attr]
    named, described = html.escape(title[:1].upper() + title[1:]), f'aria-describedby="about-{name}"'
    if hover:
        drawing = _with_titles(svg).replace("<svg", f'<svg role="img" aria-label="{named}" {described}', 1)
    else:
        drawing = f'<img alt="{named}" {described} src="data:image/svg+xml,{quote(alone(svg).replace(chr(10), " "), safe=UNQUOTED)}">'
    card = (
        f'<div class="card" style="--width: {width}px" role="group" tabindex="0" aria-label="{named}">{drawing}</div>'
    )
    return f'<figure id="{name}"><h3>{named}</h3>{card}{_caption(caption, name, sources)}</figure>'


HALVES = ("0 -6 592 326", "408 -6 492 326")  # of the schematic, one below the other where the page is narrow


def schematic_html(path: str) -> str:
    """The drawing of how θ is read and patched; whole, and for narrow screens in two halves."""
    whole = Path(path).read_text(encoding="utf-8")
    halves = "".join(f'<svg viewBox="{part}"><use href="#method"/></svg>' for part in HALVES)
    return f'<figure class="schematic">{whole}<div class="halves" aria-hidden="true">{halves}</div></figure>'


UNQUOTED = " =:/;,.()-+!*?@$[]{}"  # in an address inside double quotes, beside letters and digits
NUMBERS = re.compile(r' (?:x|y|points)="[^"]*"')
PATHS = re.compile(r' d="([MLQCz\d\s.-]*)"')
PLACES = re.compile(r"<use [^>]*>")  # of a marker or letter; a tenth of a point is less than a pixel
MARKERS = re.compile(
    r'(<use href="(?P<shape>#\w+)" x="[^"]+" y="[^"]+") style="(?P<style>[^"]*)"/>\s*'
    r'(?:<use href="(?P=shape)" x="[^"]+" y="[^"]+" style="(?P=style)"/>\s*)+'
)


def slim(svg: str) -> str:
    """A drawing of matplotlib's with coordinates to a hundredth of a point, paths step by step, and the style of equal
    markers said once."""

    def together(markers: re.Match[str]) -> str:
        style = f' style="{markers["style"]}"'
        bare = re.sub(r">\s+<", "><", markers[0].replace(style, "")).strip()
        return f"<g{style}>{bare}</g>\n"

    svg = PATHS.sub(lambda path: f' d="{in_steps(path[1])}"', svg)
    svg = NUMBERS.sub(lambda numbers: re.sub(r"(\.\d\d)\d+", r"\1", numbers[0]), svg)
    svg = PLACES.sub(lambda place: re.sub(r"(\.\d)\d+", r"\1", place[0]).replace("xlink:href", "href"), svg)
    return re.sub(r"\n +", "\n", MARKERS.sub(together, svg))


def alone(svg: str) -> str:
    """A drawing with short names for the parts that it refers to; they are unique in it, not in a page."""
    names = dict.fromkeys(re.findall(r"#([^\"\s)]+)[\")]", svg))
    short_of = {name: f"{place:x}" for place, name in enumerate(name for name in names if f' id="{name}"' in svg)}
    svg = re.sub(
        r' id="([^"]+)"', lambda found: f' id="z{short_of[found[1]]}"' if found[1] in short_of else found[0], svg
    )
    return re.sub(
        r"#([^\"\s)]+)(?=[\")])", lambda found: f"#z{short_of[found[1]]}" if found[1] in short_of else found[0], svg
    )


def in_steps(path: str) -> str:
    """A path whose coordinates are counted from the end of the step before, in hundredths. Lines without length are
    left out, and lines that go on along one height are one."""
    written, here, start, along = list[str](), (0, 0), (0, 0), 0  # how far the line before went along its height
    for command, numbers in re.findall(r"([MLQCz])([^MLQCz]*)", path):
        values = [round(100 * float(number)) for number in numbers.split()]
        points = list(zip(values[::2], values[1::2], strict=True))
        if command == "L" and points == [here] and not written[-1].startswith("m"):  # else it is a dot
            continue
        if command == "z":
            written.append("z")
            here, along = start, 0
            continue
        level = command == "L" and points[0][1] == here[1]
        if level and along * (points[0][0] - here[0]) > 0:
            written.pop()
            here = (here[0] - along, here[1])
        steps = (_number(value - origin) for point in points for value, origin in zip(point, here, strict=True))
        written.append(command.lower() + "".join(steps).removeprefix(" "))
        along = points[0][0] - here[0] if level else 0
        here = points[-1]
        start = here if command == "M" else start
    return "".join(written)


def _number(hundredths: int) -> str:
    """As short as it may be: a minus needs no blank before it, a point no zero."""
    text = re.sub(r"^(-?)0\.", r"\1.", f"{hundredths / 100:.2f}").rstrip("0").rstrip(".") or "0"
    return text if text.startswith("-") else f" {text}"


def _with_titles(svg: str) -> str:
    """The drawing for use inside HTML; the name in the id of a group of points becomes its title."""
    places = itertools.count()
    svg = svg[svg.index("<svg") :]
    return re.sub(
        f"<g id=([\"']){POINTS}(.*?)\\1>",
        lambda match: f'<g id="point-{next(places)}"><title>{match.group(2)}</title>',
        svg,
    )


def escaped(config: Config) -> dict[str, Any]:
    """The configuration with labels that are safe inside Markdown: their content is shown, never executed.

    Everything but letters, digits and spaces becomes an HTML entity, which is no HTML, emphasis, link or formula any
    more.
    """
    safe = dict(config)
    for registry in ("models", "tasks"):
        entries = config[registry].items()
        safe[registry] = {name: {**entry, "label": entities(entry["label"])} for name, entry in entries}
    return safe


def entities(label: str) -> str:
    """A text that Markdown shows as written."""
    return re.sub(r"[!-/:-@\[-`{-~]", lambda match: f"&#{ord(match.group())};", label)


def by_layer_html(picture: str, name: str, title: str, caption: str, sources: Iterable[str]) -> str:
    """A picture of `taskvectors.report.by_layer` under its title, with caption and files."""
    return f'<figure class="by-layer" id="{name}"><h3>{html.escape(title)}</h3>{picture}{_caption(caption, name, sources)}</figure>'


def _caption(caption: str, name: str, sources: Iterable[str]) -> str:
    link = f'<a class="anchor" href="#{name}" aria-label="Link to {name}">#</a>'
    files = ", ".join(map(_linked, sources))
    described = f'<span id="about-{name}">{html.escape(caption)}</span>'
    listed = f'<details class="sources"><summary>data</summary>{files}</details>' if files else ""
    return f"<figcaption>{described}{link}{listed}</figcaption>"


def _linked(file: str) -> str:
    """A file by its path in the study's folder; a link, from the page's place in it, if the study writes it."""
    if not file.startswith(WRITTEN):
        return f"<code>{html.escape(file)}</code>"
    address = quote(os.path.relpath(file, PAGES), safe="/")
    return f'<a href="{html.escape(address)}">{html.escape(file)}</a>'


def table_html(table: pd.DataFrame, name: str, caption: str, sources: Iterable[str], *, prose: bool = False) -> str:
    """A table inside the page, under an anchor of its name, with caption and files; every cell is escaped. Prose
    breaks its lines."""
    filled = table.rename_axis(columns=None).astype(object).where(table.notna(), "–")
    body = filled.to_html(index=False, border=0, float_format="{:.2f}".format, escape=True)
    title = html.escape(re.split(r"(?<=[a-z)])[.:;] ", caption)[0].rstrip("."))
    body = body.replace("<th>", '<th scope="col">').replace(">", f'><caption class="unseen">{title}</caption>', 1)
    name, kind = f"table-{name}", "table prose" if prose else "table"
    kind += " long" if len(table) > LONG else ""
    scroll = f'<div class="scroll" role="group" tabindex="0" aria-label="{title}">{body}</div>'
    return f'<figure class="{kind}" id="{name}">{_caption(caption, name, sources)}{scroll}</figure>'


def verdicts_html(conclusions: pd.DataFrame, sections: Mapping[str, str], models: Mapping[str, str]) -> str:
    """All verdicts at a glance, a row for every question: words in colour, each with its claim, and a link to the
    section.

    Args:
        conclusions: `conclusions.csv`.
        sections: short names of questions.
        models: labels of models.
    """
    names = list(dict.fromkeys(conclusions["model"]))
    head = "".join(f'<th scope="col">{html.escape(models[name])}</th>' for name in names)
    rows = []
    for question, claims in conclusions.groupby("question", sort=False):
        section, anchor = html.escape(sections[question]), f"#question-{question}"
        cells = "".join(
            f"<td>{' '.join(_verdict(claim, anchor) for _, claim in claims[claims['model'] == name].iterrows())}</td>"
            for name in names
        )
        rows.append(f'<tr><th scope="row"><a href="{anchor}">{section}</a></th>{cells}</tr>')
    caption = '<caption class="unseen">Verdicts by question and model</caption>'
    table = f'<table>{caption}<thead><tr><th scope="col">question</th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    return f'<figure class="verdicts" id="verdicts"><div class="scroll">{table}</div></figure>'


def _verdict(claim: pd.Series, anchor: str) -> str:
    kind, words = claim["verdict"].replace(" ", "-"), html.escape(f"{claim['statement']} ({claim['measure']})")
    return f'<a class="verdict {kind}" href="{anchor}" title="{words}">{claim["verdict"]}</a>'


def missing_html(name: str, absent: Iterable[str]) -> str:
    """A note in the place of a figure or table for which an archive lacks tables."""
    files = ", ".join(f"<code>{html.escape(table)}.csv</code>" for table in absent)
    return f'<p class="missing" id="{name}">Left out: the archive lacks {files}.</p>'
