"""Control: learned θ with many labels whose answers are shuffled."""

from collections.abc import Sequence

from taskvectors.data.episodes import Episode
from taskvectors.data.sampling import shuffled_answers
from taskvectors.engine.definition import Change
from taskvectors.representations import learned_many
from taskvectors.representations.reading import Reading, Setting

LABEL = "learned θ, shuffled answers"
CONTROL = True

settings = learned_many.settings
unusable = learned_many.unusable


def changes(reading: Reading, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
    pairs = learned_many.training_pairs(reading, episodes)
    return [learned_many.of_pairs(reading, episodes, shuffled_answers(pairs, reading.seed, "learned", reading.task))]
