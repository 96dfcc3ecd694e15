"""Control of one θ per arrow: the same prompt, with the episode's own θ at the last arrow alone."""

from collections.abc import Sequence

from taskvectors.data.episodes import Episode
from taskvectors.engine.definition import Change, Intervention
from taskvectors.questions.rivals.context import Setting, TaskContext, layer_of
from taskvectors.questions.rivals.representations.theta_per_arrow import ThetaPerArrow


class ThetaLastArrow(ThetaPerArrow):
    label = "one θ per arrow: the last alone"
    control = True

    def changes(self, context: TaskContext, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
        layer = layer_of(settings)
        return [Intervention(layer, context.theta(episodes)[:, layer])]


representation = ThetaLastArrow()
