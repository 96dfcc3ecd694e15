"""The query's own bare state and an offset: the mean difference that demonstrations make to other queries' states."""

from collections.abc import Sequence

import torch

from taskvectors.data.episodes import Episode
from taskvectors.engine.definition import Change, Intervention
from taskvectors.questions.rivals.context import Representation, Setting, TaskContext, layer_of


class StateOffset(Representation):
    label = "offset to the query's state"

    def settings(self, context: TaskContext) -> list[Setting]:
        return context.at_common_layer()  # where pairs were read

    def changes(self, context: TaskContext, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
        pairs = [context.pairs_for(episode) for episode in episodes]
        offsets = torch.stack([(own.shown - own.bare).mean(dim=0) for own in pairs])
        return [Intervention(layer_of(settings), offsets.float(), "add")]

    def unusable(self, context: TaskContext, task: str) -> str:
        return without_pairs(context, task)


def without_pairs(context: TaskContext, task: str) -> str:
    """Why a task has no map; empty if it has one."""
    if task not in context.pairs:
        return (
            "no states of other queries were read: its rule is drawn anew in every episode, or it has no dev episodes"
        )
    few = any(len(context.pairs_for(episode)) < 3 for episode in context.pools[task])
    return "too few prompts do not show the query" if few else ""


representation = StateOffset()
