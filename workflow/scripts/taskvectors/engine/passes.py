"""Passes over prompts that reading and patching share: prefill, one more token, continuations."""

from collections.abc import Sequence
from copy import copy
from typing import Any

import torch
from torch import Tensor

from taskvectors.data.tokens import Ids
from taskvectors.engine.unembed import next_tokens
from taskvectors.errors import StudyError
from taskvectors.models.batches import check_lengths, run_in_batches, tokens_at_once
from taskvectors.models.language_model import LanguageModel

READ_TOKENS = 2048  # tokens in one pass when reading on a CPU: enough to keep it busy, few enough for its caches
SHORTEST = 32  # prompts shorter than this are batched as if they had so many tokens


@torch.inference_mode()
def continue_prompts(
    lm: LanguageModel, prompts: list[Ids], answer_tokens: int, names: Sequence[str] | None = None
) -> Tensor:
    """Greedy continuations `[episode, answer_tokens]` of unpatched prompts, int64, on the CPU; equal prompts run once.

    Args:
        prompts: `[episode]` token ids, two tokens or more each.
        names: of the episodes, for error messages.
    """
    names = names or numbered(prompts)
    check_lengths(lm, prompts, names, shortest=2, answer_tokens=answer_tokens)
    place = {ids: number for number, ids in enumerate(dict.fromkeys(map(tuple, prompts)))}
    different = [list(ids) for ids in place]
    tokens = torch.empty(len(different), answer_tokens, dtype=torch.long)

    def run(batch: list[int]) -> None:
        cache = prefill(lm, [different[i][:-1] for i in batch])
        last = torch.tensor([different[i][-1] for i in batch])
        tokens[batch] = torch.stack(continue_from(lm, cache, last, answer_tokens), dim=1)

    at_once = tokens_at_once(lm, READ_TOKENS)
    run_in_batches([len(ids) for ids in different], lambda length: at_once // max(length, SHORTEST), run)
    return tokens[[place[tuple(ids)] for ids in prompts]]


def continue_from(lm: LanguageModel, cache: Any, tokens: Tensor, count: int) -> list[Tensor]:
    """The next `count` greedy tokens, each `[row]`, after a cached context and one more token `[row]`."""
    continued = []
    for _ in range(count):
        tokens = next_tokens(lm, extend(lm, cache, tokens.tolist()))
        continued.append(tokens)
    return continued


def extend(lm: LanguageModel, cache: Any, ids: Ids) -> Tensor:
    """Final hidden states `[row, hidden]` of one more token per row; the cache grows by it."""
    return lm.run_blocks(torch.tensor(ids, device=lm.device)[:, None], cache)[:, -1]


class Replayed:
    """In the place of a block's forward: what it gave before. Nothing runs."""

    def __init__(self, output: Any) -> None:
        self.output = output

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self.output


class _FilledError(Exception):
    """The uppermost block that is wanted has kept its keys and values."""


def prefill(lm: LanguageModel, prompts: list[Ids], top_layer: int | None = None) -> Any:
    """KV cache of prompts of equal length, up to a block; by default up to the top one.

    That block's output is not needed, so the pass ends when it has kept its keys and values.
    """
    cache = lm.empty_cache()
    top: Any = cache.layers[-1 if top_layer is None else top_layer]
    keep = top.update

    def update(*arguments: Any, **options: Any) -> None:
        keep(*arguments, **options)
        raise _FilledError

    if lm.on_one_device:  # what moves between devices is moved back at the end of a whole pass
        top.update = update
    try:
        lm.run_blocks(torch.tensor(prompts, device=lm.device), cache)
    except _FilledError:
        pass
    finally:
        vars(top).pop("update", None)
    return cache


def forked(cache: Any, prompts: Tensor) -> Any:
    """A copy of a cache for some of its prompts `[row]`, repeated as listed.

    Places are on the CPU: blocks, and so their caches, may lie on several devices.
    """
    branch = copy(cache)
    branch.layers = [copy(layer) for layer in cache.layers]
    return selected(branch, prompts)


def selected(cache: Any, prompts: Tensor) -> Any:
    """A cache that from now on is for these of its prompts `[row]`."""
    cache.batch_select_indices(prompts)
    return cache


def numbered(prompts: Sequence[Any]) -> list[str]:
    """Names of episodes that the caller gave none."""
    return [f"episode {number}" for number in range(len(prompts))]


def check_finite(states: Tensor, names: Sequence[str], layers: Sequence[int | None]) -> None:
    """Raise StudyError if states `[episode, row, hidden]` hold NaN or infinity; `layers` gives each row's layer."""
    bad = (~states.isfinite().all(dim=-1)).nonzero()
    if len(bad):
        episode, row = bad[0].tolist()
        where = "without a patch" if layers[row] is None else f"at layer {layers[row]}"
        raise StudyError(
            f"{names[episode]}: NaN or infinite values {where}. float16 overflows in some models: set `dtype` of this "
            "model to bfloat16 or float32 in config/models.yaml."
        )
