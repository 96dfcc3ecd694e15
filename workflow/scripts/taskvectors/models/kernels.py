"""Which kernels multiply a model's matrices on this machine: torch's own, or oneDNN's where they are faster.

Chosen by what the processor is, never by the clock: other kernels round otherwise, and a rerun is to give the same
numbers. The environment variable STUDY_PROCESSOR names another processor (`AuthenticAMD avx512f`): to repeat what its
kernels compute, and so that tests run under every choice on every machine.
"""

import os
import platform
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from taskvectors.models.memory import memory_at_hand

ROOM_FOR_COPIES = 0.25  # of the memory at hand
INTEL = "GenuineIntel"
CPUINFO = Path("/proc/cpuinfo")
STAND_IN = "STUDY_PROCESSOR"  # environment variable: vendor and features of the processor whose kernels are taken


class Processor(NamedTuple):
    """What Linux reports about a processor; empty on other systems, where torch's own kernels are used."""

    vendor: str = ""
    features: frozenset[str] = frozenset()

    @property
    def has_idle_vector_units(self) -> bool:
        """Whether MKL, which torch calls for float32, leaves wide vector units unused."""
        return self.vendor not in ("", INTEL) and "avx512f" in self.features and torch.backends.mkl.is_available()

    @property
    def multiplies_bfloat16(self) -> bool:
        """Whether there are instructions for it, which make it two times as fast as float32 or more."""
        return "avx512_bf16" in self.features


def processor() -> Processor:
    """This machine's processor, or the one that the environment names in its place."""
    vendor, *features = os.environ.get(STAND_IN, "").split() or [""]
    return Processor(vendor, frozenset(features)) if vendor else processor_of_machine()


@cache
def processor_of_machine() -> Processor:
    """This machine's processor, as Linux describes it."""
    if platform.system() != "Linux":
        return Processor()
    facts = dict(line.split(":", 1) for line in CPUINFO.read_text(encoding="utf-8").splitlines() if ":" in line)
    said = {name.strip(): value.strip() for name, value in facts.items()}
    return Processor(said.get("vendor_id", ""), frozenset(said.get("flags", "").split()))


class OneDnnLinear(nn.Linear):
    """A linear layer in float32 on a CPU, multiplied by oneDNN. Same arithmetic, other kernels.

    Where vector units stay idle otherwise (`Processor.has_idle_vector_units`) every pass takes about half as long
    (`make benchmark` prints both rates).

    The packed copy of the weight can be neither copied nor pickled, and torch does not keep it up to date. So copies
    and files of the layer are without it, and it is made anew when the weight is another one: assigned, loaded, moved,
    or changed in place (through the parameter: torch does not notice changes through `weight.data`). A layer that is
    trained, on another device or in another dtype is multiplied by torch, as `nn.Linear` is.
    """

    packs = False  # whether there is room for a copy of the weight in oneDNN's own layout
    _copy: tuple[Tensor, int, Tensor] | None = None  # the weight that was packed, its version, and the packed copy

    def forward(self, input: Tensor) -> Tensor:
        learned = torch.is_grad_enabled() and any(part.requires_grad for part in self.parameters())
        if learned or not all(_is_plain(tensor) for tensor in (input, self.weight)):
            return super().forward(input)
        return _Product.apply(input, self)

    @property
    def packed(self) -> Tensor:
        """The weight as oneDNN multiplies it."""
        weight = self.weight.detach()
        if not self.packs or self.weight.is_inference():  # whose changes torch does not count
            return weight
        # The weight itself is held, as an address alone may be another one's by now.
        held, version, copy = self._copy or (None, 0, weight)
        if held is None or held.data_ptr() != weight.data_ptr() or version != self.weight._version:
            copy = torch.ops.mkldnn._reorder_linear_weight(weight, None)
            self._copy = (weight, self.weight._version, copy)
        return copy

    def __getstate__(self) -> dict[str, Any]:
        return {name: part for name, part in self.__dict__.items() if name != "_copy"}


def _is_plain(tensor: Tensor) -> bool:
    """Whether oneDNN's float32 operation takes the tensor."""
    return tensor.dtype == torch.float32 and tensor.device.type == "cpu"


class _Product(torch.autograd.Function):
    """A frozen layer's product with its input, and the gradient of that; oneDNN's own operation passes none on."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, layer: OneDnnLinear) -> Tensor:
        ctx.layer = layer
        return torch.ops.mkldnn._linear_pointwise(input, layer.packed, layer.bias, "none", [], "")

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        # A view of the weight: a copy laid out for it would gain a tenth, and cost as much memory as the model.
        turned = ctx.layer.weight.detach().t()
        return torch.ops.mkldnn._linear_pointwise(gradient.contiguous(), turned, None, "none", [], ""), None


def multiply_faster(model: nn.Module) -> str:
    """Make all plain linear layers of a model in float32 on a CPU `OneDnnLinear`, if that is faster on this processor.

    Returns:
        Whose kernels multiply, for the log: `oneDNN` or `torch`.
    """
    layers = [module for module in model.modules() if type(module) is nn.Linear]
    if not layers or not processor().has_idle_vector_units or not onednn_is_there():
        return "torch"
    multiply_by_onednn(layers)
    return "oneDNN"


def kernels_of(model: nn.Module) -> str:
    """Whose kernels multiply a model's linear layers: `oneDNN` or `torch`."""
    return "oneDNN" if any(isinstance(module, OneDnnLinear) for module in model.modules()) else "torch"


def onednn_is_there() -> bool:
    """Whether this torch can call oneDNN for a single matrix."""
    operations = ("_linear_pointwise", "_reorder_linear_weight")
    return torch.backends.mkldnn.is_available() and all(hasattr(torch.ops.mkldnn, name) for name in operations)


def onednn_multiplies_bfloat16() -> bool:
    """Whether oneDNN can lay a matrix of bfloat16 out on this machine, whatever processor is named in its place."""
    return onednn_is_there() and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def multiplier(weight: Tensor) -> Callable[[Tensor], Tensor]:
    """What multiplies rows by a weight `[out, in]` of bfloat16: where the processor has instructions for it, laid out
    once for all calls; else, where it would be slow or impossible, in float32 and rounded."""
    if not processor().multiplies_bfloat16 or not onednn_multiplies_bfloat16():
        wide = weight.float()
        return lambda rows: nn.functional.linear(rows.float(), wide).bfloat16()
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, None)
    return lambda rows: torch.ops.mkldnn._linear_pointwise(rows, packed, None, "none", [], "")


def multiply_by_onednn(layers: list[nn.Linear]) -> None:
    """Have oneDNN multiply, with packed copies of the weights where there is room."""
    size = sum(layer.weight.numel() * layer.weight.itemsize for layer in layers)
    pack = size < ROOM_FOR_COPIES * memory_at_hand()
    for layer in layers:
        layer.__class__ = OneDnnLinear
        layer.packs = pack  # type: ignore[assignment]
