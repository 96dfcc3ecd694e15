"""Tables of inputs and outputs as people have them: CSV, TSV or JSON.

CSV and TSV have a header with the columns `input` and `output`, and maybe `also_accepted` (other right answers,
separated by `|`). JSON is a list of objects with these keys, or one object that maps inputs to outputs; several right
answers may be in a list.
"""

import csv
import difflib
import io
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from taskvectors.data.prompts import begins_a_demonstration
from taskvectors.data.text import normal_form, read_user_text, unseen
from taskvectors.errors import StudyError

INPUT, OUTPUT, ALSO = TABLE_COLUMNS = ("input", "output", "also_accepted")
SUFFIXES = (".csv", ".tsv", ".json")
ALTERNATIVES = "|"
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
SEPARATOR = re.compile('"?sep=(.)"?')  # Excel's own first line
MOST_FAULTS = 30  # that one message shows
REMEDY = "Add the table, or correct `table` in config/tasks.yaml."
csv.field_size_limit(sys.maxsize)  # a text may be long; quotes that are never closed are seen as such


@dataclass(frozen=True, slots=True)
class Pair:
    """An input and its answers; `answers[0]` is the reference, the rest are accepted too.

    `backward`, of a bijection, is what is accepted for `answers[0]` on the way back, the input first.
    """

    input: str
    answers: tuple[str, ...]
    backward: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table as it was read.

    Attributes:
        repeated: rows that repeat an earlier one, and are left out.
        trimmed: texts whose outer blanks were dropped.
        places: of every input: `line 3`, `entry 3`.
    """

    pairs: tuple[Pair, ...]
    repeated: int
    trimmed: int
    places: dict[str, str]


@dataclass(frozen=True)
class _Row:
    place: str
    given: str
    answers: tuple[str, ...]  # the reference first


def read_table(path: str | Path) -> tuple[Pair, ...]:
    """The pairs of a table; see `load_table`."""
    return load_table(path).pairs


def load_table(path: str | Path) -> Table:
    """Read and check a table; its text comes in normal form (`taskvectors.data.text`), without outer blanks.

    Raises:
        StudyError: naming file and line of every fault: no such file, not UTF-8, no such column, no row, an empty
            text, an unseen character, a text that would make prompts ambiguous, two answers to one input.
    """
    faults: list[str] = []
    table = _loaded(path, faults)
    if faults:
        raise StudyError(in_one_message(faults))
    return table


def faults_of_tables(paths: Iterable[str | Path]) -> list[str]:
    """Every fault of every table."""
    faults: list[str] = []
    for path in dict.fromkeys(paths):
        try:
            _loaded(path, faults)
        except StudyError as error:
            faults.append(str(error))
    return faults


def in_one_message(faults: list[str]) -> str:
    """Faults, one a line; a single one by itself."""
    if len(faults) == 1:
        return faults[0]
    shown = "".join(f"\n  {fault}" for fault in faults[:MOST_FAULTS])
    more = f"\n  … and {len(faults) - MOST_FAULTS} more" if len(faults) > MOST_FAULTS else ""
    return f"{len(faults)} faults in tables:{shown}{more}"


def place_of(path: str | Path, given: str) -> str | None:
    """The line, or entry, of an input in a table, if it is there."""
    return load_table(path).places.get(given)


def _loaded(path: str | Path, faults: list[str]) -> Table:
    """A table, and all that is wrong with its rows."""
    text = read_user_text(path, REMEDY)
    rows: Iterator[_Row | str] = (
        _json_rows(path, text) if Path(path).suffix.lower() == ".json" else _csv_rows(path, text)
    )
    merged: dict[str, _Row] = {}
    repeated = trimmed = count = 0
    for row in rows:
        count += 1
        if isinstance(row, str):
            faults.append(row)
            continue
        clean = _Row(row.place, _clean(row.given), tuple(dict.fromkeys(filter(None, map(_clean, row.answers[1:])))))
        reference = _clean(row.answers[0])
        clean = replace(clean, answers=tuple(dict.fromkeys((reference, *clean.answers))))
        trimmed += sum(text != text.strip() for text in map(normal_form, (row.given, *row.answers)))
        if fault := _fault(clean):
            faults.append(f"{path}, {row.place}, {fault}")
            continue
        known = merged.get(clean.given)
        if known and reference not in known.answers and known.answers[0] not in clean.answers:
            faults.append(
                f"{path}, {row.place}: input {clean.given!r} has the answer {reference!r}, but {known.answers[0]!r} in {known.place}. "
                f"Delete one of the two, or put one answer into the other's {ALSO}."
            )
            continue
        repeated += bool(known)
        both = (*known.answers, *clean.answers) if known else clean.answers
        merged[clean.given] = replace(known or clean, answers=tuple(dict.fromkeys(both)))
    if not count:
        faults.append(f"{path}: the table has no rows. Add at least one pair.")
    pairs = tuple(Pair(row.given, row.answers) for row in merged.values())
    return Table(pairs, repeated, trimmed, {row.given: row.place for row in merged.values()})


def _clean(text: str) -> str:
    return normal_form(text).strip()


def _fault(row: _Row) -> str:
    """What is wrong with a row, with its column; empty if nothing is."""
    cells = [(INPUT, row.given), (OUTPUT, row.answers[0]), *((ALSO, answer) for answer in row.answers[1:])]
    for column, text in cells:
        if not text:
            return f"column {column}: an empty text. Fill it, or delete the row."
        if column == OUTPUT and ALTERNATIVES in text and text != ALTERNATIVES:
            return (
                f"column {column}: {text!r} holds {ALTERNATIVES}, which separates other answers. Move them to {ALSO}."
            )
        if column != INPUT and "\n" in text:
            return f"column {column}: {text!r} has a line break inside, but an answer ends with its line. Remove the break."
        if begins_a_demonstration(text):
            return f"column {column}: {text!r} has a line that begins as a demonstration does: prompts would be ambiguous. Change it."
        if bad := unseen(text.replace("\n", " ").replace("\t", " ")):
            return f"column {column}: {text!a} holds {bad}, which cannot be seen. Remove it."
    return ""


# --- CSV


def _csv_rows(path: str | Path, text: str) -> Iterator[_Row | str]:
    """Every row of a table that is not empty, or what keeps it from being one."""
    blank, said, text = _heading(text)
    header, delimiter = _header(path, text.split("\n", 1)[0], said)
    places = [header.index(column) for column in TABLE_COLUMNS if column in header]
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter, strict=True, skipinitialspace=True)
    try:
        next(reader)
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            place = f"line {blank + reader.line_num}"
            cells = _as_wide(row, header)
            if fault := _fault_of_cells(header, cells, delimiter):
                yield f"{path}, {place}{fault}"
                continue
            given, output, *others = (cells[column] for column in places)
            yield _Row(place, given, (output, *_alternatives(others)))
    except csv.Error as error:
        raise StudyError(
            f"{path}, line {blank + reader.line_num}: not CSV ({error}). Close and double the quotes in cells."
        ) from None


def _heading(text: str) -> tuple[int, str, str]:
    """The number of lines before the header, the separator that they name (Excel's `sep=;`), and the text from the
    header on."""
    lines, said, place = text.split("\n"), "", 0
    while place < len(lines) - 1 and (not lines[place].strip() or SEPARATOR.fullmatch(lines[place].strip())):
        if match := SEPARATOR.fullmatch(lines[place].strip()):
            said = match[1]
        place += 1
    return place, said, "\n".join(lines[place:])


def _as_wide(row: list[str], header: list[str]) -> list[str]:
    """A row as wide as the header where only empty cells are too many, or other answers are left out at the end."""
    while len(row) > len(header) and not row[-1].strip():
        row = row[:-1]
    return [*row, ""] if len(row) == len(header) - 1 and header[-1] == ALSO else row


def _fault_of_cells(header: list[str], row: list[str], delimiter: str) -> str:
    """What keeps the cells of a row from being a pair; empty if nothing does."""
    if len(row) > len(header):
        named = DELIMITERS.get(delimiter, delimiter)
        return f": {len(header)} cells expected, {len(row)} found. Quote cells that hold a {named}."
    if len(row) < len(header):
        return f": {len(header)} cells expected, {len(row)} found. Add what is missing."
    if unnamed := [cell for name, cell in zip(header, row, strict=True) if not name and cell.strip()]:
        return f": {unnamed[0]!r} is in a column without a name. Delete it."
    return ""


def _alternatives(cells: Iterable[str]) -> list[str]:
    """Other answers in cells; blanks beside the separators are none of theirs."""
    return [part.strip() if ALTERNATIVES in cell else part for cell in cells for part in cell.split(ALTERNATIVES)]


def _header(path: str | Path, line: str, said: str = "") -> tuple[list[str], str]:
    """Names of columns, and what separates them.

    Args:
        said: the separator that the table names itself, if it does.
    """
    for delimiter in [said] if said else DELIMITERS:
        header = list(map(_name, next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])))
        if {INPUT, OUTPUT} <= set(header):
            break
    else:
        header = list(map(_name, next(csv.reader([line]), [])))
        missing = [column for column in (INPUT, OUTPUT) if column not in header]
        raise StudyError(
            f"{path}, line 1: no column {', '.join(missing)} in {line!a}; the header must be {INPUT},{OUTPUT}, maybe with {ALSO}."
        )
    for column in TABLE_COLUMNS:
        if header.count(column) > 1:
            raise StudyError(
                f"{path}, line 1: the column {column} is there {header.count(column)} times. Delete the others."
            )
    if ALSO not in header and (near := difflib.get_close_matches(ALSO, header, n=1, cutoff=0.75)):
        raise StudyError(
            f"{path}, line 1: the column {near[0]!r} would be left out. Call it {ALSO}, or something else."
        )
    return header, delimiter


def _name(cell: str) -> str:
    """The name of a column, whichever case, blanks or hyphens it has."""
    return re.sub(r"[\s-]+", "_", cell.strip().lower())


# --- JSON


class _Object(list[tuple[str, Any]]):
    """The keys and values of a JSON object, in order; a key may be repeated."""


def _json_rows(path: str | Path, text: str) -> Iterator[_Row | str]:
    """Every entry, or what keeps it from being one."""
    try:
        content = json.loads(text, object_pairs_hook=_Object)
    except RecursionError:
        raise StudyError(f"{path}: not JSON that a table may be (too deep).") from None
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        reason = getattr(error, "msg", error)
        raise StudyError(f"{path}, line {line}: not JSON ({reason}). Correct it.") from None
    if not isinstance(content, list):
        raise StudyError(f"{path}: neither a list of {{{INPUT}, {OUTPUT}}} nor an object of inputs and outputs.")
    is_mapping = isinstance(content, _Object)
    if is_mapping and {INPUT, OUTPUT} <= {key for key, _ in content} <= set(TABLE_COLUMNS):
        raise StudyError(
            f"{path}: one entry, or whole columns. Write a list of entries, each with {INPUT} and {OUTPUT}."
        )
    for number, entry in enumerate(content, start=1):
        where = f"{path}, entry {number}"
        values = {INPUT: entry[0], OUTPUT: entry[1]} if is_mapping else _values(entry)
        if not {INPUT, OUTPUT} <= set(values):
            yield f"{where}: an entry is an object with {INPUT} and {OUTPUT}, each once, and maybe {ALSO}. Correct it."
            continue
        others = [] if values.get(ALSO) is None else _listed(values[ALSO], ALTERNATIVES)
        texts = [values[INPUT], *_listed(values[OUTPUT]), *others]
        if len(texts) < 2 or not all(isinstance(text, str) or type(text) is int for text in texts):
            yield f"{where}: inputs and outputs are strings, several right outputs a list of strings. Correct it."
            continue
        given, *answers = map(str, texts)
        yield _Row(f"entry {number}", given, tuple(answers))


def _values(entry: Any) -> dict[str, Any]:
    """The values of an entry of a list; none if it is no object, or repeats a key."""
    values = dict(entry) if isinstance(entry, _Object) else {}
    return values if len(values) == len(entry if isinstance(entry, _Object) else ()) else {}


def _listed(value: Any, separator: str = "") -> list[Any]:
    """Answers: a list itself, else a list of one, or of the parts between separators."""
    if isinstance(value, list) and not isinstance(value, _Object):
        return value
    return _alternatives([value]) if separator and isinstance(value, str) else [value]
