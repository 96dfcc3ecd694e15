"""State vector: the mean of the states at the last arrows of a prompt, in θ's place (after Li et al. 2024, arXiv 2404.11225).

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
from taskvectors.representations.reading import Reading, Setting, layer_of

LABEL = "state vector"
SETTING_OF = "theta"
ARROWS = 3  # the last of so many


def settings(reading: Reading) -> list[Setting]:
    return reading.at_common_layer()


def unusable(reading: Reading, task: str) -> str:
    few = min(len(episode.demos) for episode in reading.asked(TEST, task))
    return "" if few >= ARROWS else f"it takes {ARROWS} demonstrations"


def changes(reading: Reading, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
    layer = layer_of(settings)
    return [Intervention(layer, states_at_arrows(reading, episodes, layer).mean(dim=1))]


def states_at_arrows(reading: Reading, episodes: list[Episode], layer: int) -> Tensor:
    """States after a layer at the last arrows of every episode's prompt, the dummy query's last `[episode, arrow, hidden]`."""
    prefixes = prompt_ids_of_each(reading.lm.tokenizer, [growing_prompts(episode) for episode in episodes])
    by_arrows: dict[int, list[int]] = {}
    for place, of_episode in enumerate(prefixes):
        by_arrows.setdefault(len(of_episode), []).append(place)
    at_arrows = torch.empty(len(episodes), ARROWS, reading.lm.hidden)
    for places in by_arrows.values():
        names = [episodes[place].name for place in places]
        states = read_prefixes(reading.lm, [prefixes[place] for place in places], layer, names)
        at_arrows[places] = states[:, -ARROWS:].to(at_arrows.dtype)
    return at_arrows
