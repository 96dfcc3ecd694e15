"""Function vector as in the source (Todd et al. 2023, arXiv 2310.15213): one sum of what the heads add, added at one
layer."""

from collections.abc import Sequence

from taskvectors.data.episodes import Episode
from taskvectors.engine.definition import Change, Intervention
from taskvectors.engine.heads import norm_follows, summed
from taskvectors.questions.rivals.context import Setting, TaskContext
from taskvectors.questions.rivals.representations.function_vector import FunctionVector


class SummedHeads(FunctionVector):
    label = "function vector, summed"

    def settings(self, context: TaskContext) -> list[Setting]:
        counts = super().settings(context)
        return [setting._replace(layer=layer) for layer in context.layers for setting in counts]

    def changes(self, context: TaskContext, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
        means, count = self.outputs(context, episodes)
        changes: list[Change] = []
        for setting in settings:
            assert setting.layer is not None
            chosen = self.chosen(context, setting.heads)
            vectors = summed(context.lm, [chosen[e.task] for e in episodes], means, count)
            changes.append(Intervention(setting.layer, vectors, "add"))
        return changes

    def unusable(self, context: TaskContext, task: str) -> str:
        if task in context.measured and norm_follows(context.lm):
            return "a norm follows the layer that mixes heads, so their outputs have no sum"
        return super().unusable(context, task)


representation = SummedHeads()
