"""What a computed file was computed with, carried inside the file, so that files of different origin cannot be
mixed."""

import functools
import json
import os
import subprocess
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from taskvectors.errors import StudyError
from taskvectors.store.files import sha256, sha256_of
from taskvectors.store.software import imported
from taskvectors.surroundings import COMMAND, without_git

Stamp = Mapping[str, Any]
ROOT = Path(__file__).parents[4]  # where the workflow lies
# What results follow from, below it; studies, their settings and environments may lie beside.
CODE = (
    "Snakefile",
    "workflow",
    "envs",
    "data/tasks",
    "data/paper",
    "config/config.yaml",
    "config/models.yaml",
    "config/tasks.yaml",
    "config/instructions.yaml",
)
METADATA = "made_by"  # of the metadata of a file
SOFTWARE = ("torch", "transformers", "tokenizers")  # what decides on the numbers of a model


def stamp(
    rule: str, manifest: str | Path, dtype: str, device: str, kernels: str, code: Iterable[str]
) -> dict[str, Any]:
    """What a job that loads a model computes with.

    Args:
        rule: its name.
        manifest: of the weights: their names, sizes and checksums.
        dtype, device: of the model.
        kernels: whose multiply its matrices.
        code: fingerprints of the files that the job uses.
    """
    return {
        "weights": sha256(manifest),
        "dtype": dtype,
        "device": device,
        "kernels": kernels,
        "software": {name: version for name, version in imported().items() if name in SOFTWARE},
        **stamp_of_code(rule, code),
        **code_version(),
        "command": os.environ.get(COMMAND, ""),
    }


def stamp_of_code(rule: str, code: Iterable[str]) -> dict[str, Any]:
    """What a job that loads no model computes with: its rule and the code that it uses."""
    return {"rule": rule, "code": sha256_of("\n".join(sorted(code)).encode())}


def packed(made_by: Stamp) -> dict[str, str]:
    """A stamp as the metadata of a file."""
    return {METADATA: json.dumps(made_by, sort_keys=True)}


def unpacked(metadata: Mapping[Any, Any] | None) -> Stamp | None:
    """The stamp in the metadata of a file, if it has one; keys may be bytes."""
    decoded = {key.decode() if isinstance(key, bytes) else key: value for key, value in (metadata or {}).items()}
    return json.loads(decoded[METADATA]) if METADATA in decoded else None


def check_one_source(stamps: Mapping[str, Stamp | None]) -> None:
    """Refuse files of one model that were computed with other weights, dtype or software, or by other code of the same
    rule.

    Raises:
        StudyError: that names two files and says what differs.
    """
    first: dict[tuple[str, str], tuple[str, Any]] = {}
    for name, made_by in stamps.items():
        if made_by is None:
            continue
        shared = {("", what): made_by[what] for what in ("weights", "dtype", "software") if what in made_by}
        for key, value in (shared | {(made_by["rule"], "code"): made_by["code"]}).items():
            other, known = first.setdefault(key, (name, value))
            if value != known:
                raise StudyError(
                    f"{name} and {other} were computed with different {key[1]} and cannot be merged. Run both again: "
                    f"delete them, or add --forcerun {made_by['rule']}."
                )


@functools.cache
def code_version(root: Path = ROOT) -> dict[str, Any]:
    """What the workflow's code is: its version; its git commit and whether files differ from it, if it is a repository
    of its own.

    A workflow that was copied into another repository has no commit: that repository's says nothing of it. Files of
    studies beside the code are no change of it.
    """
    version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    place = _git(root, "rev-parse", "--show-toplevel", "HEAD")
    changes = _git(root, "status", "--porcelain", "--untracked-files=normal", "--", *CODE)
    top, _, head = (place or "").rpartition("\n")
    if top and changes is not None and Path(top).samefile(root):
        return {"version": version, "commit": head, "modified": bool(changes)}
    unread = {"commit": "unknown, as git cannot read the repository"} if (root / ".git").exists() else {}
    return {"version": version, **unread}


def _git(root: Path, *command: str) -> str | None:
    """Output of git in a folder, independent of the user's settings of git; None if it fails.

    The folder may belong to another user, as in a container, and be reached by links.
    """
    whole = ["git", "-c", "safe.directory=*", "-C", str(root), *command]
    ours = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_OPTIONAL_LOCKS": "0"}
    environment = without_git(os.environ) | ours
    try:
        answer = subprocess.run(whole, capture_output=True, text=True, check=True, env=environment)
    except (OSError, subprocess.CalledProcessError, UnicodeDecodeError):
        return None
    return answer.stdout.removesuffix("\n")
