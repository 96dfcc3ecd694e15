"""What a task is: a finite function from input strings to output strings.

A mapping task is a table `input,output,also_accepted` (UTF-8 CSV; alternatives are separated by `|`). A generated task
is computed: letters and lists of letters (paper, section 3.1 and appendix A.1).
"""

import csv
import itertools
import random
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from taskvectors.errors import StudyError

COLUMNS = ("input", "output", "also_accepted")
ALTERNATIVES = "|"
LETTERS = string.ascii_lowercase
LISTS_PER_LENGTH = {2: 400, 3: 400, 4: 400}


@dataclass(frozen=True)
class Pair:
    """An input and its answers; `answers[0]` is the reference, the rest are accepted too."""

    input: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """A named function given by its pairs, in a fixed order."""

    name: str
    family: str
    pairs: tuple[Pair, ...]


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


def load_task(name: str, entry: Mapping[str, str]) -> Task:
    """Make a task from its entry in `config/tasks.yaml`: `family`, and `table` (a path) or `generate` (a name).

    Raises:
        StudyError: if the table is bad (see `read_table`) or the generator is not known.
    """
    if "table" in entry:
        return Task(name, entry["family"], read_table(entry["table"]))
    if entry["generate"] not in GENERATORS:
        known = ", ".join(GENERATORS)
        raise StudyError(f"config/tasks.yaml, task {name}: generate: {entry['generate']} is not one of {known}.")
    return Task(name, entry["family"], GENERATORS[entry["generate"]]())
