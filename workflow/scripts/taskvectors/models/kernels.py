"""Which kernels multiply a model's matrices on this machine: torch's own, or oneDNN's where they are faster.

Chosen by what the processor is, never by the clock: other kernels round otherwise, and a rerun is to give the same numbers.
"""

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


class Processor(NamedTuple):
    """What Linux says of a processor; other systems say nothing, and torch's own kernels are taken."""

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


@cache
def processor() -> Processor:
    """This machine's."""
    if platform.system() != "Linux":
        return Processor()
    facts = dict(line.split(":", 1) for line in CPUINFO.read_text(encoding="utf-8").splitlines() if ":" in line)
    told = {name.strip(): value.strip() for name, value in facts.items()}
    return Processor(told.get("vendor_id", ""), frozenset(told.get("flags", "").split()))


class OneDnnLinear(nn.Linear):
    """A linear layer in float32 on a CPU, multiplied by oneDNN. Same arithmetic, other kernels.

    Where vector units stay idle otherwise (`Processor.has_idle_vector_units`) every pass takes about half as long (`make benchmark`
    prints both rates).
    """

    packed: Tensor  # the weight, in oneDNN's own layout where there is room for a copy

    def forward(self, input: Tensor) -> Tensor:
        return _Product.apply(input, self)


class _Product(torch.autograd.Function):
    """A frozen layer's product with its input, and the gradient of that; oneDNN's own operation passes none on."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, layer: OneDnnLinear) -> Tensor:
        ctx.layer = layer
        return torch.ops.mkldnn._linear_pointwise(input, layer.packed, layer.bias, "none", [], "")

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        # A view of the weight: a copy laid out for it would gain a tenth, and cost as much memory as the model.
        turned = ctx.layer.weight.t()
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


def onednn_is_there() -> bool:
    """Whether this torch can call oneDNN for a single matrix."""
    operations = ("_linear_pointwise", "_reorder_linear_weight")
    return torch.backends.mkldnn.is_available() and all(hasattr(torch.ops.mkldnn, name) for name in operations)


def multiplier(weight: Tensor) -> Callable[[Tensor], Tensor]:
    """What multiplies rows by a weight `[out, in]` of bfloat16: where the processor has instructions for it, laid out once for all
    calls; else, where it would be slow or impossible, in float32 and rounded."""
    if not processor().multiplies_bfloat16 or not onednn_is_there():
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
        weight = layer.weight.detach()
        layer.packed = torch.ops.mkldnn._reorder_linear_weight(weight, None) if pack else weight
