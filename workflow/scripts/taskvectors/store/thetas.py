"""Writing and reading extracted θ: NumPy only, no model library."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from taskvectors.errors import StudyError
from taskvectors.store.files import atomic
from taskvectors.store.stamps import Stamp, check_one_source, packed, unpacked

CHECKSUM, ROWS = "sha256", "rows"  # of the metadata of a file
THETA, VARIANCE, REGULAR = ARRAYS = ("theta", "variance_over_dummies", "regular")  # its arrays
Key = tuple[str, str, int, int]  # task, split, study seed, number of an episode


@dataclass(frozen=True)
class Thetas:
    """θ of episodes, at every layer.

    Attributes:
        rows: the episode of every row.
        theta: `[row, layer, hidden]`, float32 at least.
        variance_over_dummies: `[row, layer]`, of the states that θ is the mean of, summed over hidden dimensions.
        regular: `[row, hidden]`, what the model unembeds behind the episode's regular prompt.
    """

    rows: Sequence[Key]
    theta: np.ndarray
    variance_over_dummies: np.ndarray
    regular: np.ndarray

    def of(self, task: str, split: str, seed: int) -> "Thetas":
        """Those of a task, split and study seed, in the order of the file."""
        return self._at([place for place, key in enumerate(self.rows) if key[:3] == (task, split, seed)])

    def of_episodes(self, keys: Iterable[Key]) -> np.ndarray:
        """θ `[episode, layer, hidden]` of these episodes, in this order."""
        place = {key: number for number, key in enumerate(self.rows)}
        return self.theta[[place[key] for key in keys]]

    def regular_of_episodes(self, keys: Iterable[Key]) -> np.ndarray:
        """What the model unembeds behind their regular prompts `[episode, hidden]`."""
        place = {key: number for number, key in enumerate(self.rows)}
        return self.regular[[place[key] for key in keys]]

    def of_tasks(self, tasks: Iterable[str], split: str, seed: int) -> "Thetas":
        """Those of a split, tasks one after the other, sorted by name: the order in a configuration decides on no
        picture."""
        return joined([self.of(task, split, seed) for task in sorted(tasks)])

    @property
    def tasks(self) -> np.ndarray:
        """The task of every row."""
        return np.array([task for task, *_ in self.rows])

    @property
    def episodes(self) -> np.ndarray:
        """The number of every row's episode."""
        return np.array([number for *_, number in self.rows], dtype=int)

    def _at(self, places: Sequence[int]) -> "Thetas":
        rows = [self.rows[place] for place in places]
        return Thetas(rows, *(getattr(self, name)[places] for name in ARRAYS))


def joined(parts: Sequence[Thetas]) -> Thetas:
    """One below the other."""
    rows = [key for part in parts for key in part.rows]
    return Thetas(rows, *(np.concatenate([getattr(part, name) for part in parts]) for name in ARRAYS))


def write_thetas(path: str | Path, thetas: Thetas, made_by: Stamp) -> None:
    """Write θ, atomically, with what its rows are, a checksum and what it was computed with."""
    arrays, rows = _arrays(thetas), json.dumps([list(key) for key in thetas.rows])
    with atomic(path) as temporary:
        save_file(arrays, temporary, metadata={ROWS: rows, CHECKSUM: _checksum(arrays, rows), **packed(made_by)})


def read_thetas(paths: Iterable[str | Path], made_by: Stamp | None = None) -> Thetas:
    """θ of all files, one below the other.

    Args:
        made_by: of the job that reads them, if it loads the model.

    Raises:
        StudyError: if a file is damaged, or files were computed with different weights or software, or others than the
            job's own.
    """
    read = {str(path): _read(path) for path in paths}
    stamps = {path: stamp for path, (_, stamp) in read.items()}
    check_one_source(stamps if made_by is None else stamps | {f"this job of rule {made_by['rule']}": made_by})
    return joined([thetas for thetas, _ in read.values()])


def _read(path: str | Path) -> tuple[Thetas, Stamp | None]:
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise StudyError(f"{path}: cannot be read ({error}). Delete it and run again.") from None
    rows = metadata.get(ROWS, "")
    if set(arrays) != set(ARRAYS) or metadata.get(CHECKSUM) != _checksum(arrays, rows):
        raise StudyError(f"{path}: its content is not what was written: the file is damaged. Delete it and run again.")
    keys: list[Key] = [(task, split, seed, number) for task, split, seed, number in json.loads(rows)]
    return Thetas(keys, *(arrays[name] for name in ARRAYS)), unpacked(metadata)


def _arrays(thetas: Thetas) -> dict[str, np.ndarray]:
    """As they are written: safetensors would write other numbers of an array that is a view of another one."""
    return {name: np.ascontiguousarray(getattr(thetas, name)) for name in ARRAYS}


def _checksum(arrays: Mapping[str, np.ndarray], rows: str) -> str:
    digest = hashlib.sha256(rows.encode())
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(arrays[name].data)
    return digest.hexdigest()


def shared_by_tasks(theta: np.ndarray, tasks: np.ndarray) -> np.ndarray:
    """What the θ `[episode, …]` of all tasks share: the mean over tasks of the mean θ of each."""
    return np.mean([theta[tasks == task].mean(axis=0) for task in np.unique(tasks)], axis=0)
