"""What a task is: pairs of input and output strings, and how episodes use them.

A mapping task is a table `input,output,also_accepted` (UTF-8 CSV; alternatives are separated by `|`). A generated task
is computed: letters and lists of letters (paper, section 3.1 and appendix A.1). Other tasks are made of these: the inverse
of one, the union of one and its inverse, the copy of its inputs; or tasks whose rule is drawn anew in every episode.
"""

import csv
import itertools
import random
import string
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taskvectors.errors import StudyError

COLUMNS = ("input", "output", "also_accepted")
ALTERNATIVES = "|"
LETTERS = string.ascii_lowercase
LISTS_PER_LENGTH = {2: 400, 3: 400, 4: 400}


# How episodes use the pairs of a task (see `taskvectors.episodes`):
FUNCTION = "function"  # as they are
BIJECTION = "bijection"  # each in one of its two directions: the union of a function and its inverse
LOOKUP = "lookup"  # outputs dealt anew to the inputs in every episode; the query is among the demonstrations
LABELS = "labels"  # outputs are classes, and every class gets a new label in every episode


@dataclass(frozen=True, slots=True)
class Pair:
    """An input and its answers; `answers[0]` is the reference, the rest are accepted too."""

    input: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """A named set of pairs, in a fixed order, and how episodes use them; `labels` are those that classes can get."""

    name: str
    family: str
    pairs: tuple[Pair, ...]
    kind: str = FUNCTION
    labels: tuple[str, ...] = ()


def read_table(path: str | Path) -> tuple[Pair, ...]:
    """Read and check a task table.

    Raises:
        StudyError: naming file and line, if the table is missing, not UTF-8, lacks a column, has no row, an empty or
            untidy cell, or the same input twice.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise StudyError(
                    f"{path}, line 1: no column {', '.join(missing)}; the header must be {','.join(COLUMNS)}."
                )
            pairs = _checked_pairs(path, reader)
    except FileNotFoundError:
        raise StudyError(f"{path}: no such task table. Add it, or correct `table` in config/tasks.yaml.") from None
    except UnicodeDecodeError as error:
        raise StudyError(f"{path}: not UTF-8 at byte {error.start}. Save the table as UTF-8.") from None
    if not pairs:
        raise StudyError(f"{path}: the table has no rows. Add at least one pair.")
    return tuple(pairs)


def _checked_pairs(path: Path, reader: csv.DictReader) -> list[Pair]:
    pairs: list[Pair] = []
    seen: dict[str, int] = {}
    for row in reader:
        where = f"{path}, line {reader.line_num}"
        if None in row or None in row.values():
            raise StudyError(f"{where}: {len(COLUMNS)} cells expected. Quote cells that hold a comma.")
        cells = {column: row[column] for column in COLUMNS}
        for column, cell in cells.items():
            if cell != cell.strip() or any(character in cell for character in "\t\n\r"):
                raise StudyError(f"{where}, column {column}: {cell!r} has a tab, line break or outer space. Remove it.")
            if column != "also_accepted" and not cell:
                raise StudyError(f"{where}, column {column}: empty cell. Fill it or delete the line.")
        if cells["input"] in seen:
            first = seen[cells["input"]]
            raise StudyError(
                f"{where}: input {cells['input']!r} stands already in line {first}. Delete one of the two."
            )
        seen[cells["input"]] = reader.line_num
        others = [other for other in cells["also_accepted"].split(ALTERNATIVES) if other]
        pairs.append(Pair(cells["input"], (cells["output"], *others)))
    return pairs


def line_of(path: str | Path, given: str) -> int:
    """The line of a table on which an input stands."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        return next(reader.line_num for row in reader if row["input"] == given)


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

    Besides `family`, an entry has one of: `table` (a path); `generate` (a name); `inverse_of`, `copy_of`, `bijection_of`
    (the entry of another task); `lookup` (a table whose outputs are dealt anew); `classes` (a table of words and their
    classes) with `labels`.

    Raises:
        StudyError: if a table is bad (see `read_table`) or the generator is not known.
    """
    kind, labels = FUNCTION, ()
    if "lookup" in entry:
        kind, pairs = LOOKUP, read_table(entry["lookup"])
    elif "classes" in entry:
        kind, pairs, labels = LABELS, read_table(entry["classes"]), tuple(entry["labels"])
    elif "bijection_of" in entry:
        kind, pairs = BIJECTION, one_to_one(base_pairs(entry["bijection_of"]))
    elif "inverse_of" in entry:
        pairs = inverse(base_pairs(entry["inverse_of"]))
    elif "copy_of" in entry:
        pairs = tuple(Pair(pair.input, (pair.input,)) for pair in base_pairs(entry["copy_of"]))
    else:
        pairs = base_pairs(entry)
    return Task(name, entry["family"], pairs, kind, labels)


def base_pairs(entry: Mapping[str, Any]) -> tuple[Pair, ...]:
    """Pairs of an entry with a table or a generator."""
    if "table" in entry:
        return read_table(entry["table"])
    if entry["generate"] not in GENERATORS:
        known = ", ".join(GENERATORS)
        raise StudyError(f"config/tasks.yaml: generate: {entry['generate']} is not one of {known}.")
    return GENERATORS[entry["generate"]]()


def inverse(pairs: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """From reference answers back to inputs; where several inputs share one, the first is the reference."""
    inputs: dict[str, list[str]] = {}
    for pair in pairs:
        inputs.setdefault(pair.answers[0], []).append(pair.input)
    return tuple(Pair(output, tuple(back)) for output, back in inputs.items())


def one_to_one(pairs: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """The pairs whose two directions cannot be confused.

    Left out are pairs whose output another pair has too, or whose input or output stands on the other side of any pair:
    `pain` is an English input and, as bread, a French one.
    """
    outputs = Counter(pair.answers[0] for pair in pairs)
    inputs, accepted = {pair.input for pair in pairs}, {answer for pair in pairs for answer in pair.answers}
    return tuple(
        pair
        for pair in pairs
        if outputs[pair.answers[0]] == 1 and pair.input not in accepted and pair.answers[0] not in inputs
    )
