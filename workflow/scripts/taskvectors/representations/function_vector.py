"""Function vector: the mean outputs of the heads with the largest effect, put in together (Todd et al. 2023, arXiv 2310.15213).

Heads are chosen by their effect on *other* tasks, their outputs are means over prompts of the task that do not show the query. They
are put in where they arise, at the input of the layer that mixes them: a sum of projections added at one layer, as in the source, is
wrong where a norm follows.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from taskvectors.data.episodes import DEV, TEST, Episode
from taskvectors.engine.definition import Change
from taskvectors.engine.heads import Head, put_in
from taskvectors.representations.reading import CORRECT, Reading, Setting, not_showing

LABEL = "function vector"


def settings(reading: Reading) -> list[Setting]:
    available = len(next(iter(reading.measured.values())).ranked)
    return [Setting(heads=n) for n in reading.sizes["heads"] if n <= available]


def changes(reading: Reading, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
    measured = [reading.heads(episode.task) for episode in episodes]
    means = [its.means(CORRECT, e.query) for its, e in zip(measured, episodes, strict=True)]
    return [put_together([its.ranked[: s.heads] for its in measured], means, measured[0].count) for s in settings]


def put_together(heads: Sequence[Sequence[Head]], means: Sequence[list[Tensor]], count: int) -> Change:
    """Of every episode these heads, with their mean outputs by layer `[width]`."""
    return put_in(heads, [torch.stack(layers) for layers in zip(*means, strict=True)], count)


def unusable(reading: Reading, task: str) -> str:
    if task not in reading.measured:
        return "its heads cannot be told apart, or there is no other task to choose them on"
    shown = reading.measured[task].shown
    if not all(not_showing(e.query, shown) for split in (DEV, TEST) for e in reading.asked(split, task)):
        return "a query is shown in every trial: raise `rivals: trials`"
    return "" if settings(reading) else "the model has fewer heads than `rivals: heads` asks for"
