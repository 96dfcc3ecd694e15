"""Control: the mean outputs of as many other heads, drawn at random from the function vector's layers or the nearest."""

from collections.abc import Sequence

from taskvectors.data.episodes import Episode
from taskvectors.data.sampling import episode_rng
from taskvectors.engine.definition import Change
from taskvectors.engine.heads import Head
from taskvectors.representations import function_vector
from taskvectors.representations.reading import CORRECT, Reading, Setting

LABEL = "random heads"
CONTROL = True
SETTING_OF = "function_vector"

settings = function_vector.settings
unusable = function_vector.unusable


def changes(reading: Reading, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
    layers, heads = reading.lm.layers, next(iter(reading.measured.values())).count
    drawn = [
        {
            task: like(top, layers, heads, reading.seed, "function vector", task)
            for task, top in function_vector.top_heads(reading, setting.heads).items()
        }
        for setting in settings
    ]
    return function_vector.put_together(reading, episodes, drawn, CORRECT)


def like(heads: Sequence[Head], layers: int, count: int, seed: int, *names: str) -> list[Head]:
    """As many random heads of every layer as these, and none of these; where a layer has too few, those of the nearest layers.

    Args:
        heads: which.
        layers, count: of the model, and heads of every block.
        seed, names: of the draw.

    Returns:
        Fewer where the model has too few others.
    """
    rng = episode_rng(seed, "random heads", *names, len(heads))
    free = {(layer, head) for layer in range(layers) for head in range(count)} - set(heads)
    drawn: list[Head] = []
    for layer, _ in sorted(heads):
        if free:
            nearest = min(abs(other - layer) for other, _ in free)
            drawn.append(rng.choice(sorted(head for head in free if abs(head[0] - layer) == nearest)))
            free.remove(drawn[-1])
    return drawn
