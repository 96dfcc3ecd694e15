"""Reading extracted θ for analysis: NumPy only, no model library."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from taskvectors.errors import StudyError


def read_thetas(
    paths: Iterable[str | Path], tasks: Iterable[str], split: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """θ of one split, tasks one after the other.

    Returns:
        theta `[row, layer, hidden]` float32, task of each row `[row]`, episode number of each row `[row]`.

    Raises:
        StudyError: if a file is damaged.
    """
    found: dict[str, np.ndarray] = {}
    for path in paths:
        try:
            with safe_open(path, framework="numpy") as file:
                found |= {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        except (SafetensorError, OSError) as error:
            raise StudyError(f"{path}: cannot be read ({error}). Delete it and run again.") from None
    tasks = list(tasks)
    arrays = [found[f"{task}/{split}"] for task in tasks]
    labels = np.repeat(tasks, [len(array) for array in arrays])
    return np.concatenate(arrays), labels, np.concatenate([np.arange(len(array)) for array in arrays])
