"""State vector with momentum: the mean of the states at the last arrows, and a step on from each to the next.

What a demonstration adds to the state is taken for a step of descent; momentum weighs later ones more (after Li et al.
2024, arXiv 2404.11225, "momentum optimization").
"""

import torch
from torch import Tensor

from taskvectors.questions.rivals.representations.state_vector import StateVector

MOMENTUM = 0.5  # weight of what a demonstration adds, as a share of the weight of what the next one adds


class MomentumStateVector(StateVector):
    label = "state vector, momentum"

    def vectors(self, states: Tensor) -> Tensor:
        added = states.diff(dim=1)
        weights = MOMENTUM ** torch.arange(added.shape[1] - 1, -1, -1)
        step = (added * (weights / weights.sum())[:, None]).sum(dim=1)
        return states.mean(dim=1) + step


representation = MomentumStateVector()
