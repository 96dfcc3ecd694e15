"""Control: a random direction of θ's length, in θ's place."""

from collections.abc import Sequence

from taskvectors.data.episodes import Episode
from taskvectors.engine.definition import Change, Intervention
from taskvectors.measuring.vectors import random_directions
from taskvectors.questions.rivals.context import AtThetasLayer, Setting, TaskContext, layer_of


class RandomDirection(AtThetasLayer):
    label = "random direction"
    control = True

    def changes(self, context: TaskContext, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
        layer = layer_of(settings)
        names = [("random direction", e.task, e.split, e.episode) for e in episodes]
        return [Intervention(layer, random_directions(context.seed, names, context.theta(episodes)[:, layer]))]


representation = RandomDirection()
