"""Patching the residual stream: θ, or any other vector, put into prompts' passes, many side by side in one batch.

The engine sees token ids and tensors; it knows nothing of tasks. `layer` is the 0-based index of a block (paper,
section 3).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache as cached
from typing import Any

import torch
from torch import Tensor, nn

from taskvectors.data.tokens import Ids
from taskvectors.engine.definition import Change, Intervention, together
from taskvectors.engine.passes import SHORTEST, check_finite, continue_from, extend, forked, numbered, prefill, selected
from taskvectors.engine.unembed import next_tokens
from taskvectors.errors import StudyError
from taskvectors.models.batches import check_lengths, no_progress, run_in_batches, tokens_at_once
from taskvectors.models.language_model import (
    LanguageModel,
    Place,
    block_hidden,
    map_tensors,
    refused,
    temporary_hooks,
    with_hidden,
)

AS_IT_IS: Change = ()  # none
# Rows (episodes × interventions) at the top of one sweep on a CPU: low blocks have few of them. Fewer where answers go
# on, as the caches of all blocks are held then.
SWEEP_ROWS, SWEEP_ROWS_GOING_ON = 4096, 1024


@torch.inference_mode()
def sweep_layers(
    lm: LanguageModel,
    prompts: list[Ids],
    theta: Tensor,
    answer_tokens: int = 1,
    names: Sequence[str] | None = None,
    layers: Sequence[int] | None = None,
    done: Callable[[int], None] = no_progress,
) -> tuple[Tensor, Tensor]:
    """Greedy answers when the last token's state after block L is replaced by θ_L, for every L, and without that.

    Args:
        theta: `[episode, layer, hidden]`, of the layers that are patched.
        layers: patch at these only; at all by default. A layer that is repeated has several vectors, each by itself.

    Returns, other arguments, raises: see `patched_answers`.
    """
    at = range(lm.layers) if layers is None else layers
    interventions = [Intervention(layer, theta[:, place]) for place, layer in enumerate(at)]
    return patched_answers(lm, prompts, interventions, answer_tokens, names, done)


@torch.inference_mode()
def patched_answers(
    lm: LanguageModel,
    prompts: list[Ids],
    changes: Sequence[Change],
    answer_tokens: int = 1,
    names: Sequence[str] | None = None,
    done: Callable[[int], None] = no_progress,
) -> tuple[Tensor, Tensor]:
    """Greedy answers of prompts under each change by itself, and without any.

    Args:
        prompts: `[episode]` token ids, two tokens or more each; with or without demonstrations.
        changes: interventions, in any order; those of a tuple act together.
        answer_tokens: length of the answers. An intervention acts once, on the prompt; later tokens see it through the
            KV cache.
        names: of the episodes, for error messages.

    Returns:
        tokens `[episode, change, answer_tokens]` and, without any, `[episode, answer_tokens]`, int64, on the CPU.

    Raises:
        StudyError: if an intervention did not act or led to NaN or infinite values, a prompt is too short or exceeds
            the model's context, or one episode exceeds the memory.
    """
    changes = [AS_IT_IS, *changes]
    tokens = torch.empty(len(prompts), len(changes), answer_tokens, dtype=torch.long)
    _run(lm, prompts, changes, names, _answering(lm, tokens), done, answer_tokens)
    return tokens[:, 1:], tokens[:, 0]


@torch.inference_mode()
def answers_and_states(
    lm: LanguageModel,
    prompts: list[Ids],
    changes: Sequence[Change],
    answer_tokens: int = 1,
    names: Sequence[str] | None = None,
) -> tuple[Tensor, Tensor]:
    """What `patched_answers` and `patched_states` give, of the same passes.

    Returns:
        tokens `[episode, change, answer_tokens]`, int64, and final hidden states `[episode, change, hidden]`, on the
        CPU.

    Arguments, raises: see `patched_answers`; `AS_IT_IS` may be one of the changes.
    """
    tokens = torch.empty(len(prompts), len(changes), answer_tokens, dtype=torch.long)
    states = torch.empty(len(prompts), len(changes), lm.hidden, dtype=lm.dtype)
    answer, keep = _answering(lm, tokens), _keeping(states)

    def both(batch: list[int], places: list[int], hidden: Tensor, cache: Callable[[], Any]) -> None:
        keep(batch, places, hidden, cache)
        answer(batch, places, hidden, cache)

    _run(lm, prompts, changes, names, both, answer_tokens=answer_tokens)
    return tokens, states


@torch.inference_mode()
def patched_states(
    lm: LanguageModel,
    prompts: list[Ids],
    changes: Sequence[Change],
    names: Sequence[str] | None = None,
) -> Tensor:
    """What the model unembeds under each change by itself; `AS_IT_IS` may be one. For
    `taskvectors.engine.distribution`.

    Returns:
        final hidden states `[episode, change, hidden]`, in the model's dtype, on the CPU.

    Arguments, raises: see `patched_answers`.
    """
    states = torch.empty(len(prompts), len(changes), lm.hidden, dtype=lm.dtype)
    _run(lm, prompts, changes, names, _keeping(states))
    return states


# Called with episodes, places of changes, final hidden states `[place, episode, hidden]`, and a function that returns
# the cache of these rows.
Keep = Callable[[list[int], list[int], Tensor, Callable[[], Any]], None]


def _keeping(states: Tensor) -> Keep:
    """What puts final hidden states where they belong in `[episode, change, hidden]`."""

    def keep(batch: list[int], places: list[int], hidden: Tensor, cache: Callable[[], Any]) -> None:
        states[torch.tensor(batch)[:, None], places] = hidden.transpose(0, 1).cpu()

    return keep


def _answering(lm: LanguageModel, tokens: Tensor) -> Keep:
    """What puts greedy answers where they belong in `[episode, change, answer_tokens]`."""
    further = tokens.shape[2] - 1

    def answer(batch: list[int], places: list[int], hidden: Tensor, cache: Callable[[], Any]) -> None:
        first = next_tokens(lm, hidden.flatten(0, 1))
        continued = continue_from(lm, cache(), first, further) if further else []
        answers = torch.stack([first, *continued], dim=1).unflatten(0, hidden.shape[:2])
        tokens[torch.tensor(batch)[:, None], places] = answers.transpose(0, 1)

    return answer


def _run(
    lm: LanguageModel, prompts: list[Ids], changes: Sequence[Change], names: Sequence[str] | None, keep: Keep,
    done: Callable[[int], None] = no_progress, answer_tokens: int = 1,
) -> None:  # fmt: skip
    """Run all prompts under each change, in batches."""
    names = names or numbered(prompts)
    check_lengths(lm, prompts, names, shortest=2, answer_tokens=answer_tokens)
    for intervention in (one for change in changes for one in together(change)):
        layers = [intervention.layer] * intervention.by_position.shape[1]
        check_finite(intervention.by_position, [f"θ of {name}" for name in names], layers)
    # In the order in which they join the staircase. Those on earlier tokens change what later ones see, and those that
    # act together are not on one step: both run by themselves.
    rising = {i: change for i, change in enumerate(changes) if isinstance(change, Intervention) and change.on_last}
    unchanged = [i for i, change in enumerate(changes) if not together(change)]
    order = sorted(rising, key=lambda i: (rising[i].layer, rising[i].site != "heads"))

    def run(batch: list[int]) -> None:
        ids, called = [prompts[i] for i in batch], [names[i] for i in batch]
        if unchanged or rising:
            hidden, cache = climb(lm, ids, [rising[i].of(batch) for i in order], called, keep=answer_tokens > 1)
            first = 0 if unchanged else 1  # whether unpatched prompts are wanted
            of_changes = torch.arange(first * len(batch), (1 + len(order)) * len(batch))
            keep(
                batch,
                [*unchanged[:1], *order],
                hidden[first:],
                lambda: selected(cache(), of_changes) if first else cache(),
            )
        prefix = cached(lambda: prefill(lm, [one[:-1] for one in ids]))
        for i, change in enumerate(changes):
            if i not in rising and i not in unchanged[:1]:
                one = tuple(intervention.of(batch) for intervention in together(change))
                keep(batch, [i], *_by_itself(lm, ids, one, called, prefix))

    # All blocks' caches are held of the prompts, and one block's of all rows at a time; of all rows if the answers go
    # on.
    copies = 1 + len(rising)
    if answer_tokens > 1:
        tokens = tokens_at_once(lm, SWEEP_ROWS_GOING_ON * SHORTEST)
    else:
        tokens = tokens_at_once(lm, SWEEP_ROWS * SHORTEST, kept_copies=1 / copies + 1 / lm.layers)
    lengths = [len(ids) for ids in prompts]
    run_in_batches(lengths, lambda length: tokens // max(length, SHORTEST) // copies, run, done)


def climb(
    lm: LanguageModel, prompts: list[Ids], steps: list[Intervention], names: Sequence[str], *, keep: bool
) -> tuple[Tensor, Callable[[], Any]]:
    """Final hidden states `[1 + step, episode, hidden]` of prompts of equal length: unpatched, then under each
    intervention on the last token; and, if the caches of all rows are kept, how to come by them.

    A staircase: what blocks up to L compute for the last token is irrelevant once its state after L is replaced. So
    the KV cache of the other tokens is computed once, and one upward pass over the last token grows by the rows of
    each intervention where it acts: half the work of one pass per layer, in one launch per block. Its first rows are
    never patched.
    """
    episodes, length = len(prompts), len(prompts[0])
    last_ids = [ids[-1] for ids in prompts]
    for again in (False, True):
        cache = prefill(lm, [ids[:-1] for ids in prompts])
        stairs = Staircase(lm, cache, steps, episodes, length, keep=keep)
        try:
            with stairs.hooked():
                hidden = extend(lm, cache, last_ids * (1 + len(steps)))
            break
        except UnknownArgumentError as unknown:
            if again:
                raise refused(lm.model, str(unknown)) from None
            lm.learn_arguments(length)
    if hidden.shape[0] != episodes * (1 + len(steps)) or stairs.acted != len(steps):
        raise StudyError(f"{type(lm.model).__name__}: {stairs.acted} of {len(steps)} patches fired.")
    hidden = hidden.unflatten(0, (1 + len(steps), episodes))
    check_finite(hidden.transpose(0, 1), names, [None, *(step.layer for step in steps)])
    return hidden, stairs.complete_cache


class UnknownArgumentError(Exception):
    """An argument of a block whose batch dimension we cannot predict."""


class Staircase:
    """The rows of the last token on their way up: every episode unpatched, then every episode again for each
    intervention, from the block at which it acts.

    The model is given as many rows as there will be at the top, so that whatever it does before and behind its blocks
    suits them; the lowest block gets the first rows alone, and every block gets arguments and a cache for the rows
    that are there.
    """

    def __init__(
        self, lm: LanguageModel, cache: Any, steps: list[Intervention], episodes: int, length: int, *, keep: bool
    ) -> None:
        """Of `steps` in the order in which they join; `keep` the caches of all rows, as the answers go on."""
        self.lm, self.cache, self.steps, self.episodes, self.keep = lm, cache, steps, episodes, keep
        self.arguments = lm.argument_rows(length)  # before there are hooks: the model runs for it
        self.acted = 0

    def joined(self, layer: int) -> int:
        """How many interventions have rows of their own inside block `layer`: those below it, and those on its
        heads."""
        return sum(step.layer < layer or (step.layer == layer and step.site == "heads") for step in self.steps)

    def before_block(self, layer: int, arguments: Any, keywords: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The rows that are there, and one more an episode for each intervention on this block's heads; and what suits
        them."""
        copies = 1 + self.joined(layer)
        kept = self.cache.layers[layer]
        kept.keys, kept.values = (held.repeat(copies, 1, 1, 1) for held in (kept.keys, kept.values))
        hidden = arguments[0] if layer else arguments[0][: self.episodes]
        missing = copies - len(hidden) // self.episodes
        hidden = torch.cat([hidden, hidden[: self.episodes].repeat(missing, 1, 1)]) if missing else hidden

        def narrow(place: Place, value: Tensor) -> Tensor:
            known = self.arguments.get(place)
            if known is None or len(value) != known.of(self.episodes * (1 + len(self.steps))):
                raise UnknownArgumentError(
                    f"an argument of its blocks ({place[-1]}) does not grow with the prompts as others do"
                )
            return value[: known.of(self.episodes * copies)]

        others = map_tensors(narrow, {"arguments": arguments[1:], "keywords": keywords})
        return (hidden, *others["arguments"]), others["keywords"]

    def before_mixing(self, layer: int, inputs: Any) -> Any:
        """The heads' outputs with the interventions on them, each in its own rows."""
        heads = inputs[0].clone()
        for place, step in enumerate(self.steps):
            if step.layer == layer and step.site == "heads":
                rows = slice(self.episodes * (1 + place), self.episodes * (2 + place))
                heads[rows] = step.applied(heads[rows])
                self.acted += 1
        return (heads, *inputs[1:])

    def after_block(self, layer: int, output: Any) -> Any:
        """The block's output with the rows of the interventions on it appended."""
        if (
            not self.keep
        ):  # these rows are not needed again; one is kept, as blocks above read the number of tokens from it
            kept = self.cache.layers[layer]
            kept.keys, kept.values = (held[:1].clone() for held in (kept.keys, kept.values))
        here = [step for step in self.steps if step.layer == layer and step.site == "block"]
        self.acted += len(here)
        hidden = block_hidden(output)
        unpatched = hidden[: self.episodes]
        return with_hidden(output, torch.cat([hidden, *(step.applied(unpatched) for step in here)])) if here else output

    def complete_cache(self) -> Any:
        """The cache, every row with one of its own in every block: below its intervention, that of the unpatched row.

        To be called once: it changes the staircase's own cache.
        """
        for layer, kept in enumerate(self.cache.layers):
            missing = len(self.steps) - self.joined(layer)
            kept.keys, kept.values = (
                torch.cat([held, held[: self.episodes].repeat(missing, 1, 1, 1)]) for held in (kept.keys, kept.values)
            )
        return self.cache

    @contextmanager
    def hooked(self) -> Iterator[None]:
        """The model's blocks, and mixers of heads where they are needed, call this staircase."""
        hooks = []
        for layer, block in enumerate(self.lm.blocks):
            hooks.append(block.register_forward_pre_hook(
                lambda block, arguments, keywords, layer=layer: self.before_block(layer, arguments, keywords), with_kwargs=True
            ))  # fmt: skip
            hooks.append(
                block.register_forward_hook(lambda block, inputs, output, layer=layer: self.after_block(layer, output))
            )
        for layer in {step.layer for step in self.steps if step.site == "heads"}:
            mixer = self.lm.head_mixers[layer]
            hooks.append(
                mixer.register_forward_pre_hook(lambda mixer, inputs, layer=layer: self.before_mixing(layer, inputs))
            )
        with temporary_hooks(hooks):
            yield


def _by_itself(
    lm: LanguageModel, prompts: list[Ids], interventions: tuple[Intervention, ...], names: Sequence[str],
    prefix: Callable[[], Any],
) -> tuple[Tensor, Callable[[], Any]]:  # fmt: skip
    """Final hidden states `[1, episode, hidden]` of prompts of equal length under interventions together, on any
    token, and how to come by the cache: one pass over all tokens; where they act on the last alone, over that, behind
    what `prefix` gives."""
    if all(intervention.on_last for intervention in interventions):
        cache = forked(prefix(), torch.arange(len(prompts)))
        ids = [ids[-1:] for ids in prompts]
    else:
        cache, ids = lm.empty_cache(), prompts
    acted: list[nn.Module] = []
    with temporary_hooks([_hook(lm, intervention, len(ids[0]), acted, names) for intervention in interventions]):
        hidden = lm.run_blocks(torch.tensor(ids, device=lm.device), cache)[:, -1]
    if len(acted) != len(interventions):
        raise StudyError(
            f"{type(lm.model).__name__}: {len(interventions)} patches fired {len(acted)} times in one pass."
        )
    check_finite(hidden[:, None], names, [max((intervention.layer for intervention in interventions), default=None)])
    return hidden[None], lambda: cache


def _hook(
    lm: LanguageModel, intervention: Intervention, length: int, acted: list[nn.Module], names: Sequence[str]
) -> Any:
    """The hook that puts vectors into a pass over the last `length` tokens, and notes that it did."""
    positions = torch.as_tensor(intervention.positions)
    if len(positions.flatten()) and positions.min() < -length:
        raise StudyError(f"{names[0]}: the prompt has {length} tokens, too few for position {int(positions.min())}.")

    def in_output(block: nn.Module, inputs: Any, output: Any) -> Any:
        acted.append(block)
        return with_hidden(output, intervention.applied(block_hidden(output)))

    def in_heads(mixer: nn.Module, inputs: Any) -> Any:
        acted.append(mixer)
        return (intervention.applied(inputs[0]), *inputs[1:])

    if intervention.site == "heads":
        return lm.head_mixers[intervention.layer].register_forward_pre_hook(in_heads)
    return lm.blocks[intervention.layer].register_forward_hook(in_output)
