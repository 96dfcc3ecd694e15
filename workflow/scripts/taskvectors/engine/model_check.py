"""Every loaded model is compared with its own plain forward pass: what the engine cannot do exactly is refused by
name.

Models whose head does more than unembed, whose blocks see more than the residual stream, or whose caches hold more
than keys and values would otherwise give plausible, wrong numbers.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from taskvectors.data.prompts import prompt
from taskvectors.data.tokens import Ids, check_tokenizer, prompt_ids
from taskvectors.engine.definition import Intervention, plain_answer, plain_states
from taskvectors.engine.patch import sweep_layers
from taskvectors.engine.read import read_states
from taskvectors.engine.unembed import next_tokens, unembed
from taskvectors.errors import StudyError
from taskvectors.models.kernels import multiply_faster
from taskvectors.models.language_model import LanguageModel, check_blocks, find_blocks, refused
from taskvectors.models.loading import (
    ROOM_FOR_WEIGHTS,
    available_device,
    filled_model,
    load_config,
    load_tokenizer,
    one_message,
    placement,
    refuse_too_large,
)
from taskvectors.models.memory import keep_freed_memory, memory_at_hand
from taskvectors.models.preparation import check_ends, check_values, refuse_other_class, refuse_quantized
from taskvectors.models.weights import check_manifest
from taskvectors.progress import logger
from taskvectors.store.files import files_of

# How far two ways to compute the same may be apart, as a share of its length: some hundred roundings of each dtype. A
# model that the engine gets wrong is off by a tenth at least, or in its tokens.
ROUNDING = {torch.float64: 1e-9, torch.float32: 1e-3, torch.float16: 0.05, torch.bfloat16: 0.25}
ANSWER_TOKENS = 2
DEMONSTRATIONS = (("a", "B"),)


def load_model(folder: str | Path, dtype: str = "float32", device: str = "auto") -> LanguageModel:
    """Load weights for inference, straight to the device, and check them (`check_filled`, `check_model`).

    Args:
        folder: a folder written by rule `weights`.
        dtype: `float32`, `bfloat16`, `float16`, or `auto` for the dtype of the files.
        device: `auto` (GPUs if there are any), `cpu` or `cuda`. A model that leaves one GPU too little room is spread
            over all of them.

    Raises:
        StudyError: if files are damaged, the machine lacks the device or dtype, or the engine cannot work on the
            model.
    """
    check_manifest(folder)
    device = available_device(device, dtype)
    if device == "cpu":
        refuse_too_large(folder, dtype)
    model = filled_model(folder, dtype, placement(folder, device))
    if device == "cpu":
        keep_freed_memory()
        if model.dtype == torch.float32:
            multiply_faster(model)
    lm = LanguageModel(model, load_tokenizer(folder), find_blocks(model))
    with one_message(folder, "the model"):
        check_model(lm)
    return lm


def check_prepared(folder: str | Path, dtype: str) -> None:
    """Refuse a folder of weights that no later job could use, as soon as it is there.

    A model that this machine's memory does not hold is checked by names and shapes alone; the jobs that load it check
    the rest.

    Raises:
        StudyError: with what is wrong, where, and what to do.
    """
    config = load_config(folder)
    refuse_quantized(folder, config)
    check_ends(Path(folder))
    size = sum(file.stat().st_size for file in files_of(folder, "*.safetensors"))
    fits = size * (2 if dtype == "float32" else 1) < ROOM_FOR_WEIGHTS * memory_at_hand()
    model = filled_model(folder, dtype, {"": "cpu" if fits else "meta"})
    refuse_other_class(folder, config, model)
    tokenizer = load_tokenizer(folder)
    with one_message(folder, "the tokenizer"):
        if appended := check_tokenizer(tokenizer, model.get_input_embeddings().weight.shape[0]):
            logger.info("the tokenizer appends %s: left out, so that prompts end at the arrow", appended)
    blocks = find_blocks(model)
    if not fits:
        logger.info(
            "the weights are too large for this job's memory: their names and shapes are right, the rest is seen later"
        )
        return
    with one_message(folder, "the weights"):
        check_values(model)
        check_model(LanguageModel(model, tokenizer, blocks))


def check_model(lm: LanguageModel) -> None:
    """Refuse a model whose states, logits, patched tokens or continuations differ between the engine and its plain
    forward pass.

    Two prompts that share a demonstration, and the two queries alone: a second of work for a model of 1B parameters.

    Raises:
        StudyError: by name and with the reason.
    """
    try:
        check_blocks(lm)
        shown, bare = _prompts(lm)
        states = _check_reading(lm, shown)
        _check_patching_and_continuing(lm, bare, states)
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
    (states,), (final,) = read_states(lm, [shown], ["the check of the model"])
    direct = _unembedded(lm, lambda: next_tokens(lm, final))
    expected, own, logits = plain_states(lm, shown[1])
    if not logits.max() > logits.min():
        raise StudyError(
            f"{type(lm.model).__name__}: its logits are {float(logits.max()):.3g} for every token, so that no answer is better than "
            "another. The files are damaged or were never filled."
        )
    for layer in range(lm.layers):
        _same(lm, f"the state after block {layer}", states[1, layer], expected[layer])
        if own and layer < lm.layers - 1 and len(own) == lm.layers + 1:
            _same(
                lm, f"the state after block {layer}, as the model itself gives it out,", own[layer + 1], expected[layer]
            )
    _same_order(lm, "the logits", direct[1], logits)
    _same(lm, "the logits of the top block's state", unembed(lm, expected[-1:])[0], logits)
    return states


def _check_patching_and_continuing(lm: LanguageModel, bare: list[Ids], states: Tensor) -> None:
    """Short prompts swept together: one is compared with plain passes, patched in the middle and unpatched, one at the
    bottom."""
    layers = sorted({0, lm.layers // 2, lm.layers - 1})
    theta = states[:, layers].to(torch.promote_types(states.dtype, torch.float32))
    swept: list[tuple[Tensor, Tensor]] = []
    logits = _unembedded(lm, lambda: swept.append(sweep_layers(lm, bare, theta, ANSWER_TOKENS, layers=layers)))
    together = len(logits) == (1 + len(layers)) * len(bare)  # else they were swept, or unembedded, in several pieces
    logits = logits.unflatten(0, (1 + len(layers), len(bare))) if together else logits
    ((patched, unpatched),) = swept
    for number, layer, length in ((0, lm.layers // 2, ANSWER_TOKENS), (1, 0, 1)):
        place = layers.index(layer)
        patch = Intervention(layer, theta[number : number + 1, place])
        answer, expected = plain_answer(lm, bare[number], length, patch)
        if together:
            _same_order(lm, f"the logits when patched after block {layer}", logits[1 + place, number], expected)
        answered = patched[number, place, :length].tolist()
        _same_answer(lm, f"the answer when patched after block {layer}", answered, answer, expected)
    _same_answer(lm, "the continuation", unpatched[0].tolist(), *plain_answer(lm, bare[0], ANSWER_TOKENS))


def _unembedded(lm: LanguageModel, run: Callable[[], Any]) -> Tensor:
    """What the output matrix gives first while something runs: logits `[row, vocabulary]`, before any scaling or soft
    cap."""
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


def _same(lm: LanguageModel, what: str, actual: Tensor, expected: Tensor) -> None:
    actual, expected = actual.double().cpu(), expected.double().cpu()
    off = float((actual - expected).norm() / expected.norm().clamp(min=1e-30))
    if not off <= _tolerance(lm):  # NaN is no rounding
        raise refused(lm.model, f"{what} is off by {off:.2g} of its length from the model's own plain forward pass")


def _same_order(lm: LanguageModel, what: str, actual: Tensor, expected: Tensor) -> None:
    """Two rows of logits put the tokens in the same order, roundings aside: a model may scale and cap them."""
    actual, expected = actual.double().cpu(), expected.double().cpu()
    spread = float(expected.std().clamp(min=1e-30))
    highest_so_far = expected[actual.argsort()].cummax(0).values
    off = float((highest_so_far - expected[actual.argsort()]).max()) / spread
    if not off <= 10 * _tolerance(lm):
        raise refused(
            lm.model,
            f"{what} are not those of the model's own plain forward pass (they differ by {off:.2g} standard deviations): more than "
            "a matrix stands between its blocks and its logits, or its blocks cannot be read in parts",
        )


def _same_answer(lm: LanguageModel, what: str, actual: Ids, expected: Ids, logits: Tensor) -> None:
    """The same tokens; but of two first ones whose logits `[vocabulary]` differ by a rounding, either may be it."""
    if actual == expected:
        return
    apart = float((logits.max() - logits[actual[0]]) / logits.double().std().clamp(min=1e-30))
    if actual[0] == expected[0] or apart > 10 * _tolerance(lm):
        raise refused(lm.model, f"{what} is {actual}, but {expected} in the model's own plain forward pass (token ids)")
