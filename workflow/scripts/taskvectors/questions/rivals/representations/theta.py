"""θ in the place of the last token's state after a block (Hendel et al. 2023, arXiv 2310.15916)."""

from collections.abc import Sequence

from taskvectors.data.episodes import Episode
from taskvectors.engine.definition import Change
from taskvectors.questions.rivals.context import Representation, Setting, TaskContext, at_layer


class Theta(Representation):
    label = "θ"

    def settings(self, context: TaskContext) -> list[Setting]:
        return [Setting(layer) for layer in context.layers]

    def changes(self, context: TaskContext, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
        theta = context.theta(episodes)
        return [at_layer(theta, setting) for setting in settings]


representation = Theta()
