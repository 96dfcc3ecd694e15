"""Loading a causal language model and finding its stack of blocks."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from taskvectors.errors import StudyError
from taskvectors.memory import keep_freed_memory, memory_at_hand
from taskvectors.stamps import stamp
from taskvectors.weights import MANIFEST, check_manifest

ROOM_FOR_COPIES = 0.25  # of the memory at hand
ROOM_FOR_WEIGHTS = 0.7  # of a GPU's free memory; the rest is for activations


@dataclass(frozen=True)
class LanguageModel:
    """A model in evaluation mode, its tokenizer, and its blocks from bottom to top."""

    model: nn.Module
    tokenizer: Any
    blocks: nn.ModuleList

    @property
    def device(self) -> torch.device:
        """Where prompts go in; the blocks of a large model may lie on several devices."""
        return self.model.get_input_embeddings().weight.device

    @property
    def device_name(self) -> str:
        """What computes: `cpu`, or the model of the GPU."""
        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else self.device.type

    @property
    def dtype(self) -> torch.dtype:
        return next(self.model.parameters()).dtype

    @property
    def hidden(self) -> int:
        """Width of the residual stream."""
        return self.model.config.get_text_config().hidden_size

    @property
    def layers(self) -> int:
        return len(self.blocks)


class OneDnnLinear(nn.Linear):
    """A linear layer in float32 on a CPU, multiplied by oneDNN instead of MKL.

    Same arithmetic, other kernels: MKL leaves the wide vector units of processors of other makers than Intel unused, which
    makes every pass take about twice as long there (`make benchmark` prints both rates).
    """

    packed: torch.Tensor  # the weight, in oneDNN's own layout where there is room for a copy

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return torch.ops.mkldnn._linear_pointwise(input, self.packed, self.bias, "none", [], "")


def multiply_by_onednn(model: nn.Module) -> None:
    """Make all plain linear layers `OneDnnLinear`, where torch was built with oneDNN."""
    operations = ("_linear_pointwise", "_reorder_linear_weight")
    if not (torch.backends.mkldnn.is_available() and all(hasattr(torch.ops.mkldnn, name) for name in operations)):
        return
    layers = [module for module in model.modules() if type(module) is nn.Linear]
    size = sum(layer.weight.numel() * layer.weight.itemsize for layer in layers)
    pack = size < ROOM_FOR_COPIES * memory_at_hand()
    for layer in layers:
        layer.__class__ = OneDnnLinear
        weight = layer.weight.detach()
        layer.packed = torch.ops.mkldnn._reorder_linear_weight(weight, None) if pack else weight


def find_blocks(model: nn.Module) -> nn.ModuleList:
    """The one stack of blocks: the module list with as many members as the configuration has hidden layers.

    Raises:
        StudyError: if there is none (not a decoder-only model, or not an ordinary one).
    """
    config = model.config.get_text_config()
    wanted = getattr(config, "num_hidden_layers", None)
    stacks = [module for module in model.modules() if isinstance(module, nn.ModuleList) and len(module) == wanted]
    if not stacks or getattr(config, "is_encoder_decoder", False):
        raise StudyError(
            f"{type(model).__name__}: its stack of blocks cannot be found (no module list with num_hidden_layers = {wanted} "
            "members). The study needs a decoder-only model of transformers; choose another in config/models.yaml."
        )
    return stacks[0]


def context_length(config: Any) -> int | None:
    """Tokens that a model of this configuration reads at most, if it says so."""
    return getattr(config.get_text_config(), "max_position_embeddings", None)


def load_config(folder: str | Path) -> Any:
    """The configuration alone: no weights are read."""
    return AutoConfig.from_pretrained(folder, trust_remote_code=False)


def load_tokenizer(folder: str | Path) -> Any:
    """The tokenizer alone: no weights are read."""
    check_manifest(folder, whole=False)
    return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)


def load_model(folder: str | Path, dtype: str = "float32", device: str = "auto") -> LanguageModel:
    """Load weights for inference, straight to the device.

    Args:
        folder: a folder written by rule `weights`.
        dtype: `float32`, `bfloat16`, `float16`, or `auto` for the dtype of the files.
        device: `auto` (GPUs if there are any), `cpu` or `cuda`. A model that leaves one GPU too little room is spread over
            all of them.

    Raises:
        StudyError: if files are damaged, the machine lacks the device or dtype, or the engine cannot work on the model.
    """
    transformers_logging.disable_progress_bar()
    check_manifest(folder)
    device = available_device(device, dtype)
    try:
        if load_config(folder).is_encoder_decoder:
            raise StudyError(f"{folder}: an encoder-decoder model. Choose a decoder-only one in config/models.yaml.")
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype if dtype == "auto" else getattr(torch, dtype),
            device_map=placement(folder, device),
            trust_remote_code=False,
        )
    except (OSError, ValueError, SafetensorError) as error:
        reason = str(error).strip().split("\n")[0]  # transformers adds paragraphs about the hub
        raise StudyError(f"{folder}: the model cannot be loaded ({reason}). Delete the folder and run again.") from None
    model = model.eval().requires_grad_(False)
    if device == "cpu":
        keep_freed_memory()
        if model.dtype == torch.float32:
            multiply_by_onednn(model)
    lm = LanguageModel(model, load_tokenizer(folder), find_blocks(model))
    check_blocks(lm)
    return lm


def made_by(lm: LanguageModel, rule: str, weights: str | Path, code: Iterable[str | Path]) -> dict[str, Any]:
    """The stamp of files that a job of this rule computes with the model in the folder `weights`."""
    return stamp(rule, Path(weights, MANIFEST), str(lm.dtype).removeprefix("torch."), lm.device_name, code)


def block_hidden(output: Any) -> torch.Tensor:
    """The residual stream in a block's output: a tensor in some versions of transformers and a tuple in others."""
    return output[0] if isinstance(output, tuple) else output


def available_device(device: str, dtype: str) -> str:
    """`cpu` or `cuda`; StudyError if the machine lacks the device, or the device the dtype."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise StudyError(
            "`device: cuda` is asked for, but torch sees no CUDA device here. Set `device` of the model to auto or cpu in "
            "config/models.yaml, or run where there is a GPU."
        )
    if device == "cuda" and dtype == "bfloat16" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise StudyError(
            f"{torch.cuda.get_device_name()} cannot compute in bfloat16. Set `dtype` of the model to float16 or float32 in "
            "config/models.yaml."
        )
    return device


def placement(folder: str | Path, device: str) -> dict[str, str] | str:
    """Where weights go (transformers' `device_map`): one device, or all GPUs where one has too little room beside them."""
    if device == "cpu" or torch.cuda.device_count() == 1:
        return {"": device}
    size = sum(file.stat().st_size for file in Path(folder).glob("*.safetensors"))
    return {"": device} if size < ROOM_FOR_WEIGHTS * torch.cuda.mem_get_info(0)[0] else "auto"


@torch.inference_mode()
def check_blocks(lm: LanguageModel) -> None:
    """Refuse, by name and with the reason, a model that the engine could not read or patch exactly.

    Raises:
        StudyError: unless every block is called once, hands on `[batch, token, hidden]`, and keeps keys and values.
    """
    shapes: list[tuple[int, ...]] = []

    def note(block: nn.Module, inputs: Any, output: Any) -> None:
        shapes.append(tuple(block_hidden(output).shape))

    handles = [block.register_forward_hook(note) for block in lm.blocks]
    try:
        output = lm.model.base_model(torch.zeros(1, 2, dtype=torch.long, device=lm.device), use_cache=True)
    finally:
        for handle in handles:
            handle.remove()
    layers = getattr(getattr(output, "past_key_values", None), "layers", [])
    cached = [layer for layer in layers if getattr(layer, "keys", None) is not None and layer.keys.shape[0] == 1]
    reason = ""
    if len(shapes) != lm.layers:
        reason = f"its {lm.layers} blocks were called {len(shapes)} times in one pass"
    elif set(shapes) != {(1, 2, lm.hidden)}:
        reason = f"a block hands on {max(shapes)}, not [batch, token, hidden] = {(1, 2, lm.hidden)}"
    elif len(cached) != lm.layers:
        reason = f"only {len(cached)} of its {lm.layers} blocks keep keys and values, so a prompt's beginning cannot be reused"
    if reason:
        raise StudyError(
            f"{type(lm.model).__name__} is not supported: {reason}. The study needs an ordinary stack of attention blocks; "
            "choose another model in config/models.yaml."
        )
