"""Writing and reading extracted θ: NumPy only, no model library."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from taskvectors.errors import StudyError
from taskvectors.files import atomic
from taskvectors.stamps import Stamp, packed, unpacked

CHECKSUM = "sha256"


def write_thetas(path: str | Path, thetas: Mapping[str, np.ndarray], made_by: Stamp) -> None:
    """Write arrays by name, atomically, with their checksum and what they were computed with."""
    with atomic(path) as temporary:
        save_file(dict(thetas), temporary, metadata={CHECKSUM: _checksum(thetas), **packed(made_by)})


def read_theta_file(path: str | Path) -> tuple[dict[str, np.ndarray], Stamp | None]:
    """The arrays of one file by name, and what they were computed with.

    Raises:
        StudyError: if the file is damaged.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            thetas = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise StudyError(f"{path}: cannot be read ({error}). Delete it and run again.") from None
    if metadata.get(CHECKSUM) != _checksum(thetas):
        raise StudyError(f"{path}: its content is not what was written: the file is damaged. Delete it and run again.")
    return thetas, unpacked(metadata)


def _checksum(thetas: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(thetas):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(thetas[name]).data)
    return digest.hexdigest()


def read_thetas(
    paths: Iterable[str | Path], tasks: Iterable[str], split: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """θ of one split, tasks one after the other, sorted by name: the order in a configuration decides on no picture.

    Returns:
        theta `[row, layer, hidden]` float32, task of each row `[row]`, episode number of each row `[row]`.

    Raises:
        StudyError: if a file is damaged.
    """
    found: dict[str, np.ndarray] = {}
    for path in paths:
        found |= read_theta_file(path)[0]
    tasks = sorted(tasks)
    arrays = [found[f"{task}/{split}"] for task in tasks]
    labels = np.repeat(tasks, [len(array) for array in arrays])
    return np.concatenate(arrays), labels, np.concatenate([np.arange(len(array)) for array in arrays])
