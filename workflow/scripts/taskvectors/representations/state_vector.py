"""State vector: the mean of the states at the last arrows of the demonstrations, in θ's place (Li et al. 2024, arXiv 2404.11225)."""

from collections.abc import Sequence

from taskvectors.data.episodes import Episode
from taskvectors.data.prompts import growing_prompts
from taskvectors.data.tokens import prompt_ids_of_each
from taskvectors.engine.definition import Change, Intervention
from taskvectors.engine.read import read_prefixes
from taskvectors.representations.reading import Reading, Setting

LABEL = "state vector"
ARROWS = 3  # the last of so many


def settings(reading: Reading) -> list[Setting]:
    return [Setting(reading.layer)]


def changes(reading: Reading, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
    prefixes = prompt_ids_of_each(reading.lm.tokenizer, [growing_prompts(episode) for episode in episodes])
    by_arrows: dict[int, list[int]] = {}
    for place, of_episode in enumerate(prefixes):
        by_arrows.setdefault(len(of_episode), []).append(place)
    vectors = reading.theta(episodes)[:, reading.layer].clone()
    for places in by_arrows.values():
        names = [episodes[place].name for place in places]
        states = read_prefixes(reading.lm, [prefixes[place] for place in places], reading.layer, names)
        vectors[places] = states[:, -ARROWS:].to(vectors.dtype).mean(dim=1)
    return [Intervention(reading.layer, vectors)]
