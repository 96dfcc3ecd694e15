"""Sections of the page: Markdown with places for numbers, figures and tables (`page.md`), and the numbers
(`page.py`)."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

import jinja2
import pandas as pd

from taskvectors.errors import StudyError
from taskvectors.observations.rows import Tables
from taskvectors.report.cells import Config, decimal, how_many, in_points, labelled, listed, percent, with_interval
from taskvectors.report.html import entities

HEADING = re.compile(r"^(?=## )", re.MULTILINE)
METHODS_MARK = "<!-- methods -->"  # what follows it on a page goes to the section on methods
CALL = re.compile(r"^\{\{ *(\w+\([^()]*\)) *\}\}$", re.MULTILINE)  # a line of its own: a cell of code
Shown = Callable[[Tables, Config], pd.DataFrame]


class PageNumbers(Protocol):
    """`page.py` of a question, which a page without numbers or tables of its own does without.

    Attributes:
        TABLES: by name, what the page shows of tables.
    """

    TABLES: Mapping[str, Shown]

    def numbers(self, tables: Tables, config: Config) -> Mapping[str, Any]:
        """What `page.md` names between braces.

        Args:
            tables: of all models together, by name; published ones are `paper/<name>`.
            config: of the study; labels are safe inside Markdown.
        """


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Attributes:
        title: its heading, if the page has none of its own.
        page: its `page.md`.
        module: its `page.py`, by its import name; empty if it has none.
        lacking: its tables that an archive lacks: then text that needs numbers is left out.
    """

    title: str
    page: str
    module: str
    lacking: list[str]


@dataclass(frozen=True)
class Cell:
    """A cell of the notebook: Markdown, or code that shows a figure or a table."""

    kind: str
    source: str


def page_table(name: str, entry: Mapping[str, Any], tables: Tables, config: Config) -> pd.DataFrame:
    """A table of the page, as `page.py` makes it; without one, the first of the tables that the entry names.

    Args:
        entry: of the table; `module` is the import name of `page.py`, empty if there is none.

    Raises:
        StudyError: if `page.py` does not make it.
    """
    if not entry["module"]:
        return plain_table(tables[entry["tables"][0]], config)
    made = cast(PageNumbers, import_module(entry["module"])).TABLES
    if name not in made:
        raise StudyError(
            f"{entry['module']}: TABLES has no {name}, which question.yaml lists under `shown`. Add a function."
        )
    return made[name](tables, config)


def plain_table(table: pd.DataFrame, config: Config) -> pd.DataFrame:
    """A table with every interval in the cell of its value."""
    bounded = [column for column in table if f"{column}_low" in table]
    bounds = [f"{column}_{end}" for column in bounded for end in ("low", "high")]
    cells = {column: with_interval(table, column) for column in bounded}
    return labelled(table.assign(**cells).drop(columns=bounds), config)


def cells_of(section: Section, tables: Tables, config: Config) -> list[Cell]:
    """The cells of a section.

    Raises:
        StudyError: with file and line, for a page that is no template, or names a number that is not there.
    """
    shown, _, _ = Path(section.page).read_text(encoding="utf-8").partition(METHODS_MARK)
    write = _writer(section, tables, config)
    anchor = f'<a id="question-{Path(section.page).parent.name}"></a>'  # of a question, for links to it
    cells = [Cell("markdown", f"## {section.title}\n\n{anchor}")] if section.title else []
    if found := "\n".join(findings(section, tables, config)):
        cells.append(Cell("markdown", found))
    for kind, part, line in _parts(shown):
        # A heading begins a cell, and with it a section of the page.
        texts = HEADING.split(write(part, line)) if kind == "markdown" else [part]
        cells += [Cell(kind, text.strip()) for text in texts if text.strip()]
    return cells


def findings(section: Section, tables: Tables, config: Config) -> Iterator[str]:
    """What was found, a line for every claim of the section's question: its verdicts and values, by model."""
    if "conclusions" not in tables:
        return
    conclusions = tables["conclusions"]
    own = conclusions[conclusions["question"] == Path(section.page).parent.name]
    for _, claim in own.groupby("claim", sort=False):
        by_verdict: dict[str, list[str]] = {}
        for _, row in claim.iterrows():
            value = "" if pd.isna(row["value"]) else f", {_interval(row)}"
            by_verdict.setdefault(row["verdict"], []).append(f"{config['models'][row['model']]['label']}{value}")
        verdicts = "; ".join(f"**{verdict}** ({'; '.join(models)})" for verdict, models in by_verdict.items())
        yield f"* {entities(claim['statement'].iloc[0])} {verdicts}."


def methods_of(section: Section, tables: Tables, config: Config) -> str:
    """What a section has to say on methods. Raises: see `cells_of`."""
    shown, _, methods = Path(section.page).read_text(encoding="utf-8").partition(METHODS_MARK)
    return _writer(section, tables, config)(methods, shown.count("\n") + 1)


def _parts(text: str) -> Iterator[tuple[str, str, int]]:
    """Markdown and code in turn, each with the line on which it begins."""
    start = 0
    for call in CALL.finditer(text):
        yield "markdown", text[start : call.start()], text.count("\n", 0, start) + 1
        yield "code", call[1], 0
        start = call.end()
    yield "markdown", text[start:], text.count("\n", 0, start) + 1


def _writer(section: Section, tables: Tables, config: Config) -> Callable[[str, int], str]:
    known: dict[str, Any] = {"config": config}
    if section.module and not section.lacking:
        known |= cast(PageNumbers, import_module(section.module)).numbers(tables, config)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"percent": percent, "points": in_points, "decimal": decimal, "how_many": how_many}
    environment.filters |= {"listed": listed, "interval": _interval}

    def write(text: str, line: int) -> str:
        if section.lacking and ("{{" in text or "{%" in text):
            return ""
        try:
            return environment.from_string(text).render(known).strip()
        except jinja2.TemplateSyntaxError as error:
            raise StudyError(
                f"{section.page}, line {line + error.lineno - 1}: {(error.message or '').rstrip('.')}. Correct it."
            ) from None
        except jinja2.UndefinedError as error:
            raise StudyError(
                f"{section.page}, lines from {line}: {error.message}. `numbers` in page.py gives them."
            ) from None

    return write


def _interval(row: pd.Series, value: str = "value", digits: int = 2) -> str:
    return with_interval(row.to_frame().T, value, digits)[0]
