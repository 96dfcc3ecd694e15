"""Figures and tables as HTML inside the page, and labels that are safe inside Markdown."""

import base64
import html
import itertools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from taskvectors.names import POINTS
from taskvectors.report.cells import Config


def figure_html(path: str, caption: str, sources: Iterable[str], *, hover: bool = False) -> str:
    """An SVG file inside the page, with a caption and the files that it is drawn from; with `hover`, points tell their task under the
    mouse."""
    name = Path(path).stem
    if hover:
        drawing = _with_titles(Path(path).read_text(encoding="utf-8"))
    else:
        data = base64.b64encode(Path(path).read_bytes()).decode()
        drawing = f'<img alt="{html.escape(caption)}" src="data:image/svg+xml;base64,{data}">'
    return f'<figure id="{name}"><div class="card">{drawing}</div>{_caption(caption, name, sources)}</figure>'


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
    """The configuration with labels that are safe inside Markdown: whatever stands in them is shown, never executed.

    Everything but letters, digits and spaces becomes an HTML entity, which is no HTML, emphasis, link or formula any more.
    """
    safe = dict(config)
    for registry in ("models", "tasks"):
        entries = config[registry].items()
        safe[registry] = {name: {**entry, "label": _entities(entry["label"])} for name, entry in entries}
    return safe


def _entities(label: str) -> str:
    return re.sub(r"[!-/:-@\[-`{-~]", lambda match: f"&#{ord(match.group())};", label)


def _caption(caption: str, name: str, sources: Iterable[str]) -> str:
    link = f'<a class="anchor" href="#{name}" aria-label="Link to {name}">#</a>'
    files = ", ".join(f"<code>{html.escape(source)}</code>" for source in sources)
    return f'<figcaption>{html.escape(caption)} <span class="sources">{files}</span>{link}</figcaption>'


def table_html(table: pd.DataFrame, name: str, caption: str, sources: Iterable[str], *, prose: bool = False) -> str:
    """A table inside the page, under an anchor of its name, with caption and files; every cell is escaped. Prose breaks its lines."""
    filled = table.rename_axis(columns=None).astype(object).where(table.notna(), "–")
    body = filled.to_html(index=False, border=0, float_format="{:.2f}".format, escape=True)
    name, kind = f"table-{name}", "table prose" if prose else "table"
    return f'<figure class="{kind}" id="{name}">{_caption(caption, name, sources)}<div class="scroll">{body}</div></figure>'


def missing_html(name: str, absent: Iterable[str]) -> str:
    """What stands in the place of a figure or table of which an archive has not all tables."""
    files = ", ".join(f"<code>{html.escape(table)}.csv</code>" for table in absent)
    return f'<p class="missing" id="{name}">Left out: the archive lacks {files}.</p>'
