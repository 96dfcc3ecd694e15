"""Loading a model: whatever is wrong with its files is one message, and what is loaded is checked before it is
used."""

import math
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from taskvectors.errors import LESS_MEMORY, StudyError
from taskvectors.models.kernels import kernels_of
from taskvectors.models.language_model import LanguageModel
from taskvectors.models.memory import memory_at_hand
from taskvectors.models.weights import check_manifest
from taskvectors.store.files import MANIFEST, files_of
from taskvectors.store.stamps import stamp

ITEMSIZE = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}  # of what safetensors calls these dtypes
ATTENTION = ("sdpa", "eager")
ROOM_FOR_WEIGHTS = 0.7  # of the free memory of a GPU, or of the machine; the rest is for activations
WHOLE_FOLDER = (
    "Name a whole folder written by `save_pretrained`, model and tokenizer, that this transformers can load, in "
    "config/models.yaml."
)


@contextmanager
def one_message(folder: str | Path, what: str, remedy: str = WHOLE_FOLDER) -> Iterator[None]:
    """Whatever transformers, tokenizers, safetensors or torch raise while files are read becomes one message."""
    try:
        yield
    except StudyError as error:
        message = str(error)
        raise StudyError(message if message.startswith(str(folder)) else f"{folder}: {message}") from error.__cause__
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise StudyError(
            f"{folder}: the memory does not hold {what}. Use a larger machine or `dtype: bfloat16`."
        ) from error
    except Exception as error:  # dozens of unrelated types, and none of them is the user's language
        lines = [line.strip() for line in str(error).split("\n") if line.strip()] or ["no reason given"]
        reason = " ".join(lines[: 1 + lines[0].endswith(":")])  # a heading alone says nothing
        raise StudyError(
            f"{folder}: {what} cannot be loaded ({type(error).__name__}: {reason.rstrip('.')}). {remedy}"
        ) from error


def load_config(folder: str | Path) -> Any:
    """The configuration alone: no weights are read."""
    with one_message(folder, "the configuration"):
        return AutoConfig.from_pretrained(folder, trust_remote_code=False)


def load_tokenizer(folder: str | Path) -> Any:
    """The tokenizer alone: no weights are read."""
    check_manifest(folder, whole=False)
    with one_message(folder, "the tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        merges: Any = getattr(getattr(tokenizer, "backend_tokenizer", None), "model", None)
        if getattr(merges, "dropout", None):
            merges.dropout = None  # for training: the same prompt would have other tokens in every job
        return tokenizer


def filled_model(folder: str | Path, dtype: str, device_map: dict[str, str] | str) -> Any:
    """A model in evaluation mode whose every weight comes from the folder."""
    transformers_logging.disable_progress_bar()
    config = load_config(folder)
    if config.is_encoder_decoder:
        raise StudyError(f"{folder}: an encoder-decoder model. Choose a decoder-only one in config/models.yaml.")
    # The study patches states, whichever kernel attends: of those that a folder may ask for, two run everywhere.
    attention = getattr(config, "_attn_implementation_internal", None) or "sdpa"
    if attention not in ATTENTION:
        raise StudyError(
            f"{folder}: config.json sets attn_implementation to {attention}. Set it to one of {' or '.join(ATTENTION)}, or remove "
            "the key."
        )
    config.return_dict = True
    with one_message(folder, "the model"):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            dtype=dtype if dtype == "auto" else getattr(torch, dtype),
            device_map=device_map,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are named below
        )
        model, info = loaded
        check_filled(model, info)
    return model.eval().requires_grad_(False)


def check_filled(model: Any, info: dict[str, Collection[Any]]) -> None:
    """Refuse weights that do not fill the model: transformers would draw what is missing at random, anew in every job.

    Args:
        model: as loaded; a head tied to the embedding is not missing.
        info: transformers' loading info: missing, unexpected and mismatched keys.

    Raises:
        StudyError: naming the first of each kind.
    """
    faults = [
        f"{kind} {keys[0]}" + (f" and {len(keys) - 1} more" if len(keys) > 1 else "")
        for kind, keys in (
            ("missing", sorted(info["missing_keys"])),
            ("unexpected", sorted(info["unexpected_keys"])),
            (
                "mismatched",
                sorted(f"{key} {list(is_)} for {list(wanted)}" for key, is_, wanted in info["mismatched_keys"]),
            ),
        )
        if keys
    ]
    if faults:
        raise StudyError(
            f"the weights do not fill {type(model).__name__}: {'; '.join(faults)}. The files are damaged, of another model, or "
            "saved from a wrapper (torch.compile, DataParallel, PEFT): save the model itself with `save_pretrained`."
        )
    given, output = model.get_input_embeddings(), model.get_output_embeddings()
    if output is None:
        raise StudyError(
            f"{type(model).__name__} has no output matrix. Choose a causal language model in config/models.yaml."
        )
    if getattr(model.config.get_text_config(), "tie_word_embeddings", False) and output.weight is not given.weight:
        raise StudyError(
            "config.json ties the output matrix to the embedding (tie_word_embeddings), but the files hold two different ones. "
            "Set it to false, or remove the output matrix, whichever is right."
        )


def made_by(lm: LanguageModel, rule: str, weights: str | Path, code: Iterable[str]) -> dict[str, Any]:
    """The stamp of files that a job of this rule computes with the model in the folder `weights`."""
    dtype, kernels = str(lm.dtype).removeprefix("torch."), kernels_of(lm.model)
    return stamp(rule, Path(weights, MANIFEST), dtype, lm.device_name, kernels, code)


def available_device(device: str, dtype: str) -> str:
    """`cpu` or `cuda`; StudyError if the machine lacks the device, or the device the dtype."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise StudyError(
            "`device: cuda` is set, but torch sees no CUDA device here. Set `device` of the model to auto or cpu in "
            "config/models.yaml, or run where there is a GPU."
        )
    if device == "cuda" and dtype == "bfloat16" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise StudyError(
            f"{torch.cuda.get_device_name()} cannot compute in bfloat16. Set `dtype` of the model to float16 or float32 in "
            "config/models.yaml."
        )
    return device


def refuse_too_large(folder: str | Path, dtype: str) -> None:
    """Refuse weights that are larger than the memory that this job may still take: it would be killed without a word.

    Raises:
        StudyError: with both sizes and the settings that help.
    """
    needed = 0
    for file in files_of(folder, "*.safetensors"):
        with one_message(file, "the weights"), safe_open(file, framework="numpy") as tensors:
            for name in tensors.keys():  # noqa: SIM118 (not a dict)
                held = tensors.get_slice(name)
                size = ITEMSIZE.get(held.get_dtype(), 4) if dtype == "auto" else getattr(torch, dtype).itemsize
                needed += math.prod(held.get_shape()) * size
    left = memory_at_hand()
    if needed > left:
        raise StudyError(
            f"{folder}: the weights take {needed / 1e9:.1f} GB in {dtype}, but this job may take {left / 1e9:.1f} GB more (free "
            f"memory of the machine, or the limit of its container or scheduler). {LESS_MEMORY}"
        )


def placement(folder: str | Path, device: str) -> dict[str, str] | str:
    """Where weights go (transformers' `device_map`): one device, or all GPUs where one has too little room beside
    them."""
    if device == "cpu" or torch.cuda.device_count() == 1:
        return {"": device}
    size = sum(file.stat().st_size for file in files_of(folder, "*.safetensors"))
    return {"": device} if size < ROOM_FOR_WEIGHTS * torch.cuda.mem_get_info(0)[0] else "auto"
