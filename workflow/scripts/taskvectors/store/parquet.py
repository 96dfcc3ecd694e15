"""Predictions as Parquet: typed, compressed, with checksums and what they were computed with."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import safe_open

from taskvectors.errors import StudyError
from taskvectors.store.files import atomic
from taskvectors.store.stamps import Stamp, check_one_source, packed, unpacked


def write_parquet(path: str | Path, table: pd.DataFrame, made_by: Stamp | None = None) -> None:
    """Parquet (zstd, with checksums), atomically; with what it was computed with, if that is a model."""
    content = pa.Table.from_pandas(table, preserve_index=False)
    if made_by:
        content = content.replace_schema_metadata({**content.schema.metadata, **packed(made_by)})
    with atomic(path) as temporary:
        pq.write_table(content, temporary, compression="zstd", write_page_checksum=True)


def read_parquets(paths: Iterable[str | Path], made_by: Stamp | None = None) -> pd.DataFrame:
    """Concatenate Parquet files in the given order.

    Args:
        made_by: of the job that reads them, if it loads the model.

    Raises:
        StudyError: if a file is damaged, or files of different weights, software or code would be mixed, or others
            than the job's own.
    """
    tables = {str(path): _read_parquet(path) for path in paths}
    stamps = {path: unpacked(table.schema.metadata) for path, table in tables.items()}
    check_one_source(stamps if made_by is None else stamps | {f"this job of rule {made_by['rule']}": made_by})
    # One without rows has no say in the types of columns.
    filled = [table for table in tables.values() if table.num_rows] or list(tables.values())
    return pd.concat([table.to_pandas() for table in filled], ignore_index=True)


def read_stamp(path: str | Path) -> Stamp | None:
    """What a Parquet or safetensors file was computed with, if it has a stamp."""
    if Path(path).suffix == ".safetensors":
        with safe_open(path, framework="numpy") as file:
            return unpacked(file.metadata())
    return unpacked(pq.read_schema(path).metadata)


def _read_parquet(path: str | Path) -> pa.Table:
    try:
        return pq.read_table(path, page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise StudyError(f"{path}: the file is damaged ({reason}). Delete it and run again.") from None
