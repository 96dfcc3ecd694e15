"""What the numbers of a study follow from: digests of code, settings and data, blind to what decides on no number."""

import json
from collections.abc import Iterable
from pathlib import Path

import yaml

from taskvectors.store.code import LENGTH, digest
from taskvectors.store.files import sha256_of


def digests(files: Iterable[str], root: str | Path = ".") -> dict[str, str]:
    """A digest of every file, by its path below `root`: of Python without comments and docstrings, of the content of
    YAML, else of the bytes."""
    return {file: _digest(Path(root, file)) for file in sorted(files)}


def _digest(file: Path) -> str:
    if file.suffix in (".yaml", ".yml"):
        content = yaml.safe_load(file.read_bytes())
        return sha256_of(json.dumps(content, sort_keys=True, default=str).encode())[:LENGTH]
    return digest(file)
