"""What a computed file was computed with, carried inside the file, so that files of different origin cannot be mixed."""

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from taskvectors.errors import StudyError
from taskvectors.store.files import sha256, sha256_of
from taskvectors.store.software import imported

Stamp = Mapping[str, Any]
METADATA = "made_by"  # of the metadata of a file
COMMAND = "STUDY_COMMAND"  # environment variable with the command that started the study
SOFTWARE = ("torch", "transformers", "tokenizers")  # what decides on the numbers of a model


def stamp(rule: str, manifest: str | Path, dtype: str, device: str, code: Iterable[str]) -> dict[str, Any]:
    """What a job computes with.

    Args:
        rule: its name.
        manifest: of the weights: their names, sizes and checksums.
        dtype, device: of the model.
        code: fingerprints of the files that the job uses.
    """
    return {
        "rule": rule,
        "weights": sha256(manifest),
        "dtype": dtype,
        "device": device,
        "software": {name: version for name, version in imported().items() if name in SOFTWARE},
        "code": sha256_of("\n".join(sorted(code)).encode()),
        **commit(),
        "command": os.environ.get(COMMAND, ""),
    }


def packed(made_by: Stamp) -> dict[str, str]:
    """A stamp as the metadata of a file."""
    return {METADATA: json.dumps(made_by, sort_keys=True)}


def unpacked(metadata: Mapping[Any, Any] | None) -> Stamp | None:
    """The stamp in the metadata of a file, if it has one; keys may be bytes."""
    decoded = {key.decode() if isinstance(key, bytes) else key: value for key, value in (metadata or {}).items()}
    return json.loads(decoded[METADATA]) if METADATA in decoded else None


def check_one_source(stamps: Mapping[str, Stamp | None]) -> None:
    """Refuse files of one model that were computed with other weights, dtype or software, or by other code of the same rule.

    Raises:
        StudyError: that names two files and says what differs.
    """
    first: dict[tuple[str, str], tuple[str, Any]] = {}
    for name, made_by in stamps.items():
        if made_by is None:
            continue
        shared = {("", what): made_by[what] for what in ("weights", "dtype", "software")}
        for key, value in (shared | {(made_by["rule"], "code"): made_by["code"]}).items():
            other, known = first.setdefault(key, (name, value))
            if value != known:
                raise StudyError(
                    f"{name} and {other} were computed with different {key[1]} and cannot be merged. Run both again: "
                    f"delete them, or add --forcerun {made_by['rule']}."
                )


def commit() -> dict[str, Any]:
    """The git commit of the working folder and whether files differ from it; empty outside a repository."""
    try:
        head, changes = (
            subprocess.run(["git", *command], capture_output=True, text=True, check=True).stdout.strip()
            for command in (["rev-parse", "HEAD"], ["status", "--porcelain"])
        )
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"commit": head, "modified": bool(changes)}
