"""Reading and writing the study's tables, atomically and with the same bytes for the same content."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from taskvectors.errors import StudyError
from taskvectors.files import atomic
from taskvectors.stamps import Stamp, check_one_source, packed, unpacked

DIGITS = "%.6g"
ALL = "all"  # task and family of rows over all tasks
# Columns of names and words: a task may be called 007, a token be 1.
STRINGS = ("model", "family", "task", "task_a", "task_b", "theta_task", "query_task", "source", "control", "reference")
STRINGS += ("method", "outcome", "kind", "states", "view", "split", "token", "name_word", "predicted", "answer")
STRINGS += ("constant", "constant_prefix", "claim", "statement", "measure", "table", "verdict", "rule", "label")
RAW, CENTRED = "raw", "centred"  # θ as it is, and less the mean over tasks
LIMITS = "limits"  # the family of tasks that one vector may not hold: never part of a mean over tasks


def main_tasks(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of a table with a column family that are not of limits; all rows if there are no others."""
    main = table[table["family"] != LIMITS]
    return main if len(main) else table


def in_order(table: pd.DataFrame, tasks: Iterable[str]) -> pd.DataFrame:
    """The rows in the order of their tasks, other tasks last, else as they are."""
    place = {task: number for number, task in enumerate(tasks)}
    return table.sort_values("task", key=lambda names: names.map(place).fillna(len(place)), kind="stable")


def at_chosen_layer(table: pd.DataFrame, choice: pd.DataFrame, of: str = "task", layer: str = "layer") -> pd.DataFrame:
    """The rows at the layer that `layer_choice.csv` has, in column `layer`, for the task in column `of` of the same model."""
    layers = choice.set_index(["model", "task"])[layer]
    wanted = layers.reindex(pd.MultiIndex.from_frame(table[["model", of]])).to_numpy(dtype=float)
    return table[table["layer"].astype("Float64").to_numpy(dtype=float, na_value=np.nan) == wanted]


def write_csv(path: str | Path, table: pd.DataFrame) -> None:
    """CSV in UTF-8, one header line, LF, six significant digits."""
    # Python before 3.11.9 and 3.12.3 writes a lone CR without quotes, as which it would end the row; then all is quoted.
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


def write_parquet(path: str | Path, table: pd.DataFrame, made_by: Stamp | None = None) -> None:
    """Parquet (zstd, with checksums), atomically; with what it was computed with, if that is a model."""
    content = pa.Table.from_pandas(table, preserve_index=False)
    if made_by:
        content = content.replace_schema_metadata({**content.schema.metadata, **packed(made_by)})
    with atomic(path) as temporary:
        pq.write_table(content, temporary, compression="zstd", write_page_checksum=True)


def read_parquets(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Concatenate Parquet files in the given order.

    Raises:
        StudyError: if a file is damaged, or files of different weights, software or code would be mixed.
    """
    tables = {str(path): _read_parquet(path) for path in paths}
    check_one_source({path: unpacked(table.schema.metadata) for path, table in tables.items()})
    return pd.concat([table.to_pandas() for table in tables.values()], ignore_index=True)


def read_stamp(path: str | Path) -> Stamp | None:
    """What a Parquet file was computed with."""
    return unpacked(pq.read_schema(path).metadata)


def _read_parquet(path: str | Path) -> pa.Table:
    try:
        return pq.read_table(path, page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise StudyError(f"{path}: the file is damaged ({reason}). Delete it and run again.") from None
