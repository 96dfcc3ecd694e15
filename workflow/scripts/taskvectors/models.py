"""Loading a causal language model and finding its stack of blocks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from taskvectors.errors import StudyError
from taskvectors.weights import check_manifest


@dataclass(frozen=True)
class LanguageModel:
    """A model in evaluation mode, its tokenizer, and its blocks from bottom to top."""

    model: nn.Module
    tokenizer: Any
    blocks: nn.ModuleList

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

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

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return torch.ops.mkldnn._linear_pointwise(input, self.weight, self.bias, "none", [], "")


def multiply_by_onednn(model: nn.Module) -> None:
    """Make all plain linear layers `OneDnnLinear`, where torch was built with oneDNN."""
    if torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        for module in model.modules():
            if type(module) is nn.Linear:
                module.__class__ = OneDnnLinear


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


def load_tokenizer(folder: str | Path) -> Any:
    """The tokenizer alone: no weights are read."""
    check_manifest(folder)
    return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)


def load_model(folder: str | Path, dtype: str = "float32", device: str = "auto") -> LanguageModel:
    """Load weights for inference.

    Args:
        folder: a folder written by rule `weights`.
        dtype: `float32`, `bfloat16`, `float16`, or `auto` for the dtype of the files.
        device: `auto` (a GPU if there is one), `cpu` or `cuda`.

    Raises:
        StudyError: if files are damaged, the architecture has no decoder or the blocks cannot be found.
    """
    transformers_logging.disable_progress_bar()
    check_manifest(folder)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        if AutoConfig.from_pretrained(folder, trust_remote_code=False).is_encoder_decoder:
            raise StudyError(f"{folder}: an encoder-decoder model. Choose a decoder-only one in config/models.yaml.")
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype if dtype == "auto" else getattr(torch, dtype), trust_remote_code=False
        )
    except (OSError, ValueError, SafetensorError) as error:
        reason = str(error).strip().split("\n")[0]  # transformers adds paragraphs about the hub
        raise StudyError(f"{folder}: the model cannot be loaded ({reason}). Delete the folder and run again.") from None
    model = model.to(device).eval().requires_grad_(False)
    if device == "cpu" and model.dtype == torch.float32:
        multiply_by_onednn(model)
    return LanguageModel(model, load_tokenizer(folder), find_blocks(model))
