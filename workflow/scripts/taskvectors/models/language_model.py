"""A causal language model as the engine uses it: its stack of blocks, its cache, and what its blocks return."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cached_property
from inspect import signature
from itertools import chain
from typing import Any, ClassVar

import torch
from torch import nn
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from taskvectors.errors import StudyError
from taskvectors.models.highest_logit import Screen, screen_of

Place = tuple[Any, ...]  # of a tensor inside the arguments of a block


@dataclass(frozen=True)
class LanguageModel:
    """A model in evaluation mode, its tokenizer, and its blocks from bottom to top."""

    model: Any  # of transformers, with a head that unembeds
    tokenizer: Any
    blocks: nn.ModuleList

    _screen: ClassVar[tuple[Any, Screen | None] | None] = None  # the output matrix, and its screen

    def __getstate__(self) -> dict[str, Any]:
        """Of a copy: what is found out about the model is found out anew, as its weights may be changed first."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def device(self) -> torch.device:
        """Where prompts go in; the blocks of a large model may lie on several devices."""
        return self.model.get_input_embeddings().weight.device

    @property
    def device_name(self) -> str:
        """What computes: `cpu`, or the model of the GPU."""
        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else self.device.type

    @property
    def on_one_device(self) -> bool:
        """A large model's blocks may lie on several."""
        return len(set(getattr(self.model, "hf_device_map", {}).values())) <= 1

    @property
    def dtype(self) -> torch.dtype:
        return next(self.model.parameters()).dtype

    @property
    def hidden(self) -> int:
        """Width of the residual stream."""
        return self.model.config.get_text_config().hidden_size

    @property
    def layers(self) -> int:
        return len(self.blocks)

    @cached_property
    def ends(self) -> frozenset[int]:
        """Tokens with which the model ends a text: those of its own configuration and the tokenizer's."""
        generation = getattr(self.model, "generation_config", None)
        holders = (self.model.config.get_text_config(), generation, self.tokenizer)
        named = [getattr(holder, "eos_token_id", None) for holder in holders]
        return frozenset(chain.from_iterable(ids if isinstance(ids, list) else [ids] for ids in named)) - {None}

    @property
    def screen(self) -> Screen | None:
        """A faster search for the token of highest logit, where there is one for the current output matrix."""
        head = self.model.get_output_embeddings()
        known, screen = self._screen or (None, None)
        if known is None or known is not head.weight:
            screen = screen_of(head)
            object.__setattr__(self, "_screen", (head.weight, screen))
        return screen

    @cached_property
    def headless(self) -> nn.Module:
        """The model without what turns its final states into logits."""
        base = self.model.base_model  # some classes name no part of theirs, and are their own
        return getattr(self.model, "model", base) if base is self.model else base

    @cached_property
    def trunk(self) -> nn.Module:
        """The part that the model itself calls for the states that it turns into logits: `headless`, or inside it
        (OPT)."""
        called: list[nn.Module] = []

        def note(module: nn.Module, inputs: Any, output: Any) -> None:
            if module is not self.model and getattr(output, "last_hidden_state", None) is not None:
                called.append(module)

        with (
            temporary_hooks([module.register_forward_hook(note) for module in self.model.modules()]),
            torch.inference_mode(),
        ):
            self.model(torch.zeros(1, 1, dtype=torch.long, device=self.device), use_cache=False)
        if not called:
            raise refused(self.model, "the states that it turns into logits cannot be found")
        return called[-1]  # the outermost ends last

    @cached_property
    def _cache_keyword(self) -> str:
        """Transformers calls the argument for keys and values `cache` from 5.24 on."""
        return "cache" if "cache" in signature(self.headless.forward).parameters else "past_key_values"

    @cached_property
    def _learned(self) -> dict["Place", "Rows"]:
        return {}

    def argument_rows(self, tokens: int) -> dict["Place", "Rows"]:
        """How many rows each argument of a block has, beside the residual stream, for one more token behind a cache.

        Some models pass a mask for every prompt and head, others one for all prompts, or one a head: the sizes of a
        single pass do not tell them apart, so two are compared, of one and of two prompts. What is learned holds for
        prompts of any length; where an argument is there in longer prompts only, or of another size, `learn_arguments`
        learns of that length, too.
        """
        if not self._learned:
            self.learn_arguments(min(tokens, 2))
        return self._learned

    def learn_arguments(self, tokens: int) -> None:
        """Learn how arguments grow with prompts of so many tokens, two or more."""
        one, two = (_arguments(self, prompts, tokens) for prompts in (1, 2))
        for place, rows in one.items():
            grows = two.get(place) == 2 * rows
            self._learned[place] = Rows(rows if grows else 0, 0 if grows else rows)

    @cached_property
    def head_mixers(self) -> list[nn.Module]:
        """Of every block, the linear layer that mixes the outputs of its attention heads: its input holds them, one
        after the other.

        Raises:
            StudyError: if a block has none, or not one alone.
        """
        return [_head_mixer(self, block) for block in self.blocks]

    def empty_cache(self) -> DynamicCache:
        """For keys and values of every block."""
        return DynamicCache(config=self.model.config)

    def run_blocks(self, ids: torch.Tensor, cache: DynamicCache | None = None) -> torch.Tensor:
        """What the model unembeds `[prompt, token, hidden]` of token ids `[prompt, token]` behind those in the cache;
        it grows."""
        kept = {} if cache is None else {self._cache_keyword: cache}
        return self.headless(ids, use_cache=cache is not None, **kept).last_hidden_state


def find_blocks(model: Any) -> nn.ModuleList:
    """The one stack of blocks: the module list with as many members as the configuration has hidden layers.

    Raises:
        StudyError: if there is none (not a decoder-only model, or not an ordinary one).
    """
    config = model.config.get_text_config()
    wanted = getattr(config, "num_hidden_layers", None)
    stacks = [module for module in model.modules() if isinstance(module, nn.ModuleList) and len(module) == wanted]
    if not stacks or getattr(config, "is_encoder_decoder", False):
        raise StudyError(
            f"{type(model).__name__}: its stack of blocks cannot be found (no module list with num_hidden_layers = {wanted} "
            "members). The study needs a decoder-only model of transformers; choose another in config/models.yaml."
        )
    return stacks[0]


def context_length(config: Any) -> int | None:
    """Tokens that a model of this configuration reads at most, if it says so.

    With LongRoPE (Phi-3's long versions) no more than were there originally: in longer prompts every token is read
    differently, so that the beginning of a prompt could not be reused.
    """
    text = config.get_text_config()
    limits = [getattr(text, name, None) for name in ("max_position_embeddings", "max_seq_len")]
    rope = getattr(text, "rope_parameters", None) or {}
    if rope.get("rope_type") == "longrope":
        limits.append(rope.get("original_max_position_embeddings"))
    return min((limit for limit in limits if limit), default=None)


def block_hidden(output: Any) -> torch.Tensor:
    """The residual stream in a block's output: a tensor in some versions of transformers and a tuple in others."""
    return output[0] if isinstance(output, tuple) else output


def map_tensors(change: Callable[[Place, torch.Tensor], Any], value: Any, place: Place = ()) -> Any:
    """Arguments of a block with `change(place, tensor)` for every tensor that has dimensions."""
    if isinstance(value, dict):
        return {name: map_tensors(change, part, (*place, name)) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([map_tensors(change, part, (*place, number)) for number, part in enumerate(value)])
    return change(place, value) if isinstance(value, torch.Tensor) and value.dim() else value


@dataclass(frozen=True)
class Rows:
    """Rows of an argument of a block: so many for every prompt, or so many whatever the prompts."""

    per_prompt: int
    fixed: int

    def of(self, prompts: int) -> int:
        return self.per_prompt * prompts + self.fixed


@torch.inference_mode()
def _arguments(lm: LanguageModel, prompts: int, tokens: int) -> dict[Place, int]:
    """The first dimension of every tensor that blocks are given, beside the residual stream, for the last token of
    prompts."""
    rows: dict[Place, int] = {}

    def before(block: nn.Module, arguments: Any, keywords: dict[str, Any]) -> None:
        map_tensors(
            lambda place, value: rows.update({place: len(value)}), {"arguments": arguments[1:], "keywords": keywords}
        )

    cache, ids = lm.empty_cache(), torch.zeros(prompts, tokens, dtype=torch.long, device=lm.device)
    lm.run_blocks(ids[:, :-1], cache)
    with temporary_hooks([block.register_forward_pre_hook(before, with_kwargs=True) for block in lm.blocks]):
        lm.run_blocks(ids[:, -1:], cache)
    return rows


@torch.inference_mode()
def _head_mixer(lm: LanguageModel, block: nn.Module) -> nn.Module:
    """The last linear layer that a block's attention calls."""
    attention = [
        module
        for name, module in block.named_children()
        if re.search("attn|attention", name, re.IGNORECASE) and list(module.children())
    ]
    if len(attention) != 1:
        raise refused(
            lm.model, f"a block has {len(attention)} parts called attention, so that its heads cannot be found"
        )
    called: list[nn.Module] = []
    hooks = [
        module.register_forward_hook(lambda module, inputs, output: called.append(module))
        for module in attention[0].modules()
        if not list(module.children()) and getattr(getattr(module, "weight", None), "ndim", 0) == 2
    ]
    with temporary_hooks(hooks):
        lm.run_blocks(torch.zeros(1, 1, dtype=torch.long, device=lm.device))
    if not called:
        raise refused(lm.model, "the attention of a block calls no linear layer, so that its heads cannot be found")
    return called[-1]


@contextmanager
def temporary_hooks(hooks: list[Any]) -> Iterator[None]:
    """Hooks that are gone at the end of the block, whatever happens in it."""
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def with_hidden(output: Any, hidden: torch.Tensor) -> Any:
    """A block's output with another residual stream."""
    return (hidden, *output[1:]) if isinstance(output, tuple) else hidden


@torch.inference_mode()
def check_blocks(lm: LanguageModel) -> None:
    """Refuse, by name and with the reason, a model whose stack of blocks the engine could not read or patch.

    Raises:
        StudyError: unless every block is called once, returns `[batch, token, hidden]`, and keeps keys and values.
    """
    others = [type(layer).__name__ for layer in lm.empty_cache().layers if type(layer) not in ATTENTION]
    if others:
        raise refused(
            lm.model, f"{len(others)} of its blocks keep other things than keys and values of their own ({others[0]})"
        )
    cache, outputs = lm.empty_cache(), []
    hooks = [
        block.register_forward_hook(lambda block, inputs, output: outputs.append(tuple(block_hidden(output).shape)))
        for block in lm.blocks
    ]
    with temporary_hooks(hooks):
        lm.run_blocks(torch.zeros(1, 2, dtype=torch.long, device=lm.device), cache)
    cached = [layer for layer in cache.layers if _holds_one_prompt(layer)]
    reason = ""
    if len(outputs) != lm.layers:
        reason = f"its {lm.layers} blocks were called {len(outputs)} times in one pass"
    elif set(outputs) != {(1, 2, lm.hidden)}:
        reason = f"a block returns {max(outputs)}, not [batch, token, hidden] = {(1, 2, lm.hidden)}"
    elif len(cached) != lm.layers:
        reason = (
            f"only {len(cached)} of its {lm.layers} blocks keep keys and values of their own, so a prompt's beginning cannot be "
            "reused"
        )
    if reason:
        raise refused(lm.model, reason)


# Exactly these classes: others, with states of other kinds beside keys and values, derive from them.
ATTENTION = (DynamicLayer, DynamicSlidingWindowLayer)


def _holds_one_prompt(layer: Any) -> bool:
    return getattr(layer, "keys", None) is not None and layer.keys.shape[0] == 1


def refused(model: Any, reason: str) -> StudyError:
    """The error for a model that the study cannot be right about."""
    return StudyError(
        f"{type(model).__name__} is not supported: {reason}. The study needs an ordinary stack of attention blocks "
        "(docs/architectures.md); choose another model in config/models.yaml."
    )
