"""Control: the function vector's heads with their mean outputs over prompts whose answers are shuffled."""

from collections.abc import Sequence

from taskvectors.data.episodes import Episode
from taskvectors.engine.definition import Change
from taskvectors.representations import function_vector
from taskvectors.representations.reading import Reading, Setting

LABEL = "function vector of shuffled answers"
CONTROL = True

settings = function_vector.settings
unusable = function_vector.unusable


def changes(reading: Reading, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
    ranked, means = reading.heads.ranked, reading.heads.shuffled
    return [function_vector.of_heads(reading, ranked[: s.heads], means, len(episodes)) for s in settings]
