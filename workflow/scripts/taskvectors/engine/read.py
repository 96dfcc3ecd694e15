"""Reading θ: states of the residual stream at the last token of prompts, after every block."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from taskvectors.data.tokens import Ids
from taskvectors.engine.passes import READ_TOKENS, SHORTEST, check_finite, numbered, prefill
from taskvectors.errors import StudyError
from taskvectors.models.batches import check_lengths, run_in_batches, tokens_at_once
from taskvectors.models.language_model import LanguageModel, block_hidden


@torch.inference_mode()
def read_states(
    lm: LanguageModel, prompts: list[list[Ids]], names: Sequence[str] | None = None
) -> tuple[Tensor, Tensor]:
    """States after every block, and what the model unembeds, at the last token of every prompt.

    The prompts of one episode share their demonstrations: their longest common prefix of ids runs once, and its KV cache
    is forked for what follows. Ids are compared, not strings, so whole-prompt tokenization is always respected: where a
    tokenizer merges across the border, the prefix is shorter, down to no prefix at all.

    Args:
        prompts: `[episode][prompt]` token ids; every episode has the same number of prompts.
        names: how to call each episode in an error message.

    Returns:
        states `[episode, prompt, layer, hidden]` in the model's dtype, on the CPU;
        final hidden states `[episode, prompt, hidden]` after the final norm, on the model's device, for `next_tokens`.

    Raises:
        StudyError: if a state is not finite, a prompt exceeds the model's context, or one episode exceeds the memory.
    """
    names = names or numbered(prompts)
    count = len(prompts[0]) if prompts else 0
    for which in range(count):
        check_lengths(lm, [episode[which] for episode in prompts], names)
    states = torch.empty(len(prompts), count, lm.layers, lm.hidden, dtype=lm.dtype)
    final = torch.empty(len(prompts), count, lm.hidden, dtype=lm.dtype, device=lm.device)
    shared = [common_prefix(episode) for episode in prompts]

    def read(batch: list[int]) -> None:
        found, final[batch] = _read_batch(lm, [prompts[i] for i in batch], shared[batch[0]])
        check_finite(found.flatten(1, 2), [names[i] for i in batch], list(range(lm.layers)) * count)
        states[batch] = found

    tokens = tokens_at_once(lm, READ_TOKENS, kept_copies=count)
    run_in_batches(shared, lambda prefix: tokens // max(prefix, SHORTEST), read)
    return states, final


def _read_batch(lm: LanguageModel, prompts: list[list[Ids]], prefix: int) -> tuple[Tensor, Tensor]:
    cache = None
    if prefix:
        cache = prefill(lm, [episode[0][:prefix] for episode in prompts])
        cache.batch_repeat_interleave(len(prompts[0]))
    suffixes = [ids[prefix:] for episode in prompts for ids in episode]
    # Padding stands to the right: under causal attention no real token ever sees it.
    width = max(map(len, suffixes))
    padded = torch.tensor([ids + [ids[-1]] * (width - len(ids)) for ids in suffixes], device=lm.device)
    last = torch.tensor([len(ids) - 1 for ids in suffixes], device=lm.device)
    rows = torch.arange(len(suffixes), device=lm.device)
    with _reading(lm, rows, last) as states:
        hidden = lm.run_blocks(padded, cache)
    shape = (len(prompts), len(prompts[0]))
    final = hidden.to(lm.device)[rows, last]
    return torch.stack(states, dim=1).cpu().unflatten(0, shape), final.unflatten(0, shape)


@torch.inference_mode()
def read_prefixes(lm: LanguageModel, prefixes: list[list[Ids]], names: Sequence[str] | None = None) -> Tensor:
    """States `[episode, prefix, layer, hidden]` after every block at the last token of every prefix, on the CPU.

    How θ forms while a prompt is read. Where every prefix begins the next one, as ids, one pass over the longest reads them
    all: under causal attention no token sees what follows it. Where a tokenizer merges across a border, each runs by itself.

    Args:
        prefixes: `[episode][prefix]` token ids, from short to long; every episode has the same number of prefixes.
        names: how to call each episode in an error message.

    Raises:
        StudyError: see `read_states`.
    """
    names = names or numbered(prefixes)
    count = len(prefixes[0]) if prefixes else 0
    states = torch.empty(len(prefixes), count, lm.layers, lm.hidden, dtype=lm.dtype)
    nested = [i for i, parts in enumerate(prefixes) if all(b[: len(a)] == a for a, b in pairwise(parts))]
    alone = sorted(set(range(len(prefixes))) - set(nested))
    if alone:
        states[alone], _ = read_states(lm, [prefixes[i] for i in alone], [names[i] for i in alone])
    longest = [prefixes[i][-1] for i in nested]
    check_lengths(lm, longest, [names[i] for i in nested])

    def read(batch: list[int]) -> None:
        rows = torch.arange(len(batch), device=lm.device).repeat_interleave(count)
        last = torch.tensor([len(ids) - 1 for i in batch for ids in prefixes[nested[i]]], device=lm.device)
        with _reading(lm, rows, last) as found:
            lm.run_blocks(torch.tensor([longest[i] for i in batch], device=lm.device))
        its = torch.stack(found, dim=1).cpu().unflatten(0, (len(batch), count))
        check_finite(its.flatten(1, 2), [names[nested[i]] for i in batch], list(range(lm.layers)) * count)
        states[[nested[i] for i in batch]] = its

    tokens = tokens_at_once(lm, READ_TOKENS)
    run_in_batches([len(ids) for ids in longest], lambda length: tokens // max(length, SHORTEST), read)
    return states


def mean_theta(states: Tensor) -> Tensor:
    """θ `[episode, layer, hidden]`: the mean over dummy queries of states `[episode, dummy, layer, hidden]`.

    In float32 at least, whatever the model computes in (paper, section 3.1: θ must not depend on one dummy query).
    """
    return states.to(torch.promote_types(states.dtype, torch.float32)).mean(dim=1)


def variance_over_dummies(states: Tensor) -> Tensor:
    """How far θ depends on the dummy query: `[episode, layer]`, of states `[episode, dummy, layer, hidden]`.

    The unbiased variance over dummies, summed over the hidden dimensions; NaN for a single dummy.
    """
    if states.shape[1] == 1:
        return torch.full((states.shape[0], states.shape[2]), torch.nan)
    return states.to(torch.promote_types(states.dtype, torch.float32)).var(dim=1).sum(dim=-1)


def common_prefix(prompts: list[Ids]) -> int:
    """Number of leading ids that all prompts share, leaving every prompt at least one id of its own."""
    limit = min(map(len, prompts)) - 1
    for position in range(limit):
        if len({ids[position] for ids in prompts}) > 1:
            return position
    return limit


@contextmanager
def _reading(lm: LanguageModel, rows: Tensor, positions: Tensor) -> Iterator[list[Tensor]]:
    """Collect each block's output at the given positions: a list over layers of `[row, hidden]`, on one device."""
    states: list[Tensor] = []

    def keep(block: nn.Module, inputs: Any, output: Any) -> None:
        # Blocks of a large model may lie on several devices.
        hidden = block_hidden(output)
        states.append(hidden[rows.to(hidden.device), positions.to(hidden.device)].to(lm.device))

    handles = [block.register_forward_hook(keep) for block in lm.blocks]
    try:
        yield states
    finally:
        for handle in handles:
            handle.remove()
    if len(states) != lm.layers:
        raise StudyError(f"{type(lm.model).__name__}: {len(states)} states were read from {lm.layers} blocks.")
