"""Learned θ: the vector that minimises the loss of the episode's own demonstrations, from v₀ (arXiv 2509.24169,
2502.05390).

It sees as many labels as θ does; the query is not among them.
"""

from collections.abc import Sequence

from taskvectors.data.episodes import TEST, Episode
from taskvectors.engine.definition import Change, Intervention
from taskvectors.engine.descent import why_too_coarse
from taskvectors.questions.rivals.context import AtThetasLayer, Setting, TaskContext, layer_of
from taskvectors.questions.rivals.learning import learned


class LearnedTheta(AtThetasLayer):
    label = "learned θ, same labels"

    def changes(self, context: TaskContext, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
        layer = layer_of(settings)
        start, theta = context.bare(episodes)[:, layer], context.theta(episodes)[:, layer]
        names = [episode.name for episode in episodes]
        pairs = [episode.demos for episode in episodes]
        vectors = learned(context.lm, pairs, start, theta, layer, context.rivals["learning"], names)
        return [Intervention(layer, vectors)]

    def unusable(self, context: TaskContext, task: str) -> str:
        if reason := why_too_coarse(context.lm.dtype):
            return reason
        return "" if all(e.demos for e in context.episodes(TEST, task)) else "an episode has no demonstrations"


representation = LearnedTheta()
