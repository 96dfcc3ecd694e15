"""Patching the residual stream: θ, or any other vector, put into prompts' passes, many side by side in one batch.

The engine sees token ids and tensors; it knows nothing of tasks. `layer` is the 0-based index of a block (paper, section 3).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from taskvectors.data.tokens import Ids
from taskvectors.engine.definition import LAST, Intervention
from taskvectors.engine.passes import SHORTEST, check_finite, continue_from, extend, numbered, prefill
from taskvectors.engine.unembed import next_tokens
from taskvectors.errors import StudyError
from taskvectors.models.batches import check_lengths, nobody, run_in_batches, tokens_at_once
from taskvectors.models.language_model import (
    LanguageModel,
    Place,
    block_hidden,
    map_tensors,
    refused,
    removed,
    with_hidden,
)

SWEEP_ROWS = 1024  # rows (episodes × interventions) at the top of one sweep on a CPU


@torch.inference_mode()
def sweep_layers(
    lm: LanguageModel,
    prompts: list[Ids],
    theta: Tensor,
    answer_tokens: int = 1,
    names: Sequence[str] | None = None,
    layers: Sequence[int] | None = None,
    done: Callable[[int], None] = nobody,
) -> tuple[Tensor, Tensor]:
    """Greedy answers when the last token's state after block L is replaced by θ_L, for every L, and as it is.

    Args:
        theta: `[episode, layer, hidden]`, of the layers that are patched.
        layers: patch at these only; at all by default. One that stands several times has several vectors patched in, each by itself.

    Returns, other arguments, raises: see `patched_answers`.
    """
    at = range(lm.layers) if layers is None else layers
    interventions = [Intervention(layer, theta[:, place]) for place, layer in enumerate(at)]
    return patched_answers(lm, prompts, interventions, answer_tokens, names, done)


@torch.inference_mode()
def patched_answers(
    lm: LanguageModel,
    prompts: list[Ids],
    interventions: Sequence[Intervention],
    answer_tokens: int = 1,
    names: Sequence[str] | None = None,
    done: Callable[[int], None] = nobody,
) -> tuple[Tensor, Tensor]:
    """Greedy answers of prompts under each intervention by itself, and as they are.

    Args:
        prompts: `[episode]` token ids, two tokens or more each; with or without demonstrations.
        interventions: in any order.
        answer_tokens: length of the answers. An intervention acts once, on the prompt; later tokens see it through the KV cache.
        names: how to call each episode in an error message.

    Returns:
        tokens `[episode, intervention, answer_tokens]` and, without any, `[episode, answer_tokens]`, int64, on the CPU.

    Raises:
        StudyError: if an intervention did not act or led to NaN or infinite values, a prompt is too short or exceeds the
            model's context, or one episode exceeds the memory.
    """
    names = names or numbered(prompts)
    check_lengths(lm, prompts, names, shortest=2, answer_tokens=answer_tokens)
    for intervention in interventions:
        layers = [intervention.layer] * len(intervention.positions)
        check_finite(intervention.by_position, [f"θ of {name}" for name in names], layers)
    # In the order in which they join the staircase; those on earlier tokens change what later ones see, and run by themselves.
    order = sorted(range(len(interventions)), key=lambda i: (interventions[i].layer, interventions[i].site != "heads"))
    rising = [i for i in order if interventions[i].positions == LAST]
    whole = [i for i in order if interventions[i].positions != LAST]
    tokens = torch.empty(len(prompts), 1 + len(interventions), answer_tokens, dtype=torch.long)

    def sweep(batch: list[int]) -> None:
        mine, called = [prompts[i] for i in batch], [names[i] for i in batch]
        risen = climb(lm, mine, [interventions[i].of(batch) for i in rising], answer_tokens, called)
        tokens[batch, 0] = risen[0]
        for i, found in zip(rising, risen[1:], strict=True):
            tokens[batch, 1 + i] = found
        for i in whole:
            tokens[batch, 1 + i] = _whole_prompts(lm, mine, interventions[i].of(batch), answer_tokens, called)

    # One block's cache is held for all rows at a time, or all blocks' caches if the answers go on.
    rows = tokens_at_once(lm, SWEEP_ROWS * SHORTEST, kept_copies=1 if answer_tokens > 1 else 1 / lm.layers)
    lengths = [len(ids) for ids in prompts]
    run_in_batches(lengths, lambda length: rows // max(length, SHORTEST) // (1 + len(rising)), sweep, done)
    return tokens[:, 1:], tokens[:, 0]


def climb(
    lm: LanguageModel, prompts: list[Ids], steps: list[Intervention], answer_tokens: int, names: Sequence[str]
) -> Tensor:
    """Answers `[1 + step, episode, token]` of prompts of equal length: as they are, then under each intervention on the last token.

    A staircase: what blocks up to L compute for the last token is irrelevant once its state after L is replaced. So the
    KV cache of the other tokens is computed once, and one upward pass over the last token grows by the rows of each intervention
    where it acts: half the work of one pass per layer, in one launch per block. Its first rows are never patched.
    """
    episodes, length = len(prompts), len(prompts[0])
    last_ids = [ids[-1] for ids in prompts]
    for again in (False, True):
        cache = prefill(lm, [ids[:-1] for ids in prompts])
        stairs = Staircase(lm, cache, steps, episodes, length, keep=answer_tokens > 1)
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
    tokens = [next_tokens(lm, hidden.flatten(0, 1))]
    if answer_tokens > 1:
        stairs.complete_cache()
        tokens += continue_from(lm, cache, tokens[0], answer_tokens - 1)
    return torch.stack(tokens, dim=1).unflatten(0, (1 + len(steps), episodes))


class UnknownArgumentError(Exception):
    """A block was given an argument of which is not known how it grows with the number of prompts."""


class Staircase:
    """The rows of the last token on their way up: every episode as it is, then every episode again for each intervention, from the
    block at which it acts.

    The model is given as many rows as there will be at the top, so that whatever it does before and behind its blocks suits them;
    the lowest block is handed the first rows alone, and every block is handed arguments and a cache for the rows that are there.
    """

    def __init__(
        self, lm: LanguageModel, cache: Any, steps: list[Intervention], episodes: int, length: int, *, keep: bool
    ) -> None:
        """Of `steps` in the order in which they join; `keep` the caches of all rows, as the answers go on."""
        self.lm, self.cache, self.steps, self.episodes, self.keep = lm, cache, steps, episodes, keep
        self.arguments = lm.argument_rows(length)  # before there are hooks: the model runs for it
        self.acted = 0

    def joined(self, layer: int) -> int:
        """How many interventions have rows of their own inside block `layer`: those below it, and those on its heads."""
        return sum(step.layer < layer or (step.layer == layer and step.site == "heads") for step in self.steps)

    def before_block(self, layer: int, arguments: Any, keywords: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The rows that are there, and one more an episode for each intervention on this block's heads; and what suits them."""
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
        if not self.keep:  # nothing will look at these rows again; one tells blocks above how many tokens there are
            kept = self.cache.layers[layer]
            kept.keys, kept.values = (held[:1].clone() for held in (kept.keys, kept.values))
        here = [step for step in self.steps if step.layer == layer and step.site == "block"]
        self.acted += len(here)
        hidden = block_hidden(output)
        unpatched = hidden[: self.episodes]
        return with_hidden(output, torch.cat([hidden, *(step.applied(unpatched) for step in here)])) if here else output

    def complete_cache(self) -> None:
        """Give every row a cache of its own in every block: below its intervention, that of the row as it is."""
        for layer, kept in enumerate(self.cache.layers):
            missing = len(self.steps) - self.joined(layer)
            kept.keys, kept.values = (
                torch.cat([held, held[: self.episodes].repeat(missing, 1, 1, 1)]) for held in (kept.keys, kept.values)
            )

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
        with removed(hooks):
            yield


def _whole_prompts(
    lm: LanguageModel, prompts: list[Ids], intervention: Intervention, answer_tokens: int, names: Sequence[str]
) -> Tensor:
    """Answers `[episode, token]` of prompts of equal length under an intervention on any token: one pass over all tokens."""
    if min(intervention.positions) < -len(prompts[0]):
        raise StudyError(
            f"{names[0]}: the prompt has {len(prompts[0])} tokens, too few for position {min(intervention.positions)}."
        )
    cache, acted = lm.empty_cache(), []

    def in_output(block: nn.Module, inputs: Any, output: Any) -> Any:
        acted.append(block)
        return with_hidden(output, intervention.applied(block_hidden(output)))

    def in_heads(mixer: nn.Module, inputs: Any) -> Any:
        acted.append(mixer)
        return (intervention.applied(inputs[0]), *inputs[1:])

    if intervention.site == "heads":
        hook: Any = lm.head_mixers[intervention.layer].register_forward_pre_hook(in_heads)
    else:
        hook = lm.blocks[intervention.layer].register_forward_hook(in_output)
    with removed([hook]):
        hidden = lm.run_blocks(torch.tensor(prompts, device=lm.device), cache)[:, -1]
    if len(acted) != 1:
        raise StudyError(f"{type(lm.model).__name__}: a patch fired {len(acted)} times in one pass.")
    check_finite(hidden[:, None], names, [intervention.layer])
    first = next_tokens(lm, hidden)
    return torch.stack([first, *continue_from(lm, cache, first, answer_tokens - 1)], dim=1)
