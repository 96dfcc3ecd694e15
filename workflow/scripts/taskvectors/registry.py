"""What figures and tables there are: the entries of workflow/figures.yaml and workflow/tables.yaml, checked by file and line."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from taskvectors.errors import StudyError
from taskvectors.settings import check_yaml
from taskvectors.store.files import files_of

Entries = dict[str, dict[str, Any]]
Kinds = Mapping[str, type]
Known = Mapping[str, Collection[str]]


def figures_of(
    path: str | Path, tables: Collection[str], published: Collection[str], conditions: Mapping[str, bool]
) -> Entries:
    """The figures that a study has, each with all keys, in the order of the file.

    Args:
        path: of figures.yaml.
        tables: names of the study's tables.
        published: names of the tables of published data.
        conditions: what an entry may name under `when`, and whether it holds.

    Raises:
        StudyError: with file, line and key, for an entry that says what is not known.
    """
    required = {"section": str, "title": str, "caption": str, "tables": list}
    known = {"tables": tables, "published": published, "when": conditions}
    drawn = {file.stem for file in files_of(Path(__file__).with_name("figures"), "*.py")}
    entries = _read(path, None, required, {"published": list, "when": str, "hover": bool}, known, drawn)
    return {name: entry for name, entry in entries.items() if conditions.get(entry["when"], True)}


def tables_of(path: str | Path) -> Entries:
    """The tables that a study writes, each with all keys, in the order of the file.

    Raises:
        StudyError: with file, line and key.
    """
    optional = {
        "note": str,
        "section": str,
        "title": str,
        "caption": str,
        "study": bool,
        "evidence": bool,
        "separate": bool,
    }
    entries = _read(path, "results", {"row": str, "columns": list}, optional, {})
    for name, entry in entries.items():
        if 0 < len([key for key in ("section", "title", "caption") if entry[key]]) < 3:
            raise StudyError(f"{path}: {name}: section, title and caption stand together, or none of them does.")
    return entries


def report_tables_of(path: str | Path, tables: Collection[str], published: Collection[str]) -> Entries:
    """The tables that the page shows, each with all keys, in the order of the file.

    Raises:
        StudyError: with file, line and key.
    """
    optional = {"published": list, "latex": bool, "prose": bool}
    return _read(path, "report", {"caption": str, "tables": list}, optional, {"tables": tables, "published": published})


def readme(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """The list of tables in results/README.md (Markdown)."""
    lines = ["| file | one row is | columns beside model, family, role, task |", "|---|---|---|"]
    for name, entry in tables.items():
        columns = ", ".join(column for column in entry["columns"] if column not in ("model", "family", "role", "task"))
        note = f" ({entry['note']})" if entry["note"] else ""
        folder = "" if entry["study"] else "<model>/"
        lines.append(f"| `{folder}{name}.csv` | {entry['row']} | {columns}{note} |")
    return "\n".join(lines)


def _read(
    path: str | Path,
    part: str | None,
    required: Kinds,
    optional: Kinds,
    known: Known,
    drawn: Collection[str] | None = None,
) -> Entries:
    """The entries of a file, or of one part of it; what an entry does not say is empty: [], "" or False."""
    check_yaml(path)
    text = Path(path).read_text(encoding="utf-8")
    document, node = yaml.safe_load(text), yaml.compose(text)
    if part is not None and isinstance(document, dict):
        node = next((value for key, value in node.value if key.value == part), None)
        document = document.get(part)
    if not isinstance(document, dict):
        where = f"{path}: {part}" if part else f"{path}"
        raise StudyError(f"{where}: no entries. The head of workflow/{Path(path).name} says what an entry holds.")
    lines = {key.value: key.start_mark.line + 1 for key, _ in node.value}
    for name, entry in document.items():
        for fault in _faults(entry, required, {**required, **optional}, known):
            raise StudyError(f"{path}, line {lines[name]}: {name}: {fault}")
        if drawn is not None and name not in drawn:
            raise StudyError(
                f"{path}, line {lines[name]}: {name}: there is no taskvectors/figures/{name}.py that draws it. Add it, or correct the "
                "name."
            )
    return {name: {key: kind() for key, kind in optional.items()} | entry for name, entry in document.items()}


def _faults(entry: Any, required: Kinds, kinds: Kinds, known: Known) -> Iterator[str]:
    """What is wrong with an entry."""
    if not isinstance(entry, dict):
        yield "an entry has keys and values. Correct it."
        return
    yield from (f"{key} is no key of an entry; the keys are {', '.join(kinds)}." for key in entry if key not in kinds)
    yield from (f"the key {key} is missing. Add it." for key in required if key not in entry)
    for key, value in entry.items():
        if not isinstance(value, kinds.get(key, object)):
            yield f"{key}: {value!r} is no {kinds[key].__name__}. Correct it."
        elif key in known:
            asked = value if isinstance(value, list) else [value]
            yield from (
                f"{key}: {one} is not known; known are {', '.join(known[key])}."
                for one in asked
                if one not in known[key]
            )
    both = [one for one in entry.get("published", ()) if one in entry.get("tables", ())]
    yield from (f"{one} stands under tables and published: the source table could not tell them apart." for one in both)
