"""What the numbers of a study follow from: digests of code, settings and data, blind to what decides on no number."""

import ast
import io
import json
import tokenize
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
        return _without_docstrings(data.decode()).encode()
    if file.suffix in (".yaml", ".yml"):
        return json.dumps(yaml.safe_load(data), sort_keys=True, default=str).encode()
    return data


def _without_docstrings(text: str) -> str:
    """The lines of a Python file, less comments, docstrings and what is empty; the same under every version of Python."""
    lines = text.split("\n")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                lines[first.lineno - 1 : first.end_lineno] = [""] * (first.end_lineno - first.lineno + 1)
    return "\n".join(line.rstrip() for line in lines if line.strip())
