"""Reading θ: states of the residual stream at the last token of prompts, after every block."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor, nn

from taskvectors.data.tokens import Ids
from taskvectors.engine.passes import READ_TOKENS, SHORTEST, check_finite, forked, numbered, prefill
from taskvectors.errors import StudyError
from taskvectors.models.batches import by_length, check_lengths, no_progress, run_in_batches, tokens_at_once
from taskvectors.models.language_model import LanguageModel, block_hidden, temporary_hooks

PASS_TOKENS = 128  # fewer are not worth a pass of their own: the matrices are read from memory for each
STEP = 4  # prompts whose lengths differ by less are read together


@torch.inference_mode()
def read_states(
    lm: LanguageModel, prompts: list[list[Ids]], names: Sequence[str] | None = None
) -> tuple[Tensor, Tensor]:
    """States after every block, and what the model unembeds, at the last token of every prompt.

    The prompts of one episode share their demonstrations: their longest common prefix of ids runs once, and its KV
    cache is forked for what follows. Ids are compared, not strings, so whole-prompt tokenization is always respected:
    where a tokenizer merges across the border, the prefix is shorter, down to no prefix at all.

    Args:
        prompts: `[episode][prompt]` token ids; every episode has the same number of prompts.
        names: of the episodes, for error messages.

    Returns:
        states `[episode, prompt, layer, hidden]` in the model's dtype, on the CPU; final hidden states `[episode,
        prompt, hidden]` after the final norm, on the model's device, for `next_tokens`.

    Raises:
        StudyError: if a state is not finite, a prompt exceeds the model's context, or one episode exceeds the memory.
    """
    count = len(prompts[0]) if prompts else 0
    states = torch.empty(len(prompts), count, lm.layers, lm.hidden, dtype=lm.dtype)
    final = torch.empty(len(prompts), count, lm.hidden, dtype=lm.dtype, device=lm.device)

    def keep(episode: int, read: Tensor, unembedded: Tensor) -> None:
        states[episode], final[episode] = read, unembedded

    _read(lm, prompts, names or numbered(prompts), keep)
    return states, final


@torch.inference_mode()
def read_theta(
    lm: LanguageModel,
    dummies: list[list[Ids]],
    others: list[list[Ids]] | None = None,
    names: Sequence[str] | None = None,
    done: Callable[[int], None] = no_progress,
) -> tuple[Tensor, Tensor, Tensor]:
    """θ of every episode: the mean over its dummy queries of the states at the last token (paper, section 3.1).

    Args:
        dummies: `[episode][dummy]` token ids of the prompts with a dummy query.
        others: `[episode][prompt]`: further prompts with the same demonstrations, whose final hidden states are
            wanted; none by default. Episodes may have different numbers of them.
        names: of the episodes, for error messages.
        done: called after every batch with its number of episodes.

    Returns:
        θ `[episode, layer, hidden]`, float32 at least, on the CPU; its variance over the dummies `[episode, layer]`
        (`variance_over_dummies`); final hidden states `[prompt, hidden]` of the others, one episode after the other,
        on the model's device.

    Raises:
        StudyError: see `read_states`.
    """
    others = others or [[] for _ in dummies]
    dtype = torch.promote_types(lm.dtype, torch.float32)
    theta = torch.empty(len(dummies), lm.layers, lm.hidden, dtype=dtype)
    variances = torch.empty(len(dummies), lm.layers, dtype=dtype)
    final = torch.empty(sum(map(len, others)), lm.hidden, dtype=lm.dtype, device=lm.device)
    starts = [0, *accumulate(map(len, others))]

    def keep(episode: int, read: Tensor, unembedded: Tensor) -> None:
        count = len(others[episode])
        final[starts[episode] : starts[episode + 1]] = unembedded[:count]
        of_dummies = read[None, count:]
        theta[episode], variances[episode] = mean_theta(of_dummies)[0], variance_over_dummies(of_dummies)[0]

    prompts = [[*more, *of_dummies] for more, of_dummies in zip(others, dummies, strict=True)]
    _read(lm, prompts, names or numbered(dummies), keep, done)
    return theta, variances, final


@torch.inference_mode()
def read_theta_at(
    lm: LanguageModel, dummies: list[list[Ids]], layer: int, names: Sequence[str] | None = None
) -> Tensor:
    """θ of every episode `[episode, hidden]` after one block, in float32 at least, on the CPU; the blocks above it are
    not run.

    Arguments, raises: see `read_theta`.
    """
    theta = torch.empty(len(dummies), lm.hidden, dtype=torch.promote_types(lm.dtype, torch.float32))
    for episode, states in enumerate(read_states_at(lm, dummies, layer, names)):
        theta[episode] = mean_theta(states[None, :, None])[0, 0]
    return theta


@torch.inference_mode()
def read_states_at(
    lm: LanguageModel, prompts: list[list[Ids]], layer: int, names: Sequence[str] | None = None
) -> list[Tensor]:
    """Of every episode the states `[prompt, hidden]` after one block at the last token of its prompts, in the model's
    dtype, on the CPU; the blocks above it are not run.

    Episodes may have different numbers of prompts. Arguments, raises: see `read_states`.
    """
    states = [torch.empty(0)] * len(prompts)

    def keep(episode: int, read: Tensor, _: Tensor) -> None:
        states[episode] = read[:, layer].clone()

    _read(lm, prompts, names or numbered(prompts), keep, top=layer)
    return states


def _read(
    lm: LanguageModel,
    prompts: list[list[Ids]],
    names: Sequence[str],
    keep: Callable[[int, Tensor, Tensor], None],
    done: Callable[[int], None] = no_progress,
    top: int | None = None,
) -> None:
    """Have `keep` called for every episode: its number, states `[prompt, layer, hidden]`, final hidden states
    `[prompt, hidden]`.

    Only blocks up to `top` are run, by default all; else nothing is in the final hidden states.
    """
    for episode, name in zip(prompts, names, strict=True):
        check_lengths(lm, episode, [name] * len(episode))
    shared = [common_prefix(episode) for episode in prompts]

    def read(batch: list[int]) -> None:
        states, final = _read_batch(lm, [prompts[i] for i in batch], shared[batch[0]], top)
        counts = [len(prompts[i]) for i in batch]
        of_rows = [names[i] for i in batch for _ in prompts[i]]
        check_finite(states, of_rows, range(states.shape[1]))
        for i, read_of_it, final_of_it in zip(batch, states.split(counts), final.split(counts), strict=True):
            keep(i, read_of_it, final_of_it)

    tokens = tokens_at_once(lm, READ_TOKENS, kept_copies=max(map(len, prompts), default=1))
    run_in_batches(shared, lambda prefix: tokens // max(prefix, SHORTEST), read, done)


def _read_batch(lm: LanguageModel, prompts: list[list[Ids]], prefix: int, top: int | None) -> tuple[Tensor, Tensor]:
    """States `[row, layer, hidden]` on the CPU and final hidden states `[row, hidden]`, a row for each prompt of each
    episode."""
    cache = prefill(lm, [episode[0][:prefix] for episode in prompts], top) if prefix else None
    episodes = torch.tensor([number for number, episode in enumerate(prompts) for _ in episode])
    suffixes = [ids[prefix:] for episode in prompts for ids in episode]
    states = torch.empty(len(suffixes), lm.layers if top is None else top + 1, lm.hidden, dtype=lm.dtype)
    final = torch.empty(len(suffixes), lm.hidden, dtype=lm.dtype, device=lm.device)
    for group in _of_about_one_length(list(map(len, suffixes))):
        padded, last = _padded(lm, [suffixes[row] for row in group])
        branch = None if cache is None else forked(cache, episodes[group])
        rows = torch.arange(len(group), device=lm.device)
        with _reading(lm, rows, last, top) as read:
            final[group] = lm.run_blocks(padded, branch).to(lm.device)[rows, last]
        states[group] = torch.stack(read, dim=1).cpu()
    return states, final


def _of_about_one_length(lengths: list[int]) -> Iterator[list[int]]:
    """Rows of one length together; too few for a pass of their own join the next longer ones."""
    group: list[int] = []
    for length, rows in by_length(lengths):
        group += rows
        if len(group) * length >= PASS_TOKENS:
            yield group
            group = []
    if group:
        yield group


def _padded(lm: LanguageModel, rows: list[Ids]) -> tuple[Tensor, Tensor]:
    """Token ids `[row, token]`, and the place of each row's last real one `[row]`.

    Padding is on the right: under causal attention no real token ever sees it.
    """
    width = max(map(len, rows))
    padded = torch.tensor([ids + [ids[-1]] * (width - len(ids)) for ids in rows], device=lm.device)
    return padded, torch.tensor([len(ids) - 1 for ids in rows], device=lm.device)


@torch.inference_mode()
def read_prefixes(
    lm: LanguageModel, prefixes: list[list[Ids]], layer: int, names: Sequence[str] | None = None
) -> Tensor:
    """States `[episode, prefix, hidden]` after block `layer` at the last token of every prefix, on the CPU.

    How θ forms while a prompt is read. Where every prefix begins the next one, as ids, one pass over the longest reads
    them all: under causal attention no token sees what follows it. Where a tokenizer merges across a border, each runs
    by itself.

    Args:
        prefixes: `[episode][prefix]` token ids, from short to long; every episode has the same number of prefixes.
        layer: 0-based index of the block; those above it are not run.
        names: of the episodes, for error messages.

    Raises:
        StudyError: see `read_states`.
    """
    names = names or numbered(prefixes)
    count = len(prefixes[0]) if prefixes else 0
    states = torch.empty(len(prefixes), count, lm.hidden, dtype=lm.dtype)
    nested = [i for i, parts in enumerate(prefixes) if all(b[: len(a)] == a for a, b in pairwise(parts))]
    alone = sorted(set(range(len(prefixes))) - set(nested))
    if alone:
        states[alone] = read_states(lm, [prefixes[i] for i in alone], [names[i] for i in alone])[0][:, :, layer]
    longest = [prefixes[i][-1] for i in nested]
    check_lengths(lm, longest, [names[i] for i in nested])

    def read(batch: list[int]) -> None:
        rows = torch.arange(len(batch), device=lm.device).repeat_interleave(count)
        last = torch.tensor([len(ids) - 1 for i in batch for ids in prefixes[nested[i]]], device=lm.device)
        with _reading(lm, rows, last, layer) as read_of_batch:
            lm.run_blocks(_padded(lm, [longest[i] for i in batch])[0])
        of_prefixes = read_of_batch[layer].cpu().unflatten(0, (len(batch), count))
        check_finite(of_prefixes, [names[nested[i]] for i in batch], [layer] * count)
        states[[nested[i] for i in batch]] = of_prefixes

    tokens = tokens_at_once(lm, READ_TOKENS)
    about = [STEP * math.ceil(len(ids) / STEP) for ids in longest]
    run_in_batches(about, lambda length: tokens // max(length, SHORTEST), read)
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
    states = states.to(torch.promote_types(states.dtype, torch.float32))
    away = states - states.mean(dim=1, keepdim=True)
    return away.square().sum(dim=(1, 3)) / (states.shape[1] - 1)


def common_prefix(prompts: list[Ids]) -> int:
    """Number of leading ids that all prompts share, leaving every prompt at least one id of its own."""
    limit = min(map(len, prompts)) - 1
    for position in range(limit):
        if len({ids[position] for ids in prompts}) > 1:
            return position
    return limit


class _ReadError(Exception):
    """All blocks that are wanted have been read."""


@contextmanager
def _reading(lm: LanguageModel, rows: Tensor, positions: Tensor, top: int | None = None) -> Iterator[list[Tensor]]:
    """Collect each block's output at the given positions: a list over layers of `[row, hidden]`, on one device.

    Up to block `top`, where the pass ends; by default up to the last.
    """
    states: list[Tensor] = []
    wanted = lm.blocks if top is None else lm.blocks[: top + 1]

    def keep(block: nn.Module, inputs: Any, output: Any) -> None:
        # Blocks of a large model may lie on several devices.
        hidden = block_hidden(output)
        states.append(hidden[rows.to(hidden.device), positions.to(hidden.device)].to(lm.device))
        if len(states) == len(wanted) < lm.layers and lm.on_one_device:
            raise _ReadError

    with temporary_hooks([block.register_forward_hook(keep) for block in wanted]), suppress(_ReadError):
        yield states
    if len(states) != len(wanted):
        raise StudyError(f"{type(lm.model).__name__}: {len(states)} states were read from {len(wanted)} blocks.")
