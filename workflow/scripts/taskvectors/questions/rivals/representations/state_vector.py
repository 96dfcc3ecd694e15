"""State vector: the mean of the states at the last arrows of a prompt, in θ's place (after Li et al. 2024, arXiv
2404.11225).

The last arrow is that of the dummy query; every arrow has seen a demonstration.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from taskvectors.data.episodes import TEST, Episode
from taskvectors.data.prompts import growing_prompts
from taskvectors.data.tokens import prompt_ids_of_each
from taskvectors.engine.definition import Change, Intervention
from taskvectors.engine.read import read_prefixes
from taskvectors.questions.rivals.context import AtThetasLayer, Setting, TaskContext, layer_of

ARROWS = 3  # the last ones of a prompt


class StateVector(AtThetasLayer):
    label = "state vector"

    def unusable(self, context: TaskContext, task: str) -> str:
        few = min(len(episode.demos) for episode in context.episodes(TEST, task))
        return "" if few >= ARROWS else f"it takes {ARROWS} demonstrations"

    def changes(self, context: TaskContext, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
        layer = layer_of(settings)
        return [Intervention(layer, self.vectors(states_at_arrows(context, episodes, layer)))]

    def vectors(self, states: Tensor) -> Tensor:
        """`[episode, hidden]`, from states `[episode, arrow, hidden]`."""
        return states.mean(dim=1)


def states_at_arrows(context: TaskContext, episodes: list[Episode], layer: int) -> Tensor:
    """States after a layer at the last arrows of every episode's prompt, the dummy query's last `[episode, arrow,
    hidden]`."""
    prefixes = prompt_ids_of_each(context.lm.tokenizer, [growing_prompts(episode) for episode in episodes])
    by_arrows: dict[int, list[int]] = {}
    for place, of_episode in enumerate(prefixes):
        by_arrows.setdefault(len(of_episode), []).append(place)
    at_arrows = torch.empty(len(episodes), ARROWS, context.lm.hidden)
    for places in by_arrows.values():
        names = [episodes[place].name for place in places]
        states = read_prefixes(context.lm, [prefixes[place] for place in places], layer, names)
        at_arrows[places] = states[:, -ARROWS:].to(at_arrows.dtype)
    return at_arrows


representation = StateVector()
