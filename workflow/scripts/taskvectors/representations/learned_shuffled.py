"""Control: learned θ with many labels whose answers are shuffled."""

from collections.abc import Sequence

from taskvectors.data.episodes import Episode, by_task
from taskvectors.data.sampling import shuffled_answers
from taskvectors.engine.definition import Change
from taskvectors.representations import learned_many
from taskvectors.representations.reading import Reading, Setting, layer_of

LABEL = "learned θ, shuffled answers"
CONTROL = True
SETTING_OF = "theta"

settings = learned_many.settings
unusable = learned_many.unusable


def changes(reading: Reading, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
    pairs = {
        task: shuffled_answers(learned_many.training_pairs(reading, task, of_task), reading.seed, "learned", task)
        for task, of_task in by_task(episodes).items()
    }
    return [learned_many.of_pairs(reading, episodes, pairs, layer_of(settings))]
