"""Every model that is loaded is held against its own plain forward pass: what the engine cannot do exactly is refused by name.

Models whose head does more than unembed, whose blocks see more than the residual stream, or whose caches hold more than keys and
values would otherwise give plausible, wrong numbers.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from taskvectors import engine
from taskvectors.definition import plain_answer, plain_logits, plain_patched, plain_states
from taskvectors.errors import StudyError
from taskvectors.models import LanguageModel, check_blocks, refused
from taskvectors.prompts import prompt
from taskvectors.tokens import Ids, prompt_ids

# How far two ways to compute the same may be apart, as a share of its length: some hundred roundings of each dtype. A model that
# the engine gets wrong is off by a tenth at least, or in its tokens.
ROUNDING = {torch.float64: 1e-9, torch.float32: 1e-3, torch.float16: 0.05, torch.bfloat16: 0.25}
ANSWER_TOKENS = 2
DEMONSTRATIONS = (("a", "B"), ("c", "D"))


def check_model(lm: LanguageModel) -> None:
    """Refuse a model of which the engine's states, logits, patched tokens or continuations are not those of its plain forward pass.

    Two prompts that share two demonstrations, and the two queries alone: a second of work for a model of 1B parameters.

    Raises:
        StudyError: by name and with the reason.
    """
    try:
        check_blocks(lm)
        shown, bare = _prompts(lm)
        states = _check_reading(lm, shown)
        _check_patching(lm, bare, states)
        _check_continuing(lm, shown[0])
    except StudyError:
        raise
    except Exception as error:  # whatever an unusual model raises when it is used as all others are
        reason = str(error).strip().split("\n")[0]
        raise refused(lm.model, f"it cannot be read in parts ({type(error).__name__}: {reason})") from error


def _prompts(lm: LanguageModel) -> tuple[list[Ids], list[Ids]]:
    """Two prompts that begin alike, and two short ones of equal length."""
    queries = ("e", "f")
    if lm.tokenizer is not None:
        shown, bare = (
            prompt_ids(lm.tokenizer, [prompt(demonstrations, query) for query in queries])
            for demonstrations in (DEMONSTRATIONS, ())
        )
        return shown, bare
    top = lm.model.get_input_embeddings().weight.shape[0] - 1
    return [[min(token, top) for token in [5, 7, 9, 11, query, 8]] for query in (6, 10)], [[5, 6, 8], [5, 10, 8]]


def _check_reading(lm: LanguageModel, shown: list[Ids]) -> Tensor:
    """States and logits of prompts that are read together; returns the states `[prompt, layer, hidden]`."""
    (states,), (final,) = engine.read_states(lm, [shown], ["the check of the model"])
    direct = _unembedded(lm, lambda: engine.next_tokens(lm, final))
    for number, ids in enumerate(shown):
        expected, logits = plain_states(lm, ids)
        for layer in range(lm.layers):
            _same(lm, f"the state after block {layer}", states[number, layer], expected[layer])
        _check_own_states(lm, ids, expected)
        _same_order(lm, "the logits", direct[number], logits)
        _same(lm, "the logits of the top block's state", engine.unembed(lm, expected[-1:])[0], logits)
    return states


def _check_own_states(lm: LanguageModel, ids: Ids, states: Tensor) -> None:
    """The blocks are those whose states the model itself gives out, where it does; its last may come after the final norm."""
    with torch.no_grad():
        output = lm.model(torch.tensor([ids], device=lm.device), use_cache=False, output_hidden_states=True)
    own = getattr(output, "hidden_states", None)
    if own is None or len(own) != lm.layers + 1 or any(state is None or state.dim() != 3 for state in own):
        return
    for layer in range(lm.layers - 1):
        _same(
            lm,
            f"the state after block {layer}, as the model itself gives it out,",
            own[layer + 1][0, -1],
            states[layer],
        )


def _check_patching(lm: LanguageModel, bare: list[Ids], states: Tensor) -> None:
    """Short prompts patched together at every layer, held against plain passes at the lowest, the middle and the top one."""
    theta = states.to(torch.promote_types(states.dtype, torch.float32))
    answers: list[Tensor] = []
    logits = _unembedded(lm, lambda: answers.append(engine.sweep_layers(lm, bare, theta, ANSWER_TOKENS)[0]))
    together = len(logits) == (1 + lm.layers) * len(bare)  # else they were swept, or unembedded, in several pieces
    logits = logits.unflatten(0, (1 + lm.layers, len(bare))) if together else logits
    for number, ids in enumerate(bare):
        for layer in sorted({0, lm.layers // 2, lm.layers - 1}):
            expected, answer = plain_patched(lm, ids, layer, theta[number, layer], ANSWER_TOKENS)
            if together:
                _same_order(lm, f"the logits when patched after block {layer}", logits[1 + layer, number], expected)
            _same_answer(
                lm, f"the answer when patched after block {layer}", answers[0][number, layer].tolist(), answer, expected
            )


def _check_continuing(lm: LanguageModel, ids: Ids) -> None:
    found = engine.continue_prompts(lm, [ids], ANSWER_TOKENS)[0].tolist()
    _same_answer(lm, "the continuation", found, plain_answer(lm, ids, ANSWER_TOKENS), plain_logits(lm, ids)[-1])


def _unembedded(lm: LanguageModel, run: Callable[[], Any]) -> Tensor:
    """What the output matrix gives first while something runs: logits `[row, vocabulary]`, before any scaling or soft cap."""
    logits: list[Tensor] = []
    module = lm.model.get_output_embeddings()
    hook = module.register_forward_hook(lambda module, inputs, output: logits.append(output))
    try:
        run()
    finally:
        hook.remove()
    return logits[0]


def _tolerance(lm: LanguageModel) -> float:
    return ROUNDING.get(lm.dtype, ROUNDING[torch.float16])


def _same(lm: LanguageModel, what: str, found: Tensor, expected: Tensor) -> None:
    found, expected = found.double().cpu(), expected.double().cpu()
    off = float((found - expected).norm() / expected.norm().clamp(min=1e-30))
    if not off <= _tolerance(lm):  # NaN is no rounding
        raise refused(lm.model, f"{what} is off by {off:.2g} of its length from the model's own plain forward pass")


def _same_order(lm: LanguageModel, what: str, found: Tensor, expected: Tensor) -> None:
    """Two rows of logits put the tokens in the same order, roundings aside: a model may scale and cap them."""
    found, expected = found.double().cpu(), expected.double().cpu()
    spread = float(expected.std().clamp(min=1e-30))
    highest_so_far = expected[found.argsort()].cummax(0).values
    off = float((highest_so_far - expected[found.argsort()]).max()) / spread
    if not off <= 10 * _tolerance(lm):
        raise refused(
            lm.model,
            f"{what} are not those of the model's own plain forward pass (they differ by {off:.2g} standard deviations): more than "
            "a matrix stands between its blocks and its logits, or its blocks cannot be read in parts",
        )


def _same_answer(lm: LanguageModel, what: str, found: Ids, expected: Ids, logits: Tensor) -> None:
    """The same tokens; but of two whose logits `[vocabulary]` differ by a rounding, either may be the first."""
    if found == expected:
        return
    logits = logits.double().cpu()
    apart = float((logits.max() - logits[found[0]]) / logits.std().clamp(min=1e-30))
    if found[0] == expected[0] or apart > 10 * _tolerance(lm):
        raise refused(lm.model, f"{what} is {found}, but {expected} in the model's own plain forward pass (token ids)")
