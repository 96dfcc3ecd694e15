"""What a representation of a task is read from, and how it says what it puts in.

A representation stands in for the demonstrations. It is one file of this folder, named in `rivals: representations`:

    LABEL = "mean θ"                                                  # what tables and figures call it

    def settings(reading: Reading) -> list[Setting]: ...              # what dev episodes choose from; one: nothing to choose
    def changes(reading, episodes, settings) -> list[Change]: ...     # for each setting, what is put into the episodes' prompts

and, where they differ from the common case,

    CONTROL = True                                                    # it should do less; by default False
    def prompts(reading, episodes) -> list[str]: ...                  # by default the bare queries
    def unusable(reading) -> str: ...                                 # why this model or task is left out; by default it is not
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import Any, NamedTuple, Protocol, cast

import torch
from torch import Tensor

from taskvectors.analysis.names import CONTROL, RIVAL
from taskvectors.data.episodes import Episode
from taskvectors.data.prompts import dummy_prompts, prompt, zero_shot_prompt
from taskvectors.data.tokens import prompt_ids, prompt_ids_of_each
from taskvectors.engine.definition import Change, Intervention
from taskvectors.engine.heads import Head
from taskvectors.engine.read import common_prefix, read_theta
from taskvectors.models.language_model import LanguageModel
from taskvectors.store.thetas import Thetas


class Setting(NamedTuple):
    """What is chosen on dev episodes; None of what a representation does not have."""

    layer: int | None = None
    strength: float | None = None
    heads: int | None = None


class Representation(Protocol):
    """See the head of this file."""

    LABEL: str

    def settings(self, reading: "Reading") -> list[Setting]: ...
    def changes(self, reading: "Reading", episodes: list[Episode], settings: Sequence[Setting]) -> Sequence[Change]: ...


@dataclass(frozen=True)
class Heads:
    """What was measured of attention heads (`taskvectors.experiments.measure_heads`).

    Attributes:
        count: of every block.
        ranked: from the one with the largest effect on other tasks to that with the smallest.
        means: by layer, the mean of what is mixed at the last token of the task's prompts `[width]`.
        shuffled: the same of prompts whose answers are shuffled.
        passes: of a token through the model, that measuring them took, a task.
    """

    count: int
    ranked: Sequence[Head]
    means: list[Tensor]
    shuffled: list[Tensor]
    passes: float


@dataclass(frozen=True)
class Reading:
    """One task of one model.

    Attributes:
        lm: the model.
        task: its name.
        pool: the task's dev and test episodes of the main experiment.
        thetas: theirs.
        layers: that are tried on dev episodes.
        layer: the common layer of the main experiment, for what is too dear to try at several.
        measured: None of a model whose heads cannot be told apart, or a study of a single task.
        sizes: `rivals` of the configuration.
        seed: study seed.
        spent: what was asked for that had been computed before, and how many passes of a token through the model that had taken.
    """

    lm: LanguageModel
    task: str
    pool: list[Episode]
    thetas: Thetas
    layers: Sequence[int]
    layer: int
    measured: Heads | None
    sizes: Mapping[str, Any]
    seed: int
    spent: dict[str, float] = field(default_factory=dict)

    @property
    def heads(self) -> Heads:
        """What was measured of heads; a representation for which it may be missing is `unusable` then."""
        assert self.measured is not None
        self.spent["heads"] = self.measured.passes
        return self.measured

    def theta(self, episodes: Sequence[Episode]) -> Tensor:
        """θ `[episode, layer, hidden]`."""
        for episode in episodes:
            self.spent[episode.name] = self._tokens_of_theta[episode.name]
        return torch.from_numpy(self.thetas.of_episodes(episode.key for episode in episodes))

    def bare(self, episodes: Sequence[Episode]) -> Tensor:
        """v₀ `[episode, layer, hidden]`: θ of no demonstrations, the mean state of the dummy queries' own prompts."""
        dummies = prompt_ids_of_each(self.lm.tokenizer, [[prompt((), x) for x in e.dummies] for e in episodes])
        return read_theta(self.lm, dummies, names=[e.name for e in episodes])[0]

    @cached_property
    def _tokens_of_theta(self) -> dict[str, float]:
        """Of every episode of the pool the tokens that are passed through the model for its θ: what its prompts share, once."""
        ids = prompt_ids_of_each(self.lm.tokenizer, list(map(dummy_prompts, self.pool)))
        shared = list(map(common_prefix, ids))
        return {
            episode.name: prefix + sum(len(one) - prefix for one in of_episode)
            for episode, of_episode, prefix in zip(self.pool, ids, shared, strict=True)
        }

    def others(self, episode: Episode) -> list[Episode]:
        """Other episodes of the pool that do not show this one's query."""
        return [
            other
            for other in self.pool
            if other.key != episode.key and episode.query not in {*(x for x, _ in other.demos), *other.dummies}
        ]

    @cached_property
    def inputs(self) -> list[str]:
        """Inputs of the task that occur in the pool."""
        shown = (x for episode in self.pool for x in (episode.query, *(x for x, _ in episode.demos)))
        return list(dict.fromkeys(shown))


def at_layer(vectors: Tensor, setting: Setting) -> Intervention:
    """The vectors `[episode, layer, hidden]` of a setting's layer: in the place of what is there, or, with a strength, added to it."""
    assert setting.layer is not None
    at = vectors[:, setting.layer]
    if setting.strength is None:
        return Intervention(setting.layer, at)
    return Intervention(setting.layer, at, "add", setting.strength)


def named(name: str) -> Representation:
    """The representation of this name."""
    return cast(Representation, importlib.import_module(f"taskvectors.representations.{name}"))


def kind_of(representation: Representation) -> str:
    """RIVAL or CONTROL."""
    return CONTROL if vars(cast(ModuleType, representation)).get("CONTROL") else RIVAL


def why_unusable(representation: Representation, reading: Reading) -> str:
    """Why a representation is left out, for this model or task; empty if it is not."""
    ask = vars(cast(ModuleType, representation)).get("unusable")
    return ask(reading) if ask else ""


def prompt_ids_for(representation: Representation, reading: Reading, episodes: list[Episode]) -> list[list[int]]:
    """Token ids of the prompts that a representation is put into."""
    ask = vars(cast(ModuleType, representation)).get("prompts")
    texts = ask(reading, episodes) if ask else [zero_shot_prompt(episode) for episode in episodes]
    return prompt_ids(reading.lm.tokenizer, texts)
