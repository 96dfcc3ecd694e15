"""Control: the function vector's heads with their mean outputs over prompts whose answers are shuffled."""

from collections.abc import Sequence

from taskvectors.data.episodes import Episode
from taskvectors.engine.definition import Change
from taskvectors.representations import function_vector
from taskvectors.representations.reading import SHUFFLED, Reading, Setting

LABEL = "function vector of shuffled answers"
CONTROL = True
SETTING_OF = "function_vector"

settings = function_vector.settings
unusable = function_vector.unusable


def changes(reading: Reading, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
    top = [function_vector.top_heads(reading, s.heads) for s in settings]
    return function_vector.put_together(reading, episodes, top, SHUFFLED)
