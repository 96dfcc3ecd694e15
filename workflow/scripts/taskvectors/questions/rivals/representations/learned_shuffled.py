"""Control: learned θ with many labels whose answers are shuffled."""

from collections.abc import Sequence

from taskvectors.data.episodes import Episode
from taskvectors.data.sampling import shuffled_answers
from taskvectors.measuring.answer_loss import Pairs
from taskvectors.questions.rivals.context import TaskContext
from taskvectors.questions.rivals.representations.learned_many import LearnedMany, training_pairs


class LearnedShuffled(LearnedMany):
    label = "learned θ, shuffled answers"
    control = True

    def pairs(self, context: TaskContext, task: str, episodes: Sequence[Episode]) -> Pairs:
        return shuffled_answers(training_pairs(context, task, episodes), context.seed, "learned", task)


representation = LearnedShuffled()
