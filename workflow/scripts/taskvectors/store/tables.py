"""The study's tables as CSV, atomically and with the same bytes for the same content."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import pandas as pd

from taskvectors.errors import StudyError
from taskvectors.store.files import atomic

DIGITS = "%.6g"
# Columns of names and words: a task may be called 007, a token be 1.
STRINGS = [
    "model",
    "family",
    "role",
    "task",
    "task_a",
    "task_b",
    "theta_task",
    "query_task",
    "source",
    "control",
    "reference",
]
STRINGS += ["method", "outcome", "kind", "states", "view", "split", "token", "name_word", "predicted", "answer"]
STRINGS += ["representation", "ablated", "left_out", "subject", "question"]
STRINGS += ["constant", "constant_prefix", "claim", "statement", "measure", "table", "verdict", "rule", "label"]


def write_csv(path: str | Path, table: pd.DataFrame) -> None:
    """CSV in UTF-8, one header line, LF, six significant digits."""
    # Python before 3.11.9 and 3.12.3 writes a lone CR without quotes, as which it would end the row; then all is
    # quoted.
    words = table.select_dtypes(["object", "str"])
    returns = any(words[column].map(lambda cell: isinstance(cell, str) and "\r" in cell).any() for column in words)
    quoting = csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL
    with atomic(path) as temporary:
        table.to_csv(
            temporary, index=False, float_format=DIGITS, lineterminator="\n", encoding="utf-8", quoting=quoting
        )


def read_csv(path: str | Path) -> pd.DataFrame:
    """Read a table; names and words are strings, whatever they look like: `nan`, `007`, `true`."""
    return parse_csv(path, path)


def parse_csv(source: str | Path | IO[bytes], name: str | Path) -> pd.DataFrame:
    """Read a table from a file or from bytes; errors call it `name`."""
    try:
        return pd.read_csv(source, keep_default_na=False, na_values=[""], dtype=dict.fromkeys(STRINGS, str))
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise StudyError(f"{name}: cannot be read as CSV ({error}). Delete it and run again.") from None


def read_csvs(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Concatenate tables in the given order; one without rows has no say in the types of columns."""
    tables = list(map(read_csv, paths))
    return pd.concat([table for table in tables if len(table)] or tables, ignore_index=True)


def read_tables(inputs: Any) -> dict[str, pd.DataFrame]:
    """The tables among the named inputs of a rule, of all models together, by name."""
    return {
        name: read_csvs([files] if isinstance(files, str) else files)
        for name, files in inputs.items()
        if name != "library"
    }
