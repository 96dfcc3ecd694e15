"""What representations are made from, and what a representation is.

A representation replaces the demonstrations. It is one file of `representations/`, or of the user's, named in
`rivals: representations`, with a class and an instance of it:

    class MeanTheta(Representation):
        label = "mean θ"                                        # in tables and figures

        def settings(self, context): ...                        # what dev episodes choose from
        def changes(self, context, episodes, settings): ...     # for each setting, what is put into the prompts

    representation = MeanTheta()
"""

import importlib
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from taskvectors.data.episodes import DEV, Episode, answers_by_input, not_showing
from taskvectors.data.prompts import dummy_prompts, zero_shot_prompt
from taskvectors.data.tokens import Ids, prompt_ids, prompt_ids_of_each
from taskvectors.engine.costs import counted_passes
from taskvectors.engine.definition import Change, Intervention
from taskvectors.engine.heads import Head
from taskvectors.engine.read import common_prefix
from taskvectors.errors import StudyError
from taskvectors.measuring.maps import Pairs
from taskvectors.measuring.vectors import dummies_behind, v0_of
from taskvectors.models.language_model import LanguageModel
from taskvectors.store.thetas import Thetas

CORRECT, SHUFFLED = "correct", "shuffled"  # prompts behind which outputs of heads are read


class Setting(NamedTuple):
    """What is chosen on dev episodes. A field that the representation does not use is None."""

    layer: int | None = None
    strength: float | None = None
    heads: int | None = None


@dataclass(frozen=True)
class Heads:
    """Attention heads, as measured for one task (`taskvectors.questions.rivals.heads`).

    Attributes:
        count: heads of every block.
        ranked: by their effect on other tasks, the largest first.
        outputs: behind CORRECT prompts and behind those with SHUFFLED answers: by layer, what is mixed at their last
            tokens `[trial, width]`.
        shown: inputs in the prompt of every trial.
        passes: tokens passed through the model to measure the heads of one task.
    """

    count: int
    ranked: Sequence[Head]
    outputs: Mapping[str, list[Tensor]]
    shown: Sequence[set[str]]
    passes: float

    def without(self, query: str) -> list[int]:
        """Trials whose prompts do not show a query."""
        return [place for place, inputs in enumerate(self.shown) if query not in inputs]

    def means(self, prompts: str, query: str) -> list[Tensor]:
        """By layer the mean output `[width]` over trials that do not show a query; there must be one."""
        return [values[self.without(query)].mean(dim=0) for values in self.outputs[prompts]]


@dataclass
class TaskContext:
    """What representations of the tasks of one model are made from.

    Attributes:
        lm: the model.
        pools: the dev and test episodes of every task.
        thetas: their θ.
        layers: that are tried on dev episodes.
        layer: the common layer, below the top block; None for a model of one block.
        measured: heads, by task; none where heads cannot be distinguished, or for a study of a single task.
        rivals: `rivals` of the configuration.
        seed: study seed.
        pairs: states of every task's dev episodes at the common layer, without and with demonstrations; none of a task
            whose rule is drawn anew.
        spent: results of earlier jobs that were used, by name, with the passes that they took.
    """

    lm: LanguageModel
    pools: Mapping[str, list[Episode]]
    thetas: Thetas
    layers: Sequence[int]
    layer: int | None
    measured: Mapping[str, Heads]
    rivals: Mapping[str, Any]
    seed: int
    pairs: Mapping[str, Pairs] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)
    _bare: dict[str, tuple[Tensor, float]] = field(
        default_factory=dict
    )  # v₀ that was read, and the passes it had taken

    def at_common_layer(self) -> list[Setting]:
        """The setting of what is too expensive to try at several layers; none for a model of one block."""
        return [] if self.layer is None else [Setting(self.layer)]

    def episodes(self, split: str, task: str) -> list[Episode]:
        """The episodes of a task on which rivals are chosen or tested."""
        return [episode for episode in self.pools[task] if episode.split == split][: self.rivals[split]]

    def heads(self, task: str) -> Heads:
        """The measured heads of a task."""
        self.spent[task] = self.measured[task].passes
        return self.measured[task]

    def theta(self, episodes: Sequence[Episode]) -> Tensor:
        """θ `[episode, layer, hidden]`."""
        for episode in episodes:
            self.spent[episode.name] = self._tokens_of_theta[episode.name]
        return torch.from_numpy(self.thetas.of_episodes(episode.key for episode in episodes))

    def bare(self, episodes: Sequence[Episode]) -> Tensor:
        """v₀ `[episode, layer, hidden]`: θ of no demonstrations, the mean state of the dummy queries' own prompts.
        Read once."""
        if new := [episode for episode in episodes if episode.name not in self._bare]:
            dummies = dummies_behind(self.lm, new, [()] * len(new))
            with counted_passes(self.lm) as passes:
                states = v0_of(self.lm, new)
            tokens = list(map(tokens_of, dummies))
            for episode, state, own in zip(new, states, tokens, strict=True):
                self._bare[episode.name] = state, passes.forward * own / sum(tokens)
                self.spent[f"v₀ of {episode.name}"] = 0.0  # these passes have been counted
        for episode in episodes:
            self.spent.setdefault(f"v₀ of {episode.name}", self._bare[episode.name][1])
        return torch.stack([self._bare[episode.name][0] for episode in episodes])

    @cached_property
    def _tokens_of_theta(self) -> dict[str, float]:
        """Tokens passed through the model for the θ of every episode."""
        episodes = [episode for pool in self.pools.values() for episode in pool]
        ids = prompt_ids_of_each(self.lm.tokenizer, list(map(dummy_prompts, episodes)))
        return {episode.name: tokens_of(of_episode) for episode, of_episode in zip(episodes, ids, strict=True)}

    def pairs_for(self, episode: Episode) -> Pairs:
        """Pairs of the task's prompts that do not show the episode's query; all its episodes share their passes."""
        pairs = self.pairs[episode.task]
        dev = [e for e in self.pools[episode.task] if e.split == DEV][: len(set(pairs.episodes))]
        self.spent[f"pairs of {episode.task}"] = sum(self._tokens_of_theta[e.name] for e in dev)
        return pairs.not_showing(episode.query)

    def others(self, episode: Episode) -> list[Episode]:
        """Other episodes of the task that do not show this one's query."""
        pool = self.pools[episode.task]
        return [pool[place] for place in not_showing(episode, pool)]

    def inputs(self, task: str) -> list[str]:
        """Inputs of a task that occur in its episodes."""
        return list(answers_by_input(self.pools[task]))


class Representation(ABC):
    """What replaces the demonstrations.

    Attributes:
        label: in tables and figures.
        control: whether it is a control, which should do less than the representation that it controls.
        setting_of: the representation at whose setting it runs; None if it chooses its own.
    """

    label: ClassVar[str]
    control: ClassVar[bool] = False
    setting_of: ClassVar[str | None] = None

    @abstractmethod
    def settings(self, context: TaskContext) -> list[Setting]:
        """What dev episodes choose from; a single setting leaves no choice."""

    @abstractmethod
    def changes(self, context: TaskContext, episodes: list[Episode], settings: Sequence[Setting]) -> Sequence[Change]:
        """For each setting, what is put into the prompts of the episodes."""

    def prompts(self, context: TaskContext, episodes: list[Episode]) -> list[str]:
        """By default the bare queries."""
        return [zero_shot_prompt(episode) for episode in episodes]

    def unusable(self, context: TaskContext, task: str) -> str:
        """Why it is left out for a task; empty if it is not."""
        return ""

    def prompt_ids(self, context: TaskContext, episodes: list[Episode]) -> list[Ids]:
        """Token ids of the prompts."""
        return prompt_ids(context.lm.tokenizer, self.prompts(context, episodes))


class AtThetasLayer(Representation):
    """A representation that is too expensive to try at several layers, or a control of one: it runs at θ's layer."""

    setting_of = "theta"

    def settings(self, context: TaskContext) -> list[Setting]:
        return context.at_common_layer()


def tokens_of(prompts: list[Ids]) -> int:
    """Tokens of an episode's prompts that are passed through the model; the prefix they share counts once."""
    shared = common_prefix(prompts)
    return shared + sum(len(ids) - shared for ids in prompts)


def layer_of(settings: Sequence[Setting]) -> int:
    """The layer of a single setting."""
    (setting,) = settings
    assert setting.layer is not None
    return setting.layer


def at_layer(vectors: Tensor, setting: Setting) -> Intervention:
    """The vectors `[episode, layer, hidden]` of a setting's layer replace what is there, or, with a strength, are
    added to it."""
    assert setting.layer is not None
    at = vectors[:, setting.layer]
    if setting.strength is None:
        return Intervention(setting.layer, at)
    return Intervention(setting.layer, at, "add", setting.strength)


def representation_of(file: str) -> Representation:
    """The representation that a file defines: a file of the workflow or of the user (see `code.used_by`).

    Raises:
        StudyError: if the file has none.
    """
    if file.startswith("taskvectors/"):
        module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
    else:
        spec = importlib.util.spec_from_file_location(Path(file).stem, file)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    found = getattr(module, "representation", None)
    if not isinstance(found, Representation):
        raise StudyError(f"{file}: `representation` is no Representation. See taskvectors/questions/rivals/context.py.")
    return found
