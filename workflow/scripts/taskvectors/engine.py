"""Reading θ from the residual stream and patching it back in: what the study exists for.

The engine sees token ids and tensors; it knows nothing of tasks. `layer` is the 0-based index of a block, and a state is
the residual stream after that block, at a prompt's last token, before any final norm (paper, section 3).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

from taskvectors.errors import StudyError
from taskvectors.models import LanguageModel

Ids = list[int]
READ_TOKENS = 2048  # tokens in one forward pass when reading: enough to keep the processor busy
SWEEP_ROWS = 1024  # rows (episodes × layers) at the top of one sweep
SWEEP_CACHE = 65536  # keys of one block in one sweep (rows × tokens before the last)
UNEMBED_ROWS = 256  # last tokens unembedded at once: logits are rows × vocabulary


@torch.inference_mode()
def read_states(lm: LanguageModel, prompts: list[list[Ids]]) -> tuple[Tensor, Tensor]:
    """States after every block, and what the model unembeds, at the last token of every prompt.

    The prompts of one episode share their demonstrations: their longest common prefix of ids runs once, and its KV cache
    is forked for what follows. Ids are compared, not strings, so whole-prompt tokenization is always respected.

    Args:
        prompts: `[episode][prompt]` token ids; every episode has the same number of prompts.

    Returns:
        states `[episode, prompt, layer, hidden]` in the model's dtype, on the CPU;
        final hidden states `[episode, prompt, hidden]` after the final norm, on the model's device, for `next_tokens`.
    """
    count = len(prompts[0]) if prompts else 0
    states = torch.empty(len(prompts), count, lm.layers, lm.hidden, dtype=lm.dtype)
    final = torch.empty(len(prompts), count, lm.hidden, dtype=lm.dtype, device=lm.device)
    shared = [common_prefix(episode) for episode in prompts]
    for batch in _equal_batches(shared, lambda prefix: max(1, READ_TOKENS // max(prefix, 32))):
        states[batch], final[batch] = _read_batch(lm, [prompts[i] for i in batch], shared[batch[0]])
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
        hidden = lm.model.base_model(padded, past_key_values=cache, use_cache=cache is not None).last_hidden_state
    shape = (len(prompts), len(prompts[0]))
    return torch.stack(states, dim=1).unflatten(0, shape).cpu(), hidden[rows, last].unflatten(0, shape)


def mean_theta(states: Tensor) -> Tensor:
    """θ `[episode, layer, hidden]`: the mean over dummy queries of states `[episode, dummy, layer, hidden]`.

    In float32 at least, whatever the model computes in (paper, section 3.1: θ must not depend on one dummy query).
    """
    return states.to(torch.promote_types(states.dtype, torch.float32)).mean(dim=1)


@torch.inference_mode()
def sweep_layers(lm: LanguageModel, prompts: list[Ids], theta: Tensor) -> tuple[Tensor, Tensor]:
    """Greedy next token when the last token's state after block L is replaced by θ_L, for every L, and as it is.

    A staircase: what blocks up to L compute for the last token is irrelevant once its state after L is replaced. So the
    KV cache of the other tokens is computed once, and one upward pass over the last token grows by the rows of θ_L after
    each block L: half the work of one pass per layer, in one launch per block. Its first rows are never patched.

    Args:
        prompts: `[episode]` token ids, two tokens or more each.
        theta: `[episode, layer, hidden]`.

    Returns:
        next tokens with the patch `[episode, layer]` and without `[episode]`, int64, on the CPU.

    Raises:
        StudyError: if a patch did not fire.
    """
    tokens = torch.empty(len(prompts), 1 + lm.layers, dtype=torch.long)
    lengths = [len(ids) for ids in prompts]
    for batch in _equal_batches(lengths, lambda length: max(1, min(SWEEP_ROWS, SWEEP_CACHE // length) // lm.layers)):
        ids = [prompts[i] for i in batch]
        cache = _prefill(lm, [prompt[:-1] for prompt in ids])
        tokens[batch] = _staircase(lm, [prompt[-1] for prompt in ids], cache, theta[batch])
    return tokens[:, 1:], tokens[:, 0]


def _staircase(lm: LanguageModel, last_ids: Ids, cache: Any, theta: Tensor) -> Tensor:
    """Next tokens `[episode, 1 + layer]`. Rows after block L: every episode unpatched, then patched at layer 0, .. L."""
    episodes = len(last_ids)
    theta = theta.to(lm.device, lm.dtype)
    for layer, kept in enumerate(cache.layers):
        kept.keys = kept.keys.repeat(1 + layer, 1, 1, 1)
        kept.values = kept.values.repeat(1 + layer, 1, 1, 1)
    inputs = torch.tensor(last_ids, device=lm.device)[:, None]
    with _growing(lm, theta):
        hidden = lm.model.base_model(inputs, past_key_values=cache, use_cache=True).last_hidden_state
    patched = hidden.shape[0] // episodes - 1
    if patched != lm.layers:
        raise StudyError(f"{type(lm.model).__name__}: the patch fired on {patched} of {lm.layers} blocks.")
    return next_tokens(lm, hidden[:, -1]).unflatten(0, (1 + lm.layers, episodes)).T


def _prefill(lm: LanguageModel, prompts: list[Ids]) -> Any:
    """KV cache of prompts of equal length."""
    return lm.model.base_model(torch.tensor(prompts, device=lm.device), use_cache=True).past_key_values


@torch.inference_mode()
def unembed(lm: LanguageModel, states: Tensor) -> Tensor:
    """Logits `[n, vocabulary]` of states `[n, hidden]` after the model's own final norm and unembedding.

    The states replace the output of the top block, so that the model itself applies whatever follows it.
    """
    one_token = torch.zeros(len(states), 1, dtype=torch.long, device=lm.device)
    replacement = states.to(lm.device, lm.dtype)[:, None]
    handle = lm.blocks[-1].register_forward_hook(lambda block, inputs, output: _with_hidden(output, replacement))
    try:
        return lm.model(one_token, use_cache=False).logits[:, -1].cpu()
    finally:
        handle.remove()


@torch.inference_mode()
def next_tokens(lm: LanguageModel, hidden: Tensor) -> Tensor:
    """Greedy tokens `[n]` of final hidden states `[n, hidden]`, on the CPU; soft-capping and scaling keep the order."""
    unembedding = lm.model.get_output_embeddings()
    return torch.cat([unembedding(rows).argmax(-1).cpu() for rows in hidden.split(UNEMBED_ROWS)])


def common_prefix(prompts: list[Ids]) -> int:
    """Number of leading ids that all prompts share, leaving every prompt at least one id of its own."""
    limit = min(map(len, prompts)) - 1
    for position in range(limit):
        if len({ids[position] for ids in prompts}) > 1:
            return position
    return limit


def _equal_batches(lengths: list[int], size: Callable[[int], int]) -> Iterator[list[int]]:
    """Indices of equal length together, at most `size(length)` at a time: no padding, no mask."""
    order = sorted(range(len(lengths)), key=lambda i: (lengths[i], i))
    for length, group in groupby(order, key=lambda i: lengths[i]):
        members = list(group)
        step = size(length)
        for start in range(0, len(members), step):
            yield members[start : start + step]


def _hidden(output: Any) -> Tensor:
    """Blocks return a tensor in some versions of transformers and a tuple in others."""
    return output[0] if isinstance(output, tuple) else output


def _with_hidden(output: Any, hidden: Tensor) -> Any:
    return (hidden, *output[1:]) if isinstance(output, tuple) else hidden


@contextmanager
def _reading(lm: LanguageModel, rows: Tensor, positions: Tensor) -> Iterator[list[Tensor]]:
    """Collect each block's output at the given positions: a list over layers of `[row, hidden]`."""
    states: list[Tensor] = []
    handles = [
        block.register_forward_hook(lambda module, inputs, output: states.append(_hidden(output)[rows, positions]))
        for block in lm.blocks
    ]
    try:
        yield states
    finally:
        for handle in handles:
            handle.remove()
    if len(states) != lm.layers:
        raise StudyError(f"{type(lm.model).__name__}: {len(states)} states were read from {lm.layers} blocks.")


@contextmanager
def _growing(lm: LanguageModel, theta: Tensor) -> Iterator[None]:
    """Hooks that append the rows θ_L after block L, and fit each block's other arguments to the grown batch."""
    episodes = theta.shape[0]

    def grow(layer: int) -> Callable[[nn.Module, Any, Any], Any]:
        def hook(block: nn.Module, inputs: Any, output: Any) -> Any:
            return _with_hidden(output, torch.cat([_hidden(output), theta[:, layer, None]]))

        return hook

    def fit(layer: int) -> Callable[[nn.Module, Any, Any], Any]:
        def repeat(value: Any) -> Any:
            if isinstance(value, tuple):
                return tuple(repeat(part) for part in value)
            if isinstance(value, Tensor) and value.dim() and value.shape[0] % episodes == 0 and value.shape[0] > 1:
                return value.repeat(1 + layer, *[1] * (value.dim() - 1))
            return value

        def hook(block: nn.Module, arguments: Any, keywords: dict[str, Any]) -> Any:
            return (arguments[0], *map(repeat, arguments[1:])), {
                name: repeat(value) for name, value in keywords.items()
            }

        return hook

    handles = [block.register_forward_hook(grow(layer)) for layer, block in enumerate(lm.blocks)]
    handles += [
        block.register_forward_pre_hook(fit(layer), with_kwargs=True) for layer, block in enumerate(lm.blocks) if layer
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
