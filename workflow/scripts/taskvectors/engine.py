"""Reading θ from the residual stream and patching it back in: what the study exists for.

The engine sees token ids and tensors; it knows nothing of tasks. `layer` is the 0-based index of a block, and a state is
the residual stream after that block, at a prompt's last token, before any final norm (paper, section 3).
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from taskvectors.batches import check_lengths, run_in_batches, tokens_at_once
from taskvectors.errors import StudyError
from taskvectors.models import LanguageModel, Place, block_hidden, map_tensors, with_hidden
from taskvectors.tokens import Ids

READ_TOKENS = 2048  # tokens in one pass when reading on a CPU: enough to keep it busy, few enough for its caches
SWEEP_ROWS = 1024  # rows (episodes × layers) at the top of one sweep on a CPU
UNEMBED_ROWS = 256  # last tokens unembedded at once: logits are rows × vocabulary
SHORTEST = 32  # prompts shorter than this are batched as if they had so many tokens


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
    names = names or _numbered(prompts)
    count = len(prompts[0]) if prompts else 0
    for which in range(count):
        check_lengths(lm, [episode[which] for episode in prompts], names)
    states = torch.empty(len(prompts), count, lm.layers, lm.hidden, dtype=lm.dtype)
    final = torch.empty(len(prompts), count, lm.hidden, dtype=lm.dtype, device=lm.device)
    shared = [common_prefix(episode) for episode in prompts]

    def read(batch: list[int]) -> None:
        found, final[batch] = _read_batch(lm, [prompts[i] for i in batch], shared[batch[0]])
        _check_finite(found.flatten(1, 2), [names[i] for i in batch], list(range(lm.layers)) * count)
        states[batch] = found

    tokens = tokens_at_once(lm, READ_TOKENS, kept_copies=count)
    run_in_batches(shared, lambda prefix: tokens // max(prefix, SHORTEST), read)
    return states, final


def _read_batch(lm: LanguageModel, prompts: list[list[Ids]], prefix: int) -> tuple[Tensor, Tensor]:
    cache = None
    if prefix:
        cache = _prefill(lm, [episode[0][:prefix] for episode in prompts])
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
    names = names or _numbered(prefixes)
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
        _check_finite(its.flatten(1, 2), [names[nested[i]] for i in batch], list(range(lm.layers)) * count)
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


@torch.inference_mode()
def sweep_layers(
    lm: LanguageModel,
    prompts: list[Ids],
    theta: Tensor,
    answer_tokens: int = 1,
    names: Sequence[str] | None = None,
    layers: Sequence[int] | None = None,
) -> tuple[Tensor, Tensor]:
    """Greedy answers when the last token's state after block L is replaced by θ_L, for every L, and as it is.

    A staircase: what blocks up to L compute for the last token is irrelevant once its state after L is replaced. So the
    KV cache of the other tokens is computed once, and one upward pass over the last token grows by the rows of θ_L after
    each block L: half the work of one pass per layer, in one launch per block. Its first rows are never patched.

    Args:
        prompts: `[episode]` token ids, two tokens or more each; with or without demonstrations.
        theta: `[episode, layer, hidden]`, of the layers that are patched.
        answer_tokens: length of the answers. The patch is applied once, at the prompt's last token; later tokens see it
            through the KV cache.
        names: how to call each episode in an error message.
        layers: patch at these only, in ascending order; at all by default. One that stands several times has several
            vectors patched in, each by itself.

    Returns:
        tokens with the patch `[episode, layer, answer_tokens]` and without `[episode, answer_tokens]`, int64, on the CPU.

    Raises:
        StudyError: if a patch did not fire or led to NaN or infinite values, a prompt is too short or exceeds the
            model's context, or one episode exceeds the memory.
    """
    names = names or _numbered(prompts)
    check_lengths(lm, prompts, names, shortest=2, answer_tokens=answer_tokens)
    layers = list(range(lm.layers) if layers is None else layers)
    _check_finite(theta, [f"θ of {name}" for name in names], layers)
    tokens = torch.empty(len(prompts), 1 + len(layers), answer_tokens, dtype=torch.long)

    def sweep(batch: list[int]) -> None:
        cache = _prefill(lm, [prompts[i][:-1] for i in batch])
        last_ids = [prompts[i][-1] for i in batch]
        tokens[batch] = _staircase(lm, last_ids, cache, theta[batch], layers, answer_tokens, [names[i] for i in batch])

    # One block's cache is held for all rows at a time, or all blocks' caches if the answers go on.
    rows = tokens_at_once(lm, SWEEP_ROWS * SHORTEST, kept_copies=1 if answer_tokens > 1 else 1 / lm.layers)
    lengths = [len(ids) for ids in prompts]
    run_in_batches(lengths, lambda length: rows // max(length, SHORTEST) // (1 + len(layers)), sweep)
    return tokens[:, 1:], tokens[:, 0]


def _staircase(
    lm: LanguageModel,
    last_ids: Ids,
    cache: Any,
    theta: Tensor,
    layers: list[int],
    answer_tokens: int,
    names: list[str],
) -> Tensor:
    """Answers `[episode, 1 + layer, token]`. Rows after block L: every episode unpatched, then patched at layers up to L."""
    episodes = len(last_ids)
    with _growing(lm, theta, layers, cache, keep=answer_tokens > 1):
        hidden = _extend(lm, cache, last_ids * (1 + len(layers)))
    patched = hidden.shape[0] // episodes - 1
    if patched != len(layers):
        raise StudyError(f"{type(lm.model).__name__}: the patch fired on {patched} of {len(layers)} blocks.")
    shape = (1 + len(layers), episodes)
    _check_finite(hidden.unflatten(0, shape).transpose(0, 1), names, [None, *layers])
    tokens = [next_tokens(lm, hidden)]
    if answer_tokens > 1:
        for layer, kept in enumerate(cache.layers):
            # Rows patched at this layer or above had not left the unpatched row yet.
            missing = len(layers) - bisect_left(layers, layer)
            kept.keys = torch.cat([kept.keys, kept.keys[:episodes].repeat(missing, 1, 1, 1)])
            kept.values = torch.cat([kept.values, kept.values[:episodes].repeat(missing, 1, 1, 1)])
        tokens += _continue(lm, cache, tokens[0], answer_tokens - 1)
    return torch.stack(tokens, dim=1).unflatten(0, shape).transpose(0, 1)


@torch.inference_mode()
def continue_prompts(
    lm: LanguageModel, prompts: list[Ids], answer_tokens: int, names: Sequence[str] | None = None
) -> Tensor:
    """Greedy continuations `[episode, answer_tokens]` of prompts as they are, int64, on the CPU.

    Args:
        prompts: `[episode]` token ids, two tokens or more each.
        names: how to call each episode in an error message.
    """
    names = names or _numbered(prompts)
    check_lengths(lm, prompts, names, shortest=2, answer_tokens=answer_tokens)
    tokens = torch.empty(len(prompts), answer_tokens, dtype=torch.long)

    def run(batch: list[int]) -> None:
        cache = _prefill(lm, [prompts[i][:-1] for i in batch])
        last = torch.tensor([prompts[i][-1] for i in batch])
        tokens[batch] = torch.stack(_continue(lm, cache, last, answer_tokens), dim=1)

    at_once = tokens_at_once(lm, READ_TOKENS)
    run_in_batches([len(ids) for ids in prompts], lambda length: at_once // max(length, SHORTEST), run)
    return tokens


def _continue(lm: LanguageModel, cache: Any, tokens: Tensor, count: int) -> list[Tensor]:
    """The next `count` greedy tokens, each `[row]`, after a cached context and one more token `[row]`."""
    found = []
    for _ in range(count):
        tokens = next_tokens(lm, _extend(lm, cache, tokens.tolist()))
        found.append(tokens)
    return found


def _extend(lm: LanguageModel, cache: Any, ids: Ids) -> Tensor:
    """Final hidden states `[row, hidden]` of one more token per row; the cache grows by it."""
    return lm.run_blocks(torch.tensor(ids, device=lm.device)[:, None], cache)[:, -1]


def _prefill(lm: LanguageModel, prompts: list[Ids]) -> Any:
    """KV cache of prompts of equal length."""
    cache = lm.empty_cache()
    lm.run_blocks(torch.tensor(prompts, device=lm.device), cache)
    return cache


@torch.inference_mode()
def unembed(lm: LanguageModel, states: Tensor) -> Tensor:
    """Logits `[n, vocabulary]` of states `[n, hidden]` after the model's own final norm and unembedding.

    The states replace the output of the top block, so that the model itself applies whatever follows it.
    """
    one_token = torch.zeros(len(states), 1, dtype=torch.long, device=lm.device)

    def replace(block: nn.Module, inputs: Any, output: Any) -> Any:
        return with_hidden(output, states.to(block_hidden(output))[:, None])

    handle = lm.blocks[-1].register_forward_hook(replace)
    try:
        return lm.model(one_token, use_cache=False).logits[:, -1].cpu()
    finally:
        handle.remove()


@torch.inference_mode()
def next_tokens(lm: LanguageModel, hidden: Tensor) -> Tensor:
    """Greedy tokens `[n]` of final hidden states `[n, hidden]`, on the CPU; soft-capping and scaling keep the order."""
    unembedding = lm.model.get_output_embeddings()
    chunks = hidden.to(unembedding.weight.device).split(UNEMBED_ROWS)
    return torch.cat([unembedding(rows).argmax(-1) for rows in chunks]).cpu()


def common_prefix(prompts: list[Ids]) -> int:
    """Number of leading ids that all prompts share, leaving every prompt at least one id of its own."""
    limit = min(map(len, prompts)) - 1
    for position in range(limit):
        if len({ids[position] for ids in prompts}) > 1:
            return position
    return limit


def _numbered(prompts: Sequence[Any]) -> list[str]:
    """Names of episodes that the caller gave none."""
    return [f"episode {number}" for number in range(len(prompts))]


def _check_finite(states: Tensor, names: Sequence[str], layers: Sequence[int | None]) -> None:
    """Raise StudyError if states `[episode, row, hidden]` hold NaN or infinity; `layers` gives each row's layer."""
    bad = (~states.isfinite().all(dim=-1)).nonzero()
    if len(bad):
        episode, row = bad[0].tolist()
        where = "without a patch" if layers[row] is None else f"at layer {layers[row]}"
        raise StudyError(
            f"{names[episode]}: NaN or infinite values {where}. float16 overflows in some models: set `dtype` of this "
            "model to bfloat16 or float32 in config/models.yaml."
        )


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


@contextmanager
def _growing(lm: LanguageModel, theta: Tensor, layers: list[int], cache: Any, *, keep: bool) -> Iterator[None]:
    """Hooks that append the rows θ_L after block L, and fit each block's arguments and its cache to the rows that are there.

    The model is given as many rows as there will be at the top, so that whatever it does before and behind its blocks suits them;
    the lowest block is handed the first rows alone.
    """
    episodes = theta.shape[0]
    rows = episodes * (1 + len(layers))
    fixed = lm.fixed_arguments  # before there are hooks: the model runs for it

    def fit(layer: int) -> Callable[[nn.Module, Any, Any], Any]:
        copies = 1 + bisect_left(layers, layer)  # the unpatched rows, and those patched below

        def narrow(place: Place, value: Tensor) -> Tensor:
            if place in fixed or len(value) % rows:
                return value
            return value[: len(value) // (1 + len(layers)) * copies]

        def hook(block: nn.Module, arguments: Any, keywords: dict[str, Any]) -> Any:
            kept = cache.layers[layer]
            kept.keys, kept.values = (held.repeat(copies, 1, 1, 1) for held in (kept.keys, kept.values))
            others = map_tensors(narrow, {"arguments": arguments[1:], "keywords": keywords})
            hidden = arguments[0] if layer else arguments[0][:episodes]
            return (hidden, *others["arguments"]), others["keywords"]

        return hook

    def grow(layer: int) -> Callable[[nn.Module, Any, Any], Any]:
        def hook(block: nn.Module, inputs: Any, output: Any) -> Any:
            if not keep:  # nothing will look at these rows again; one tells blocks above how many tokens there are
                kept = cache.layers[layer]
                kept.keys, kept.values = (held[:1].clone() for held in (kept.keys, kept.values))
            hidden = block_hidden(output)
            added = [theta[:, place, None].to(hidden) for place, its in enumerate(layers) if its == layer]
            return with_hidden(output, torch.cat([hidden, *added])) if added else output

        return hook

    handles = [block.register_forward_hook(grow(layer)) for layer, block in enumerate(lm.blocks)]
    handles += [block.register_forward_pre_hook(fit(layer), with_kwargs=True) for layer, block in enumerate(lm.blocks)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
