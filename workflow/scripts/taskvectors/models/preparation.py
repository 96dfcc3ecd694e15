"""Preparing weights: whatever they came as, one folder with safetensors and a tokenizer; refused if no job could use
it rightly."""

import functools
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gguf
import torch
import transformers
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

from taskvectors.errors import StudyError
from taskvectors.models.loading import check_filled, one_message
from taskvectors.models.random_weights import random_model
from taskvectors.models.weights import GGUF, write_manifest
from taskvectors.progress import warn
from taskvectors.store.files import MANIFEST, MODEL_FILES, files_of

FLOATS = ("F64", "F32", "F16", "BF16")  # names in safetensors of numbers that are weights without de-quantizing


def prepare(source: Path, folder: Path, parameters: int | None = None) -> None:
    """Make `folder` a plain transformers folder with a manifest of its files.

    A GGUF download is de-quantized once to float32 safetensors; anything else is linked, not copied.

    Args:
        source: the download, or the user's own folder.
        folder: is created.
        parameters: expected number of parameters, checked for de-quantized weights.

    Raises:
        StudyError: if the folder holds no model or the weights are not what was expected.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (source / GGUF).exists():
        _dequantize(source, folder, parameters)
    else:
        _link(source, folder)
    write_manifest(folder)


def _link(source: Path, folder: Path) -> None:
    if not (source / "config.json").is_file() or not files_of(source, "*.safetensors"):
        raise StudyError(
            f"{source}: no config.json with *.safetensors. Name a folder written by `save_pretrained` in config/models.yaml."
        )
    if (source / "adapter_config.json").exists():
        raise StudyError(
            f"{source}: an adapter (adapter_config.json), not a model. Merge it into its base (PEFT: merge_and_unload) and name "
            "the folder of the merged model."
        )
    if (source / "model.safetensors").exists() and (source / "model.safetensors.index.json").exists():
        raise StudyError(
            f"{source}: both model.safetensors and model.safetensors.index.json, the model in one file and in several: which one is "
            "meant? Delete the other."
        )
    if (source / "tokenizer.model").exists() and not any(
        (source / name).exists() for name in ("tokenizer.json", "tokenizer_config.json")
    ):
        raise StudyError(
            f"{source}: tokenizer.model alone, without the tokenizer_config.json or tokenizer.json that say how prompts begin (BOS) "
            "and spaces are read. Add one of them from the model's source."
        )
    for file in files_of(source, *MODEL_FILES):
        if not file.is_file():
            raise StudyError(f"{file}: no file, or a link that leads to none. Remove it, or put the file there.")
        if file.name != MANIFEST:
            _link_or_copy(file.resolve(), folder / file.name)


def _link_or_copy(file: Path, target: Path) -> None:
    """A link, or a copy where the file system has none (CIFS, exFAT)."""
    try:
        target.symlink_to(file)
    except FileExistsError:
        raise
    except OSError:
        shutil.copyfile(file, target)


def _dequantize(source: Path, folder: Path, parameters: int | None) -> None:
    with one_message(source / GGUF, "the model"), _read_once():
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            source, gguf_file=GGUF, dtype=torch.float32, output_loading_info=True, ignore_mismatched_sizes=True
        )
        model, info = loaded
        check_filled(model, info)
        tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=GGUF)
        # The tensors are plain by now; an attribute that still says "quantized" would make save_pretrained refuse.
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        model.hf_quantizer = None
        packed = [name for name, tensor in model.named_parameters() if tensor.dtype != torch.float32]
        if packed:
            raise StudyError(f"{packed[0]} stayed packed. Install the transformers version of envs/.")
        count = sum(tensor.numel() for tensor in model.parameters())
        if parameters is not None and count != parameters:
            raise StudyError(f"{count} parameters, expected {parameters} (config/models.yaml).")
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        _check_same_logits(model, folder)


@contextmanager
def _read_once() -> Iterator[None]:
    """Transformers reads the head of a GGUF file, a quarter million tokens for some, anew for configuration, weights
    and tokenizer."""
    library: Any = gguf
    reader = library.GGUFReader
    library.GGUFReader = functools.cache(reader)
    try:
        yield
    finally:
        library.GGUFReader = reader


def _check_same_logits(model: Any, folder: Path) -> None:
    ids = torch.arange(1, 33)[None]
    with torch.no_grad():
        saved = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)(ids).logits
        if not torch.equal(saved, model(ids).logits):
            raise StudyError(
                f"the weights saved in {folder} do not give the logits of the GGUF file. Delete it, run again."
            )


def check_ends(folder: Path) -> None:
    """Refuse a generation_config.json that cannot be read, or whose ends are no tokens: transformers would pass over
    it in silence.

    Raises:
        StudyError: naming file and key.
    """
    file = folder / "generation_config.json"
    if not file.exists():
        return
    with one_message(file, "the settings of generation", "Get a whole copy of the file, or remove it."):
        settings = json.loads(file.read_text(encoding="utf-8"))
        ends = settings.get("eos_token_id")
        listed = ends if isinstance(ends, list) else [] if ends is None else [ends]
        if not all(type(end) is int and end >= 0 for end in listed):
            raise StudyError(
                f"eos_token_id: {ends!r} is no token, nor a list of tokens. Correct it, or remove the file."
            )


def refuse_other_class(folder: str | Path, config: Any, model: Any) -> None:
    """Refuse a model whose folder names another class than transformers has for it: code of its own, which is not run.

    Raises:
        StudyError: naming both.
    """
    named = getattr(config, "architectures", None) or []
    own = type(model).__name__
    kinds = {type(config), type(model.config), type(config.get_text_config())}
    if not named or any(name.lower() == own.lower() for name in named):
        return
    if not any(getattr(getattr(transformers, name, None), "config_class", None) in kinds for name in named):
        raise StudyError(
            f"{folder}: config.json says that the model is a {named[0]}, which this transformers would read as {own}: code of a "
            "folder is not run. Choose a model that transformers has itself."
        )


def check_values(model: Any) -> None:
    """Refuse weights with NaN or infinite values, and warn of a matrix of nothing but zeros: somebody may have ablated
    it.

    A model that lacks so much that all its logits are equal is refused later, by `check_model`.

    Raises:
        StudyError: naming the tensor.
    """
    for name, tensor in model.named_parameters():
        if not tensor.isfinite().all():
            raise StudyError(
                f"{name} holds NaN or infinite values. The files are damaged, or overflow in this `dtype`."
            )
        if tensor.dim() > 1 and not tensor.any():
            warn(f"{name} is nothing but zeros. Was it ablated? If not, the files are damaged or were never filled.")


def refuse_quantized(folder: str | Path, config: Any) -> None:
    """Raise StudyError for weights that are not plain floating-point numbers: read as such they would be others."""
    settings = getattr(config, "quantization_config", None)
    if settings is not None:
        method = settings.get("quant_method") if isinstance(settings, dict) else getattr(settings, "quant_method", None)
        raise StudyError(
            f"{folder}: config.json says that the weights are quantized ({method or 'unknown method'}). The study reads plain "
            "floating-point weights: name the original model, or save it de-quantized."
        )
    for file in files_of(folder, "*.safetensors"):
        with one_message(file, "the weights"), safe_open(file, framework="numpy") as tensors:
            for name in tensors.keys():  # noqa: SIM118 (not a dict)
                held = tensors.get_slice(name)
                if name.endswith("weight") and len(held.get_shape()) > 1 and held.get_dtype() not in FLOATS:
                    raise StudyError(
                        f"{file}: {name} is stored as {held.get_dtype()}, not as floating-point numbers. Save the model "
                        "de-quantized."
                    )


def prepare_random(shape: Mapping[str, Any], tables: list[str], folder: Path) -> None:
    """Make `folder` a model of this shape with random weights, and a manifest of its files.

    Args:
        tables: whose words make its tokenizer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with one_message("config/models.yaml", "a model of this `shape`", "Correct the numbers."):
        random_model(shape, tables, folder)
    write_manifest(folder)
