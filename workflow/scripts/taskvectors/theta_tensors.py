"""Reading extracted θ to patch with it."""

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from taskvectors.stamps import Stamp, check_one_source
from taskvectors.thetas import read_theta_file


def theta_tensors(paths: Iterable[str | Path], made_by: Stamp) -> dict[str, Tensor]:
    """The arrays of all files by name.

    Raises:
        StudyError: if a file is damaged, or was computed with other weights or software than the job's own, `made_by`.
    """
    found: dict[str, Tensor] = {}
    for path in paths:
        thetas, its = read_theta_file(path)
        check_one_source({str(path): its, f"this job of rule {made_by['rule']}": made_by})
        found |= {name: torch.from_numpy(array) for name, array in thetas.items()}
    return found
