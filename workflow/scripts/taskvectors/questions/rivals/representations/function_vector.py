"""Function vector: the mean outputs of the heads with the largest effect, put in together (Todd et al. 2023, arXiv
2310.15213).

Heads are chosen by their effect on *other* tasks, their outputs are means over prompts of the task that do not show
the query. They are put in where they arise, at the input of the layer that mixes them. The source adds a sum of
projections at one layer, which is wrong where a norm follows.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from taskvectors.data.episodes import DEV, TEST, Episode
from taskvectors.engine.definition import Change
from taskvectors.engine.heads import Head, put_in
from taskvectors.names import FEW_HEADS
from taskvectors.questions.rivals.context import CORRECT, Representation, Setting, TaskContext

HeadsByTask = Mapping[str, Sequence[Head]]


class FunctionVector(Representation):
    label = "function vector"
    trials = CORRECT  # prompts behind which the outputs of heads are read

    def settings(self, context: TaskContext) -> list[Setting]:
        available = len(next(iter(context.measured.values())).ranked)
        most = max(1, int(FEW_HEADS * available))
        return [Setting(heads=n) for n in context.rivals["heads"] if n <= most] or [Setting(heads=most)]

    def chosen(self, context: TaskContext, count: int | None) -> HeadsByTask:
        """By task the heads with the largest effect on other tasks."""
        return {task: measured.ranked[:count] for task, measured in context.measured.items()}

    def changes(self, context: TaskContext, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
        means, count = self.outputs(context, episodes)
        choices = [self.chosen(context, setting.heads) for setting in settings]
        return [put_in([chosen[e.task] for e in episodes], means, count) for chosen in choices]

    def outputs(self, context: TaskContext, episodes: list[Episode]) -> tuple[list[Tensor], int]:
        """By layer the mean outputs of heads `[episode, width]`; and the heads of a block."""
        measured = [context.heads(episode.task) for episode in episodes]
        means = [heads.means(self.trials, e.query) for heads, e in zip(measured, episodes, strict=True)]
        return [torch.stack(layers) for layers in zip(*means, strict=True)], measured[0].count

    def unusable(self, context: TaskContext, task: str) -> str:
        if task not in context.measured:
            return "its heads cannot be distinguished, or there is no other task to choose them on"
        measured = context.measured[task]
        if not all(measured.without(e.query) for split in (DEV, TEST) for e in context.episodes(split, task)):
            return "a query is shown in every trial: raise `rivals: trials`"
        return ""


representation = FunctionVector()
