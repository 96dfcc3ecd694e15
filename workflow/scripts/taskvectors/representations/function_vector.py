"""Function vector: the mean outputs of the heads with the largest effect, put in together (Todd et al. 2023, arXiv 2310.15213).

Heads are chosen by their effect on *other* tasks, their outputs are means over the task's own prompts. They are put in where they
arise, at the input of the layer that mixes them: a sum of projections added at one layer, as in the source, is wrong where a norm
follows.
"""

from collections.abc import Sequence

from torch import Tensor

from taskvectors.data.episodes import Episode
from taskvectors.engine.definition import Change
from taskvectors.engine.heads import Head, put_in
from taskvectors.representations.reading import Reading, Setting

LABEL = "function vector"


def settings(reading: Reading) -> list[Setting]:
    return [Setting(heads=n) for n in reading.sizes["heads"] if n <= len(reading.heads.ranked)]


def changes(reading: Reading, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
    ranked, means = reading.heads.ranked, reading.heads.means
    return [of_heads(reading, ranked[: setting.heads], means, len(episodes)) for setting in settings]


def of_heads(reading: Reading, heads: Sequence[Head], means: list[Tensor], episodes: int) -> Change:
    """The mean outputs of these heads, the same in every episode."""
    return put_in(heads, [mean.expand(episodes, -1) for mean in means], reading.heads.count)


def unusable(reading: Reading) -> str:
    if reading.measured is None:
        return "its heads cannot be told apart, or there is no other task to choose them on"
    return "" if settings(reading) else "the model has fewer heads than `rivals: heads` asks for"
