"""What the numbers of a study follow from: digests of code, settings and data, blind to what decides on no number."""

import ast
import json
from collections.abc import Iterable
from pathlib import Path

import yaml

from taskvectors.files import sha256_of


def digests(files: Iterable[str | Path]) -> dict[str, str]:
    """A digest of every file, by its path: of Python without comments and docstrings, of YAML as it is read, else of the bytes."""
    return {str(file): sha256_of(_content(Path(file)))[:16] for file in sorted(map(str, files))}


def _content(file: Path) -> bytes:
    data = file.read_bytes()
    if file.suffix == ".py":
        return _without_docstrings(ast.parse(data)).encode()
    if file.suffix in (".yaml", ".yml"):
        return json.dumps(yaml.safe_load(data), sort_keys=True, default=str).encode()
    return data


def _without_docstrings(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body[0] = ast.Pass()
    return ast.dump(tree)
