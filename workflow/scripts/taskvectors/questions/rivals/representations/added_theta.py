"""What demonstrations add to θ, added to the last token's state after a block: h + α(θ − v₀), v₀ being θ of no
demonstrations.

The literature on steering adds differences of states (Turner et al. 2023, arXiv 2308.10248).
"""

from collections.abc import Sequence
from itertools import product

from taskvectors.data.episodes import Episode
from taskvectors.engine.definition import Change
from taskvectors.questions.rivals.context import Representation, Setting, TaskContext, at_layer


class AddedTheta(Representation):
    label = "θ − v₀, added"

    def settings(self, context: TaskContext) -> list[Setting]:
        return [Setting(*both) for both in product(context.layers, context.rivals["strengths"])]

    def changes(self, context: TaskContext, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
        added = context.theta(episodes) - context.bare(episodes)
        return [at_layer(added, setting) for setting in settings]


representation = AddedTheta()
