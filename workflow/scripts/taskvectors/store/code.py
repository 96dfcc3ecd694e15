"""The code that a result depends on: which files a script uses, and a fingerprint of each that is blind to comments
and docstrings."""

import ast
import atexit
import contextlib
import functools
import io
import json
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from taskvectors.store.files import sha256_of, write_text
from taskvectors.surroundings import SCRATCH

SCRIPTS = Path(__file__).parents[2]  # workflow/scripts
PACKAGE = Path(__file__).parents[1].name
LENGTH = 16  # of a fingerprint: enough to tell files apart, short enough to read
# Digests and imports of files, by the bytes of each file: every start of Snakemake asks for all of them.
KNOWN = SCRATCH / "code.json"


def used_by(script: str) -> list[str]:
    """A script and the modules of the library that it imports, directly or not.

    Args:
        script: relative to workflow/scripts, for instance `accuracy.py`; so are the results. A user's file begins with
            `.` or `/`.
    """
    queue, used = [script], {script}
    while queue:
        for file in _imported(queue.pop()):
            if file not in used:
                used.add(file)
                queue.append(file)
    return sorted(used)


def in_library(file: str) -> bool:
    """Whether a name is relative to workflow/scripts; a user's file begins with `.` or `/`."""
    return not file.startswith((".", "/"))


@functools.cache
def fingerprint(file: str) -> str:
    """A digest of a file (see `used_by`): of Python less comments and docstrings, else of the bytes."""
    return digest(_path(file))


def _path(file: str) -> Path:
    return SCRIPTS / file if in_library(file) else Path(file)


def digest(file: Path) -> str:
    """See `fingerprint`; of any file."""
    if file.suffix == ".py":
        return _found_out(file)["digest"]
    return sha256_of(file.read_bytes())[:LENGTH]


def _found_out(file: Path) -> dict[str, Any]:
    """The digest of a file of code, and the names that the file imports; kept from an earlier start if no byte has
    changed since."""
    known, key = _known(), sha256_of(file.read_bytes())
    if key not in known:
        text = file.read_text(encoding="utf-8")
        found = {"digest": sha256_of(_without_comments(text).encode())[:LENGTH], "imports": sorted(_names(text))}
        known[key] = found
    return known[key]


@functools.cache
def _known() -> dict[str, dict[str, Any]]:
    """Digests and imports that earlier starts in this folder kept, by this version of the module; new ones are written
    at the end."""
    own = sha256_of(Path(__file__).read_bytes())
    known: dict[str, dict[str, Any]] = {}
    with contextlib.suppress(OSError, ValueError, AttributeError):
        known = json.loads(KNOWN.read_text(encoding="utf-8")).get(own, {})
    before, path = len(known), KNOWN.absolute()

    def keep() -> None:
        if len(known) > before and path.parents[1].is_dir():  # Snakemake's own folder
            with contextlib.suppress(OSError):
                write_text(path, json.dumps({own: known}))

    atexit.register(keep)
    return known


def defines(file: Path, *names: str) -> bool:
    """Whether a Python file defines all of these names."""
    given: set[str] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            given.add(node.name)
        elif isinstance(node, ast.Assign):
            given |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return given >= set(names)


@functools.cache
def _imported(file: str) -> frozenset[str]:
    """Files of the library that a file imports, anywhere in it; a package's own `__init__.py` with every module in
    it."""
    if Path(file).suffix != ".py":
        return frozenset()
    inside = [Path(*name.split(".")) for name in _found_out(_path(file))["imports"]]
    files = {path.with_suffix(".py") for path in inside}
    files |= {parent / "__init__.py" for path in inside for parent in (path, *path.parents)}
    return frozenset(str(file) for file in files if (SCRIPTS / file).is_file())


def _names(text: str) -> set[str]:
    """Modules of the library that Python code imports, and what it imports from them."""
    names: set[str] = set()
    for node in _run(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name for name in names if name.split(".")[0] == PACKAGE}


def _run(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes of Python code but those that only type checkers look at."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"):
            yield node
            yield from _run(node)


def _without_comments(text: str) -> str:
    """The lines of Python code, less comments, docstrings and what is empty; the same under every version of
    Python."""
    lines = text.split("\n")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    nodes = list(ast.walk(ast.parse(text)))
    within = {line for node in nodes for line in _ends_in_string(node)}  # where blanks are part of a string
    spoken = {line for node in nodes for line in _docstring(node)}
    kept = [
        (line if number in within else line.rstrip(), number)
        for number, line in enumerate(lines, 1)
        if number not in spoken
    ]
    return "\n".join(line for line, number in kept if line or number in within)


def _ends_in_string(node: ast.AST) -> Iterable[int]:
    """Numbers of the lines whose end lies in a string."""
    if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)):
        yield from range(node.lineno, node.end_lineno or node.lineno)


def _docstring(node: ast.AST) -> Iterable[int]:
    """Numbers of the lines of the docstring of a module, class or function, if nothing else is on them."""
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or not node.body:
        return
    first, follows = node.body[0], node.body[1:2]
    said = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    last = first.end_lineno or first.lineno
    alone = getattr(node, "lineno", 0) < first.lineno and all(statement.lineno > last for statement in follows)
    if said and alone:
        yield from range(first.lineno, last + 1)
