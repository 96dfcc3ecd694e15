"""The mean θ of other episodes that do not show the query, in θ's place."""

from collections.abc import Sequence

import torch

from taskvectors.data.episodes import DEV, TEST, Episode
from taskvectors.engine.definition import Change
from taskvectors.questions.rivals.context import Setting, TaskContext, at_layer
from taskvectors.questions.rivals.representations.theta import Theta


class MeanTheta(Theta):
    label = "mean θ"

    def changes(self, context: TaskContext, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
        means = torch.stack([context.theta(context.others(episode)).mean(dim=0) for episode in episodes])
        return [at_layer(means, setting) for setting in settings]

    def unusable(self, context: TaskContext, task: str) -> str:
        episodes = [*context.episodes(DEV, task), *context.episodes(TEST, task)]
        return "" if all(map(context.others, episodes)) else "every other episode shows the query"


representation = MeanTheta()
