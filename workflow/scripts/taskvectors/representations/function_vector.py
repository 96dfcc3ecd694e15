"""Function vector: the mean outputs of the heads with the largest effect, put in together (Todd et al. 2023, arXiv 2310.15213).

Heads are chosen by their effect on *other* tasks, their outputs are means over prompts of the task that do not show the query. They
are put in where they arise, at the input of the layer that mixes them: a sum of projections added at one layer, as in the source, is
wrong where a norm follows.
"""

from collections.abc import Mapping, Sequence

import torch

from taskvectors.data.episodes import DEV, TEST, Episode
from taskvectors.engine.definition import Change
from taskvectors.engine.heads import Head, put_in
from taskvectors.representations.reading import CORRECT, Reading, Setting, not_showing

LABEL = "function vector"


def settings(reading: Reading) -> list[Setting]:
    available = len(next(iter(reading.measured.values())).ranked)
    return [Setting(heads=n) for n in reading.sizes["heads"] if n <= available]


def changes(reading: Reading, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
    return put_together(reading, episodes, [top_heads(reading, s.heads) for s in settings], CORRECT)


def top_heads(reading: Reading, count: int | None) -> dict[str, Sequence[Head]]:
    """By task the heads with the largest effect on other tasks."""
    return {task: measured.ranked[:count] for task, measured in reading.measured.items()}


def put_together(
    reading: Reading, episodes: list[Episode], choices: Sequence[Mapping[str, Sequence[Head]]], prompts: str
) -> list[Change]:
    """For every choice of heads by task, these with their mean outputs over prompts of a kind that do not show the query."""
    measured = [reading.heads(episode.task) for episode in episodes]
    means = [heads.means(prompts, e.query) for heads, e in zip(measured, episodes, strict=True)]
    by_layer = [torch.stack(layers) for layers in zip(*means, strict=True)]
    return [put_in([chosen[e.task] for e in episodes], by_layer, measured[0].count) for chosen in choices]


def unusable(reading: Reading, task: str) -> str:
    if task not in reading.measured:
        return "its heads cannot be told apart, or there is no other task to choose them on"
    shown = reading.measured[task].shown
    if not all(not_showing(e.query, shown) for split in (DEV, TEST) for e in reading.asked(split, task)):
        return "a query is shown in every trial: raise `rivals: trials`"
    return "" if settings(reading) else "the model has fewer heads than `rivals: heads` asks for"
