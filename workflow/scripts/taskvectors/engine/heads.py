"""The outputs of attention heads at the last token: the input of the layer that mixes them, a slice for each head.

Read and replaced there, not behind that layer: what a head adds to the residual stream is a projection of its slice
only where no norm follows (Gemma 3 has one), and the slices together need not be as wide as the stream.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from taskvectors.data.tokens import Ids
from taskvectors.engine.definition import Intervention
from taskvectors.engine.distribution import probabilities
from taskvectors.engine.passes import READ_TOKENS, SHORTEST, check_finite, numbered, prefill
from taskvectors.engine.patch import AS_IT_IS, patched_states
from taskvectors.models.batches import check_lengths, run_in_batches, tokens_at_once
from taskvectors.models.language_model import LanguageModel, block_hidden, refused, temporary_hooks

Head = tuple[int, int]  # layer, number in its layer
SAME = 1e-3  # relative difference up to which two states are the same
CHANGED = 1000.0  # by so much values are changed to see which slices change
NOTICED = 1.0  # a slice has changed if it differs by more: beyond rounding, but a sink may take most of the attention


@torch.inference_mode()
def head_count(lm: LanguageModel) -> int:
    """Heads of every block.

    Raises:
        StudyError: if slices of what blocks mix are not heads. It is tried in the lowest block: where the values of
            one group of heads change, the slices of that group change, and no others. Where the heads of a group lie
            among its slices is not tried.
    """
    config = lm.model.config.get_text_config()
    heads = getattr(config, "num_attention_heads", None)
    if not isinstance(heads, int) or {*(getattr(config, "num_attention_heads_per_layer", None) or [heads])} != {heads}:
        raise refused(lm.model, "its configuration does not say one number of attention heads")
    groups = prefill(lm, [[0]]).layers[0].values.shape[1]
    cache: Any = lm.empty_cache()
    keep = cache.layers[0].update

    def update(*arguments: Any, **options: Any) -> tuple[Tensor, Tensor]:
        keys, values = keep(*arguments, **options)
        return keys, torch.cat([values[:1], values[1:] + CHANGED * torch.eye(groups).to(values)[:, :, None, None]])

    cache.layers[0].update = update
    # One token: whatever heads attend to, they attend to it alone.
    mixed = _heads_of_pass(lm, torch.zeros(1 + groups, 1, dtype=torch.long, device=lm.device), cache)
    if heads % groups or any(layer.shape[-1] % heads for layer in mixed):
        raise refused(lm.model, f"its {heads} attention heads do not divide what its blocks mix")
    lowest = mixed[0]  # above it all heads see what the lower ones changed
    changed = ((lowest[1:] - lowest[:1]).abs() > NOTICED).unflatten(1, (heads, -1)).any(dim=-1)
    if not changed.any():
        raise refused(lm.model, "its cache does not hold the values of attention heads")
    if not torch.equal(changed.cpu(), torch.eye(groups, dtype=torch.bool).repeat_interleave(heads // groups, dim=1)):
        raise refused(lm.model, "its attention heads cannot be distinguished in what its blocks mix")
    return heads


def head_mask(width: int, count: int, heads: Sequence[int]) -> Tensor:
    """Where the outputs of some of a block's `count` heads lie in what it mixes `[width]` (`Intervention.mask`)."""
    mask = torch.zeros(count, width // count, dtype=torch.bool)
    mask[list(heads)] = True
    return mask.flatten()


@torch.inference_mode()
def read_heads(lm: LanguageModel, prompts: list[Ids], names: Sequence[str] | None = None) -> list[Tensor]:
    """What every block mixes at the last token of each prompt: by layer `[episode, width]`, on the CPU; widths may
    differ.

    Raises:
        StudyError: if a value is not finite, a prompt exceeds the model's context, or one exceeds the memory.
    """
    names = names or numbered(prompts)
    check_lengths(lm, prompts, names, shortest=2)
    read: list[Tensor] = [
        torch.empty(len(prompts), mixer.shape[-1], dtype=lm.dtype)
        for mixer in _heads_of_pass(lm, torch.zeros(1, 1, dtype=torch.long, device=lm.device), None)
    ]

    def run(batch: list[int]) -> None:
        cache = prefill(lm, [prompts[i][:-1] for i in batch])
        mixed = _heads_of_pass(lm, torch.tensor([prompts[i][-1:] for i in batch], device=lm.device), cache)
        for layer, rows in enumerate(mixed):
            check_finite(rows[:, None], [names[i] for i in batch], [layer])
            read[layer][batch] = rows.cpu()

    tokens = tokens_at_once(lm, READ_TOKENS)
    run_in_batches([len(ids) for ids in prompts], lambda length: tokens // max(length, SHORTEST), run)
    return read


def _heads_of_pass(lm: LanguageModel, ids: Tensor, cache: Any) -> list[Tensor]:
    """By layer what is mixed `[row, width]` at the last of the tokens `[row, token]`."""
    mixed: list[Tensor] = []

    def keep(mixer: nn.Module, inputs: Any) -> None:
        mixed.append(inputs[0][:, -1])

    with temporary_hooks([mixer.register_forward_pre_hook(keep) for mixer in lm.head_mixers]):
        lm.run_blocks(ids, cache)
    if len(mixed) != lm.layers:
        raise refused(lm.model, f"the heads of its {lm.layers} blocks were mixed {len(mixed)} times in one pass")
    return mixed


@torch.inference_mode()
def indirect_effects(
    lm: LanguageModel, prompts: list[Ids], means: list[Tensor], answers: Tensor, names: Sequence[str] | None = None
) -> Tensor:
    """Causal indirect effect `[episode, layer, head]` of every head (Todd et al. 2023, arXiv 2310.15213, section 2.3).

    The probability of an answer when the head's output at the last token is replaced by a mean, less that without. A
    head changes nothing below it: one upward pass runs all heads of an episode.

    Args:
        prompts: `[episode]` token ids, of demonstrations that do not show the task.
        means: by layer `[episode, width]`: what is put in (see `read_heads`).
        answers: `[episode]`: the token whose probability is measured.

    Raises:
        StudyError: see `patched_answers` and `head_count`.
    """
    heads = head_count(lm)
    each = [
        Intervention(layer, mean, site="heads", mask=head_mask(mean.shape[1], heads, [head]))
        for layer, mean in enumerate(means)
        for head in range(heads)
    ]
    states = patched_states(lm, prompts, [AS_IT_IS, *each], names)
    # One episode at a time, into one tensor. Small results that stay between logits split the freed memory, so that
    # the next logits do not fit in it: 18,000 rows of 152,000 logits in bfloat16 took 20 GB.
    effects = torch.empty(len(prompts), len(each), dtype=torch.promote_types(lm.dtype, torch.float32))
    for episode, (of_episode, answer) in enumerate(zip(states, answers, strict=True)):
        likely = probabilities(lm, of_episode, answer.expand(len(of_episode)))
        effects[episode] = likely[1:] - likely[0]
    return effects.unflatten(1, (lm.layers, heads))


def put_in(heads: Sequence[Sequence[Head]], means: list[Tensor], count: int) -> tuple[Intervention, ...]:
    """Interventions, one a layer, that put the outputs of heads in together.

    Args:
        heads: which, in every episode.
        means: by layer what is mixed `[episode, width]`; of these heads it is put in.
        count: heads of every block.
    """
    together = []
    for layer in sorted({layer for of_episode in heads for layer, _ in of_episode}):
        width = means[layer].shape[1]
        of_layer = [[head for at, head in of_episode if at == layer] for of_episode in heads]
        mask = torch.stack([head_mask(width, count, here) for here in of_layer])
        together.append(Intervention(layer, means[layer], site="heads", mask=mask))
    return tuple(together)


@torch.inference_mode()
def norm_follows(lm: LanguageModel) -> bool:
    """Whether a norm follows the layer that mixes heads, so that what heads add to the stream is no sum over heads.

    It is tried: behind a norm, a large mixed output and one of twice its size give the same.
    """
    ids, states = torch.arange(4, device=lm.device)[None], list[Tensor]()  # a padding token may be nothing
    for size in (CHANGED, 2 * CHANGED):
        larger = lm.head_mixers[0].register_forward_hook(
            lambda mixer, inputs, output, size=size: size * output / output.abs().max().clamp_min(1e-30)
        )
        keep = lm.blocks[0].register_forward_hook(lambda block, inputs, output: states.append(block_hidden(output)))
        with temporary_hooks([larger, keep]):
            lm.run_blocks(ids, None)
    once, doubled = (state.float() for state in states)
    return bool((doubled - once).norm() < SAME * once.norm())


@torch.inference_mode()
def summed(lm: LanguageModel, heads: Sequence[Sequence[Head]], means: list[Tensor], count: int) -> Tensor:
    """The sum of what heads add to the residual stream `[episode, hidden]`, on the CPU: a function vector (Todd et al.
    2023, arXiv 2310.15213, equation 5). Right only where no norm follows (`norm_follows`).

    Arguments: see `put_in`.
    """
    total = torch.zeros(len(heads), lm.hidden)
    for step in put_in(heads, means, count):
        assert step.mask is not None
        mixer, outputs = lm.head_mixers[step.layer], torch.where(step.mask, step.vectors, 0).to(lm.device, lm.dtype)
        total += (mixer(outputs) - mixer(torch.zeros_like(outputs))).float().cpu()  # less a bias
    return total
