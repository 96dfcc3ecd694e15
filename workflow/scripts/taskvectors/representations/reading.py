"""What representations of tasks are read from, and how it says what it puts in.

A representation stands in for the demonstrations. It is one file of this folder, named in `rivals: representations`:

    LABEL = "mean θ"                                                  # what tables and figures call it

    def settings(reading: Reading) -> list[Setting]: ...              # what dev episodes choose from; one: nothing to choose
    def changes(reading, episodes, settings) -> list[Change]: ...     # for each setting, what is put into the prompts

and, where they differ from the common case,

    CONTROL = True                                                    # it should do less; by default False
    SETTING_OF = "theta"                                              # it runs at what is chosen for another representation
    def prompts(reading, episodes) -> list[str]: ...                  # by default the bare queries
    def unusable(reading, task) -> str: ...                           # why a task, or all, is left out; by default none is
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import Any, NamedTuple, Protocol, cast

import torch
from torch import Tensor

from taskvectors.data.episodes import Episode
from taskvectors.data.prompts import dummy_prompts, prompt, zero_shot_prompt
from taskvectors.data.tokens import Ids, prompt_ids, prompt_ids_of_each
from taskvectors.engine.costs import counted_passes
from taskvectors.engine.definition import Change, Intervention
from taskvectors.engine.heads import Head
from taskvectors.engine.read import common_prefix, read_theta
from taskvectors.models.language_model import LanguageModel
from taskvectors.names import CONTROL, RIVAL
from taskvectors.store.thetas import Thetas

CORRECT, SHUFFLED = "correct", "shuffled"  # prompts that outputs of heads are of


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
        outputs: of prompts that are CORRECT, and SHUFFLED in their answers: by layer, what is mixed at their last tokens
            `[trial, width]`.
        shown: inputs in the prompt of every trial.
        passes: of a token through the model, that measuring them took, a task.
    """

    count: int
    ranked: Sequence[Head]
    outputs: Mapping[str, list[Tensor]]
    shown: Sequence[set[str]]
    passes: float

    def means(self, prompts: str, query: str) -> list[Tensor]:
        """By layer the mean output `[width]` over trials whose prompts do not show a query, of which there must be one."""
        return [values[not_showing(query, self.shown)].mean(dim=0) for values in self.outputs[prompts]]


def not_showing(query: str, shown: Sequence[set[str]]) -> list[int]:
    """Which prompts do not show a query."""
    return [place for place, inputs in enumerate(shown) if query not in inputs]


@dataclass(frozen=True)
class Reading:
    """The tasks of one model.

    Attributes:
        lm: the model.
        pools: of every task the dev and test episodes of the main experiment.
        thetas: theirs.
        layers: that are tried on dev episodes.
        layer: the common layer of the main experiment, below the top block.
        measured: by task; without any where heads cannot be told apart, or for a study of a single task.
        sizes: `rivals` of the configuration.
        seed: study seed.
        spent: what was asked for that had been computed before, and how many passes of a token through the model that had taken.
    """

    lm: LanguageModel
    pools: Mapping[str, list[Episode]]
    thetas: Thetas
    layers: Sequence[int]
    layer: int | None
    measured: Mapping[str, Heads]
    sizes: Mapping[str, Any]
    seed: int
    spent: dict[str, float] = field(default_factory=dict)
    _bare: dict[str, tuple[Tensor, float]] = field(default_factory=dict)  # v₀ that was read, and what it had taken

    def at_common_layer(self) -> list[Setting]:
        """The setting of what is too dear to try at several layers; none of a model of one block."""
        return [] if self.layer is None else [Setting(self.layer)]

    def asked(self, split: str, task: str) -> list[Episode]:
        """The first episodes of a task, as many as are taken."""
        return [episode for episode in self.pools[task] if episode.split == split][: self.sizes[split]]

    def heads(self, task: str) -> Heads:
        """What was measured of heads, for one of the tasks of `measured`."""
        self.spent[task] = self.measured[task].passes
        return self.measured[task]

    def theta(self, episodes: Sequence[Episode]) -> Tensor:
        """θ `[episode, layer, hidden]`."""
        for episode in episodes:
            self.spent[episode.name] = self._tokens_of_theta[episode.name]
        return torch.from_numpy(self.thetas.of_episodes(episode.key for episode in episodes))

    def bare(self, episodes: Sequence[Episode]) -> Tensor:
        """v₀ `[episode, layer, hidden]`: θ of no demonstrations, the mean state of the dummy queries' own prompts. Read once."""
        if new := [episode for episode in episodes if episode.name not in self._bare]:
            dummies = prompt_ids_of_each(self.lm.tokenizer, [[prompt((), x) for x in e.dummies] for e in new])
            with counted_passes(self.lm) as passes:
                states = read_theta(self.lm, dummies, names=[e.name for e in new])[0]
            tokens = list(map(tokens_of, dummies))
            for episode, state, own in zip(new, states, tokens, strict=True):
                self._bare[episode.name] = state, passes.forward * own / sum(tokens)
                self.spent[f"v₀ of {episode.name}"] = 0.0  # whoever counts passes has seen them
        for episode in episodes:
            self.spent.setdefault(f"v₀ of {episode.name}", self._bare[episode.name][1])
        return torch.stack([self._bare[episode.name][0] for episode in episodes])

    @cached_property
    def _tokens_of_theta(self) -> dict[str, float]:
        """Of every episode the tokens that are passed through the model for its θ."""
        episodes = [episode for pool in self.pools.values() for episode in pool]
        ids = prompt_ids_of_each(self.lm.tokenizer, list(map(dummy_prompts, episodes)))
        return {episode.name: tokens_of(of_episode) for episode, of_episode in zip(episodes, ids, strict=True)}

    def others(self, episode: Episode) -> list[Episode]:
        """Other episodes of the task that do not show this one's query."""
        return [
            other
            for other in self.pools[episode.task]
            if other.key != episode.key and episode.query not in {*(x for x, _ in other.demos), *other.dummies}
        ]

    def inputs(self, task: str) -> list[str]:
        """Inputs of a task that occur in its episodes."""
        shown = (x for episode in self.pools[task] for x in (episode.query, *(x for x, _ in episode.demos)))
        return list(dict.fromkeys(shown))


def tokens_of(prompts: list[Ids]) -> int:
    """How many tokens of an episode's prompts are passed through the model; what they share, once."""
    shared = common_prefix(prompts)
    return shared + sum(len(ids) - shared for ids in prompts)


def layer_of(settings: Sequence[Setting]) -> int:
    """The layer of the one setting that is asked for."""
    (setting,) = settings
    assert setting.layer is not None
    return setting.layer


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


def setting_of(representation: Representation) -> str | None:
    """The representation at whose setting this one runs, if it does not choose its own."""
    return vars(cast(ModuleType, representation)).get("SETTING_OF")


def why_unusable(representation: Representation, reading: Reading, task: str) -> str:
    """Why a representation is left out for a task; empty if it is not."""
    ask = vars(cast(ModuleType, representation)).get("unusable")
    return ask(reading, task) if ask else ""


def prompt_ids_for(representation: Representation, reading: Reading, episodes: list[Episode]) -> list[list[int]]:
    """Token ids of the prompts that a representation is put into."""
    ask = vars(cast(ModuleType, representation)).get("prompts")
    texts = ask(reading, episodes) if ask else [zero_shot_prompt(episode) for episode in episodes]
    return prompt_ids(reading.lm.tokenizer, texts)
