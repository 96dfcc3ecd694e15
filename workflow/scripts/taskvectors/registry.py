"""What figures there are: the entries of workflow/figures.yaml, checked by file and line."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from taskvectors.errors import StudyError
from taskvectors.settings import check_yaml

REQUIRED = {"section": str, "title": str, "caption": str, "tables": list}
OPTIONAL = {"published": list, "when": str, "hover": bool}


def figures_of(
    path: str | Path, tables: Collection[str], published: Collection[str], conditions: Mapping[str, bool]
) -> dict[str, dict[str, Any]]:
    """The figures that a study has, each with all keys, in the order of the file.

    Args:
        path: of figures.yaml.
        tables: names of the study's tables.
        published: names of the tables of published data.
        conditions: what an entry may name under `when`, and whether it holds.

    Raises:
        StudyError: with file, line and key, for an entry that says what is not known.
    """
    check_yaml(path)
    text = Path(path).read_text(encoding="utf-8")
    entries = yaml.safe_load(text)
    if not isinstance(entries, dict):
        raise StudyError(
            f"{path}: no figures. Write an entry for each; the head of workflow/figures.yaml says what it holds."
        )
    lines = {key.value: key.start_mark.line + 1 for key, _ in yaml.compose(text).value}
    modules = {file.stem for file in Path(__file__).with_name("figures").glob("*.py")}
    known: dict[str, Collection[str]] = {"tables": tables, "published": published, "when": conditions}
    for name, entry in entries.items():
        for fault in _faults(name, entry, modules, known):
            raise StudyError(f"{path}, line {lines[name]}: {name}: {fault}")
    return {
        name: {"published": [], "hover": False, **entry}
        for name, entry in entries.items()
        if conditions.get(entry.get("when"), True)
    }


def _faults(name: str, entry: Any, modules: Collection[str], known: Mapping[str, Collection[str]]) -> Iterator[str]:
    """What is wrong with an entry."""
    if not isinstance(entry, dict):
        yield "an entry has keys and values. Correct it."
        return
    kinds = REQUIRED | OPTIONAL
    yield from (f"{key} is no key of a figure; the keys are {', '.join(kinds)}." for key in entry if key not in kinds)
    yield from (f"the key {key} is missing. Add it." for key in REQUIRED if key not in entry)
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
    if name not in modules:
        yield f"there is no taskvectors/figures/{name}.py that draws it. Add it, or correct the name."
