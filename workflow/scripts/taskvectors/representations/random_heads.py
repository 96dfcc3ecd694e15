"""Control: the mean outputs of as many random heads of the same layers as the function vector's."""

from collections import Counter
from collections.abc import Sequence

from taskvectors.data.episodes import Episode
from taskvectors.data.sampling import episode_rng
from taskvectors.engine.definition import Change
from taskvectors.engine.heads import Head
from taskvectors.representations import function_vector
from taskvectors.representations.reading import CORRECT, Reading, Setting

LABEL = "random heads"
CONTROL = True

settings = function_vector.settings
unusable = function_vector.unusable


def changes(reading: Reading, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
    measured = [reading.heads(episode.task) for episode in episodes]
    count = measured[0].count
    means = [its.means(CORRECT, e.query) for its, e in zip(measured, episodes, strict=True)]
    drawn = [
        {e.task: like(reading.heads(e.task).ranked[: s.heads], count, reading.seed, "function vector", e.task) for e in episodes}
        for s in settings
    ]  # fmt: skip
    return [function_vector.put_together([of_task[e.task] for e in episodes], means, count) for of_task in drawn]


def like(heads: Sequence[Head], count: int, seed: int, *names: str) -> list[Head]:
    """As many random heads of every layer as these; others than these where the layer has enough.

    Args:
        count: heads of every block.
        seed, names: of the draw.
    """
    drawn: list[Head] = []
    for layer, wanted in sorted(Counter(layer for layer, _ in heads).items()):
        every = [(layer, head) for head in range(count)]
        others = [head for head in every if head not in heads]
        drawn += episode_rng(seed, "random heads", *names, layer, wanted).sample(
            others if len(others) >= wanted else every, wanted
        )
    return drawn
