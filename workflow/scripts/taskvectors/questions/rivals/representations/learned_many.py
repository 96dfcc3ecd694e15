"""Learned θ with many labels: one vector for the task, learned on more pairs than an episode shows, no test query
among them."""

from collections.abc import Sequence

import torch

from taskvectors.data.episodes import TEST, Episode, by_task
from taskvectors.engine.definition import Change, Intervention
from taskvectors.engine.descent import why_too_coarse
from taskvectors.measuring.answer_loss import Pairs
from taskvectors.questions.rivals.context import AtThetasLayer, Setting, TaskContext, layer_of
from taskvectors.questions.rivals.learning import learned


class LearnedMany(AtThetasLayer):
    label = "learned θ, many labels"

    def pairs(self, context: TaskContext, task: str, episodes: Sequence[Episode]) -> Pairs:
        """What the vector of a task is learned on."""
        return training_pairs(context, task, episodes)

    def changes(self, context: TaskContext, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
        """One vector for every task and all its episodes; learning begins at the mean of their v₀."""
        layer, tasks = layer_of(settings), by_task(episodes)
        pairs = [self.pairs(context, task, of_task) for task, of_task in tasks.items()]
        numbers = torch.tensor([list(tasks).index(episode.task) for episode in episodes])
        start, theta = (
            torch.stack([vectors[numbers == number].mean(dim=0) for number in range(len(tasks))])
            for vectors in (context.bare(episodes)[:, layer], context.theta(episodes)[:, layer])
        )
        names = [f"task {task}" for task in tasks]
        vectors = learned(context.lm, pairs, start, theta, layer, context.rivals["learning"], names)
        return [Intervention(layer, vectors[numbers])]

    def unusable(self, context: TaskContext, task: str) -> str:
        if reason := why_too_coarse(context.lm.dtype):
            return reason
        tested = context.episodes(TEST, task)
        if len(training_pairs(context, task, tested)) > max(len(episode.demos) for episode in tested):
            return ""
        return "nearly all its inputs are queries: too few are left to learn from"


def training_pairs(context: TaskContext, task: str, episodes: Sequence[Episode]) -> Pairs:
    """Demonstrations of the task's episodes whose inputs are not queries of these episodes, as many as `learning:
    pairs`."""
    queries = {episode.query for episode in episodes}
    demos = (demo for episode in context.pools[task] for demo in episode.demos)
    return list(dict.fromkeys(demo for demo in demos if demo[0] not in queries))[: context.rivals["learning"]["pairs"]]


representation = LearnedMany()
