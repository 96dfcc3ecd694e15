"""What questions there are: the entries `question.yaml` of every folder in `questions/`, checked by file and line.

The opening and the closing of the page are no questions, but have tables and a page, too
(`report/frame/*/section.yaml`).
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

import yaml

from taskvectors.errors import StudyError
from taskvectors.settings import check_yaml
from taskvectors.store.files import files_of

Entry = dict[str, Any]
Entries = dict[str, Entry]
LIBRARY = Path(__file__).parent
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where PyYAML has it
FOLDERS = ("questions/*/question.yaml", "report/frame/*/section.yaml")
PAGE = "page.md"
# What the page can show in place of a table, and what its text (`says`) has places for.
VIEWS: dict[str, set[str]] = {"matrix": {"row", "column", "value", "beside"}, "points": set()}
PLACED = re.compile(r"""\{\{ *(figure|table)\(["'](\w+)["']\) *\}\}""")  # in a page
# Keys of a question and of its entries, with their types. An optional key that is left out is empty.
REQUIRED, OPTIONAL = (
    {"section": str, "order": int},
    {"title": str, "settings": dict, "reads": dict, "judged_on": dict, "descends": list, "always": bool},
)
PARTS: dict[str, tuple[dict[str, type], dict[str, type]]] = {
    "tables": (
        {"row": str, "columns": list},
        {
            "intervals": list, "note": str, "about": str, "title": str, "caption": str, "study": bool, "evidence": bool,
            "separate": bool, "compared": str,
        },
    ),
    "figures": ({"title": str, "caption": str, "tables": list}, {"published": list, "when": str, "hover": bool}),
    "shown": (
        {"caption": str, "tables": list},
        {"title": str, "published": list, "latex": bool, "prose": bool, "view": str, "says": str},
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Question:
    """A question of the study, as its entry says it.

    Attributes:
        name: of its folder.
        folder: with entry, page and figures.
        title: the heading of its section; none for opening and closing, which have headings of their own.
        section: where Snakemake's report lists its tables and figures.
        order: on the page.
        settings: that it adds to the configuration: keys of its top level with their JSON schema.
        reads: by rule that loads a model, the tokens that it reads (`taskvectors.estimates`).
        judged_on: by the beginning of a claim's name, the episodes a task that it is judged on, as an expression.
        descends: rules that differentiate, which takes memory beside the model.
        always: whether every study asks it, as other questions rest on its tables.
        tables: that its rules write, by name: what a row is, columns, title, caption.
        figures: by name: title, caption, what each is drawn from.
        shown: what the page shows of tables, by name: caption, tables, whether it is written in LaTeX, too; its `view`
            if it is no table but steps through layers (`taskvectors.report.by_layer`), with a title.
    """

    name: str
    folder: Path
    title: str
    section: str
    order: int
    settings: Mapping[str, Any]
    reads: Mapping[str, str]
    judged_on: Mapping[str, str]
    descends: list[str]
    always: bool
    tables: Entries
    figures: Entries
    shown: Entries

    @property
    def optional(self) -> bool:
        """Whether a study may leave it out."""
        return self.has_rules and not self.always

    @property
    def page(self) -> Path:
        return self.folder / PAGE

    @property
    def has_rules(self) -> bool:
        """Whether workflow/rules has a file of its name; opening and closing of the page have none."""
        return self.folder.parent.name == "questions"

    def has(self, name: str) -> bool:
        """Whether it has a module of this name."""
        return (self.folder / f"{name}.py").is_file()

    def module(self, name: str) -> str:
        """A module of it, as workflow/scripts has it."""
        return f"taskvectors/{(self.folder / name).relative_to(LIBRARY).as_posix()}.py"


@cache
def read_questions(published: tuple[str, ...], conditions: tuple[str, ...], library: Path = LIBRARY) -> list[Question]:
    """All questions, in the order of the page; opening and closing of the page among them.

    Args:
        published: names of the tables of published data.
        conditions: what a figure may name under `when`.

    Raises:
        StudyError: with file and line, for an entry that says what is not known, and a page that names what is
            nowhere.
    """
    files = [file for pattern in FOLDERS for file in files_of(library, pattern)]
    found = sorted(map(_read, files), key=lambda question: question.order)
    first: dict[str, Path] = {}
    for question in found:
        for name in question.tables:
            if name in first:
                raise StudyError(f"{question.folder}: {name}: {first[name]} writes a table of this name. Rename one.")
            first[name] = question.folder
    known = {"tables": first, "published": published, "when": conditions}
    for question in found:
        _check(question, known)
    return found


def _read(file: Path) -> Question:
    check_yaml(file, LOADER)
    text = file.read_text(encoding="utf-8")
    content = yaml.load(text, Loader=LOADER)
    if not isinstance(content, dict):
        raise StudyError(f"{file}: no keys and values. Another question's entry shows them.")
    lines = _lines(text)
    keys = REQUIRED | OPTIONAL | dict.fromkeys(PARTS, dict)
    for fault in _faults(content, REQUIRED, keys):
        raise StudyError(f"{file}: {fault}")
    for part, (required, optional) in PARTS.items():
        for name, entry in content.get(part, {}).items():
            for fault in _faults(entry, required, required | optional):
                raise StudyError(f"{file}, line {lines[part, name]}: {name}: {fault}")
            content[part][name] = {key: kind() for key, kind in optional.items()} | entry
    for name, entry in content.get("tables", {}).items():
        if bool(entry["title"]) != bool(entry["caption"]):
            raise StudyError(f"{file}, line {lines['tables', name]}: {name}: title and caption go together.")
        if lacking := set(entry["intervals"]) - set(entry["columns"]):
            raise StudyError(f"{file}, line {lines['tables', name]}: {name}: intervals: no column {min(lacking)}.")
        entry["columns"] = with_intervals(entry["columns"], entry["intervals"])
    whole = {key: kind() for key, kind in keys.items()} | content
    return Question(file.parent.name, file.parent, **whole)


def with_intervals(columns: Collection[str], intervals: Collection[str]) -> list[str]:
    """Columns, those of intervals behind the one that each is of."""
    bounds = {name: (f"{name}_low", f"{name}_high") for name in intervals}
    return [one for name in columns for one in (name, *bounds.get(name, ()))]


def _lines(text: str) -> dict[tuple[str, str], int]:
    """The line of every entry of every part."""
    document = yaml.compose(text, Loader=LOADER)
    return {
        (part.value, key.value): key.start_mark.line + 1
        for part, entries in document.value
        if isinstance(entries, yaml.MappingNode)
        for key, _ in entries.value
    }


def _faults(entry: Any, required: Mapping[str, type], kinds: Mapping[str, type]) -> Iterator[str]:
    """What is wrong with an entry."""
    if not isinstance(entry, dict):
        yield "an entry has keys and values. Correct it."
        return
    yield from (f"{key} is no key of an entry; the keys are {', '.join(kinds)}." for key in entry if key not in kinds)
    yield from (f"the key {key} is missing. Add it." for key in required if key not in entry)
    yield from (
        f"{key}: {value!r} is no {kinds[key].__name__}. Correct it."
        for key, value in entry.items()
        if not isinstance(value, kinds.get(key, object))
    )


def _check(question: Question, known: Mapping[str, Collection[str]]) -> None:
    """Refuse an entry or a page that names what is nowhere."""
    (file,) = (file for pattern in FOLDERS for file in files_of(question.folder, Path(pattern).name))
    lines = _lines(file.read_text(encoding="utf-8"))
    for part in ("figures", "shown"):
        for name, entry in getattr(question, part).items():
            faults = [*_unknown(entry, known), *(_wrong_view(entry) if part == "shown" else ())]
            for fault in faults:
                raise StudyError(f"{file}, line {lines[part, name]}: {name}: {fault}")
    for name in question.figures:
        if not (question.folder / f"figures/{name}.py").is_file():
            place = f"{file}, line {lines['figures', name]}"
            raise StudyError(
                f"{place}: {name}: there is no figures/{name}.py that draws it. Add it, or correct the name."
            )
    for drawing in files_of(question.folder / "figures", "*.py"):
        if drawing.stem not in question.figures:
            raise StudyError(f"{file}: figures/{drawing.name} has no entry under figures. Add one.")
    _check_page(question, file)


def _unknown(entry: Entry, known: Mapping[str, Collection[str]]) -> Iterator[str]:
    for key in set(entry) & set(known):
        names = entry[key] if isinstance(entry[key], list) else [entry[key]]
        for one in filter(None, names):
            if one not in known[key]:
                yield f"{key}: {one} is not known; known are {', '.join(known[key])}."
    for one in set(entry["published"]) & set(entry["tables"]):
        yield f"{one} is under tables and published: the source table could not distinguish them."


def _wrong_view(entry: Entry) -> Iterator[str]:
    view = entry["view"]
    if view and view not in VIEWS:
        yield f"view: there is no {view}; known are {', '.join(VIEWS)}."
        return
    if bool(view) != bool(entry["title"]):
        yield "view and title go together."
    places = {place for _, place, _, _ in Formatter().parse(entry["says"]) if place is not None}
    if places != VIEWS.get(view, set()):
        wanted = ", ".join(f"{{{place}}}" for place in sorted(VIEWS.get(view, set())))
        yield f"says: this view has the places {wanted}." if wanted else "says: only a matrix has it."


def _check_page(question: Question, file: Path) -> None:
    """Refuse a question without a page, and a page that does not show what the entry has, once each."""
    if not question.page.is_file():
        raise StudyError(
            f"{file}: there is no {PAGE} beside it. Add one: the section's text, with places for figures and tables."
        )
    entries = {"figure": question.figures, "table": question.shown}
    placed: list[tuple[str, str]] = []
    for number, line in enumerate(question.page.read_text(encoding="utf-8").split("\n"), start=1):
        for kind, name in PLACED.findall(line):
            if name not in entries[kind]:
                known = ", ".join(entries[kind]) or "none"
                raise StudyError(
                    f"{question.page}, line {number}: {kind} {name} is not in {file.name}; known: {known}. Correct it."
                )
            placed.append((kind, name))
    for kind, of_kind in entries.items():
        for name in of_kind:
            if (kind, name) not in placed:
                raise StudyError(
                    f'{question.page}: {kind} {name} of {file.name} is not shown. Add {{{{ {kind}("{name}") }}}}.'
                )
