"""What a task is: pairs of input and output strings, and how episodes use them.

A mapping task is a table `input,output,also_accepted` (CSV; alternatives are separated by `|`). A generated task
is computed: letters and lists of letters (paper, section 3.1 and appendix A.1). Other tasks are made of these: the inverse
of one, the union of one and its inverse, the copy of its inputs; or tasks whose rule is drawn anew in every episode.
"""

import csv
import functools
import io
import itertools
import random
import string
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taskvectors.data.text import normal_form, read_user_text, unseen
from taskvectors.errors import StudyError
from taskvectors.names import MAIN

TABLE_COLUMNS = ("input", "output", "also_accepted")
ALTERNATIVES = "|"
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
LETTERS = string.ascii_lowercase
LISTS_PER_LENGTH = {2: 400, 3: 400, 4: 400}
EXACT, PREFIX = "exact", "prefix"
# How episodes use the pairs of a task (see `taskvectors.data.sampling`):
FUNCTION = "function"  # as they are
BIJECTION = "bijection"  # each in one of its two directions: the union of a function and its inverse
LOOKUP = "lookup"  # outputs dealt anew to the inputs in every episode; the query is among the demonstrations
LABELS = "labels"  # outputs are classes, and every class gets a new label in every episode


@dataclass(frozen=True, slots=True)
class Pair:
    """An input and its answers; `answers[0]` is the reference, the rest are accepted too.

    `backward`, of a bijection, is what is accepted for `answers[0]` on the way back, the input first.
    """

    input: str
    answers: tuple[str, ...]
    backward: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """A named set of pairs, in a fixed order, and how episodes use them.

    Attributes:
        family: a label.
        labels: that classes can get.
        role: `main`, or `limit` of a task that one vector may not hold.
        scoring: `exact`, or `prefix` if an answer counts that begins another, or is begun by it (the paper's rule for knowledge).
        demonstrations: in an episode, if the task wants another number than the study.
    """

    name: str
    family: str
    pairs: tuple[Pair, ...]
    kind: str = FUNCTION
    labels: tuple[str, ...] = ()
    role: str = MAIN
    scoring: str = EXACT
    demonstrations: int | None = None

    @property
    def by_prefix(self) -> bool:
        return self.scoring == PREFIX

    @functools.cached_property
    def by_answer(self) -> dict[str, list[Pair]]:
        """The pairs of every reference answer."""
        groups: dict[str, list[Pair]] = {}
        for pair in self.pairs:
            groups.setdefault(pair.answers[0], []).append(pair)
        return groups


def read_table(path: str | Path) -> tuple[Pair, ...]:
    """Read and check a task table; its text comes in normal form (`taskvectors.data.text`).

    Cells are separated by commas, or, as some spreadsheets write them, by semicolons or tabs throughout. Rows of empty cells are
    passed over.

    Raises:
        StudyError: naming file and line, if the table is missing, not UTF-8, lacks a column, has no row, an empty or
            untidy cell, an unseen character, or the same input twice.
    """
    pairs: list[Pair] = []
    seen: dict[str, int] = {}
    for line, cells in _rows(path):
        given, output, others = (
            _checked_cell(f"{path}, line {line}", *both) for both in zip(TABLE_COLUMNS, cells, strict=True)
        )
        if given in seen:
            raise StudyError(
                f"{path}, line {line}: input {given!r} stands already in line {seen[given]}. Delete one of the two."
            )
        seen[given] = line
        if ALTERNATIVES in output and output != ALTERNATIVES:
            raise StudyError(
                f"{path}, line {line}, column output: {output!r} holds {ALTERNATIVES}, which separates other answers. "
                "Move them to the column also_accepted."
            )
        also = (other.strip() for other in others.split(ALTERNATIVES))
        pairs.append(Pair(given, tuple(dict.fromkeys((output, *filter(None, also))))))
    if not pairs:
        raise StudyError(f"{path}: the table has no rows. Add at least one pair.")
    return tuple(pairs)


def line_of(path: str | Path, given: str) -> int:
    """The line of a table on which an input stands."""
    return next(line for line, cells in _rows(path) if cells[0] == given)


def _rows(path: str | Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Line number and cells, in normal form, of every row of a table that is not empty."""
    text = read_user_text(path, "Add the table, or correct `table` in config/tasks.yaml.")
    header, delimiter = _header(path, text.split("\n", 1)[0])
    places = [header.index(column) for column in TABLE_COLUMNS]
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter, strict=True)
    try:
        next(reader)
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(header):
                raise StudyError(
                    f"{path}, line {reader.line_num}: {len(header)} cells expected, {len(row)} found. Quote cells that hold a "
                    f"{DELIMITERS[delimiter]}."
                )
            if unnamed := [cell for name, cell in zip(header, row, strict=True) if not name and cell.strip()]:
                raise StudyError(
                    f"{path}, line {reader.line_num}: {unnamed[0]!r} stands in a column without a name. Delete it."
                )
            yield reader.line_num, tuple(normal_form(row[place]) for place in places)
    except csv.Error as error:
        raise StudyError(
            f"{path}, line {reader.line_num}: not CSV ({error}). Close and double the quotes in cells."
        ) from None


def _header(path: str | Path, line: str) -> tuple[list[str], str]:
    """Names of columns, and what separates them."""
    for delimiter in DELIMITERS:
        header = next(csv.reader([line], delimiter=delimiter), [])
        if set(TABLE_COLUMNS) <= set(header):
            break
    else:
        header = next(csv.reader([line]), [])
        missing = [column for column in TABLE_COLUMNS if column not in header]
        raise StudyError(
            f"{path}, line 1: no column {', '.join(missing)} in {line!a}; the header must be {','.join(TABLE_COLUMNS)}."
        )
    for column in TABLE_COLUMNS:
        if header.count(column) > 1:
            raise StudyError(
                f"{path}, line 1: the column {column} stands {header.count(column)} times. Delete the others."
            )
    return header, delimiter


def _checked_cell(where: str, column: str, cell: str) -> str:
    if cell != cell.strip():
        raise StudyError(f"{where}, column {column}: {cell!r} has a tab, line break or outer space. Remove it.")
    if bad := unseen(cell):
        raise StudyError(f"{where}, column {column}: {cell!a} holds {bad}, which cannot be seen. Remove it.")
    if column != "also_accepted" and not cell:
        raise StudyError(f"{where}, column {column}: empty cell. Fill it or delete the line.")
    return cell


def _letters(rule: Callable[[str], str], inputs: str = LETTERS) -> tuple[Pair, ...]:
    return tuple(Pair(letter, (rule(letter),)) for letter in inputs)


def _lists(position: int) -> tuple[Pair, ...]:
    """Lists of two to four different letters. One fixed draw, so that list tasks share their inputs."""
    draw = random.Random("lists of letters")
    lists = []
    for length, count in LISTS_PER_LENGTH.items():
        lists += draw.sample(list(itertools.permutations(LETTERS, length)), count)
    return tuple(Pair(",".join(letters), (letters[position],)) for letters in lists)


GENERATORS: dict[str, Callable[[], tuple[Pair, ...]]] = {
    "next_letter": lambda: _letters(lambda letter: chr(ord(letter) + 1), LETTERS[:-1]),
    "prev_letter": lambda: _letters(lambda letter: chr(ord(letter) - 1), LETTERS[1:]),
    "to_upper": lambda: _letters(str.upper),
    "to_lower": lambda: _letters(str.lower, LETTERS.upper()),
    "list_first": lambda: _lists(0),
    "list_last": lambda: _lists(-1),
}


def load_task(name: str, entry: Mapping[str, Any]) -> Task:
    """Make a task from its entry in `config/tasks.yaml`.

    Besides `family`, and maybe `role`, `scoring` and `demonstrations`, an entry has one of: `table` (a path); `generate` (a
    name); `inverse_of`, `copy_of`, `bijection_of` (the entry of another task); `lookup` (a table whose outputs are dealt
    anew); `classes` (a table of words and their classes) with `labels`.

    Raises:
        StudyError: if a table is bad (see `read_table`) or the generator is not known.
    """
    kind = FUNCTION
    labels: tuple[str, ...] = ()
    if "lookup" in entry:
        kind, pairs = LOOKUP, read_table(entry["lookup"])
    elif "classes" in entry:
        kind, pairs, labels = LABELS, read_table(entry["classes"]), tuple(map(normal_form, entry["labels"]))
    elif "bijection_of" in entry:
        kind, pairs = BIJECTION, one_to_one(base_pairs(entry["bijection_of"]), _ambiguous(name, entry))
    elif "inverse_of" in entry:
        pairs = inverse(base_pairs(entry["inverse_of"]))
    elif "copy_of" in entry:
        pairs = tuple(Pair(pair.input, (pair.input,)) for pair in base_pairs(entry["copy_of"]))
    else:
        pairs = base_pairs(entry)
    said = {key: entry[key] for key in ("role", "scoring", "demonstrations") if key in entry}
    return Task(name, entry["family"], pairs, kind, labels, **said)


def base_pairs(entry: Mapping[str, Any]) -> tuple[Pair, ...]:
    """Pairs of an entry with a table or a generator."""
    if "table" in entry:
        return read_table(entry["table"])
    if entry["generate"] not in GENERATORS:
        known = ", ".join(GENERATORS)
        raise StudyError(f"config/tasks.yaml: generate: {entry['generate']} is not one of {known}.")
    return GENERATORS[entry["generate"]]()


def _ambiguous(name: str, entry: Mapping[str, Any]) -> Collection[str]:
    """The words that a bijection leaves out, checked for words that leave out nothing."""
    words = entry.get("ambiguous", ())
    pairs = base_pairs(entry["bijection_of"])
    sides = {text for pair in pairs for text in (pair.input, *pair.answers)}
    if strange := [word for word in words if word not in sides]:
        raise StudyError(
            f"config/tasks.yaml, tasks: {name}: ambiguous: {strange[0]} is in no pair. Correct or delete it."
        )
    return words


def inverse(pairs: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """From reference answers back to inputs: every input that leads there is accepted, the first is the reference.

    Inputs that have the answer as their reference come before those that merely accept it.
    """
    inputs: dict[str, list[str]] = {}
    for pair in pairs:
        inputs.setdefault(pair.answers[0], []).append(pair.input)
    for pair in pairs:
        for answer in pair.answers[1:]:
            if answer in inputs:
                inputs[answer].append(pair.input)
    return tuple(Pair(output, tuple(back)) for output, back in inputs.items())


def one_to_one(pairs: tuple[Pair, ...], ambiguous: Collection[str] = ()) -> tuple[Pair, ...]:
    """The pairs whose two directions cannot be confused, with what is accepted on the way back.

    Left out are pairs whose output another pair has too, whose input or output stands on the other side of any pair, or is
    one of the `ambiguous` words: `pain` is an English input and, as bread, a French one.
    """
    outputs = Counter(pair.answers[0] for pair in pairs)
    inputs, accepted = {pair.input for pair in pairs}, {answer for pair in pairs for answer in pair.answers}
    back = {pair.input: pair.answers for pair in inverse(pairs)}
    return tuple(
        Pair(pair.input, pair.answers, back[pair.answers[0]])
        for pair in pairs
        if outputs[pair.answers[0]] == 1
        and not {pair.input, pair.answers[0]} & set(ambiguous)
        and pair.input not in accepted
        and pair.answers[0] not in inputs
    )
