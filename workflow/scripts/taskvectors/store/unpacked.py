"""Archives of finished studies unpacked as one: where figures and report look for tables."""

import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from taskvectors.errors import StudyError
from taskvectors.store.archived import PROVENANCE, member, read_archive
from taskvectors.store.files import write_bytes, write_json
from taskvectors.store.tables import parse_csv, write_csv


def unpack(
    origins: Mapping[str, tuple[str, str]], tables: Iterable[str | Path], provenance: str, resources: str
) -> None:
    """Write the tables of models, what the studies come from, and what they took, each file atomically.

    Args:
        origins: of every model, the archive and its name there.
        tables: files to write: `…/<model>/<table>.csv`.

    Raises:
        StudyError: see `read_archive`; also if a table is not in its archive.
    """
    contents = {path: read_archive(path) for path in dict(origins.values())}
    for file in map(Path, tables):
        path, model = origins[file.parent.name]
        content = member(path, contents[path], f"tables/{model}/{file.name}")
        if model == file.parent.name:
            write_bytes(file, content)
        else:
            write_csv(file, parse_csv(io.BytesIO(content), file).assign(model=file.parent.name))
    write_json(provenance, _provenance(origins, contents))
    parts = [
        parse_csv(io.BytesIO(member(path, content, "resources.csv")), path).replace(
            {"model": {model: name for name, (of, model) in origins.items() if of == path}}
        )
        for path, content in contents.items()
    ]
    write_csv(resources, pd.concat(parts, ignore_index=True))


def _provenance(origins: Mapping[str, tuple[str, str]], contents: Mapping[str, Mapping[str, bytes]]) -> dict[str, Any]:
    """That of the first archive, with the weights and runs of all models; of several, each under `joined`."""
    every = {path: json.loads(content[PROVENANCE]) for path, content in contents.items()}
    first = next(iter(every.values()))
    if len(every) == 1:
        return first

    def known(part: str, path: str, model: str) -> Any:
        try:
            return every[path][part][model]
        except (KeyError, TypeError):
            raise StudyError(
                f"{path}: provenance.json has no {part} of {model}. Make the archive anew with `make archive`."
            ) from None

    of_models = {
        part: {name: known(part, path, model) for name, (path, model) in origins.items()}
        for part in ("weights", "runs")
    }
    return {**first, **of_models, "joined": {Path(path).stem: content for path, content in every.items()}}
