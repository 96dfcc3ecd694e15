"""Which kernels multiply a model's float32 matrices on this machine: torch's own, or oneDNN's where they are faster."""

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from taskvectors.models.memory import memory_at_hand
from taskvectors.progress import logger

ROOM_FOR_COPIES = 0.25  # of the memory at hand
TRIED = 3e8  # multiply-adds of one multiplication when both are timed: some milliseconds
TOKENS = (16, 512)  # at least and at most, for that
TRIALS = 5  # in turn; the fastest of each counts
WORTH = 1.25  # times faster, or torch's own stay: so that noise does not decide, and no copies are made for little


class OneDnnLinear(nn.Linear):
    """A linear layer in float32 on a CPU, multiplied by oneDNN. Same arithmetic, other kernels.

    What torch calls by itself (MKL) leaves the wide vector units of processors of other makers than Intel unused, which makes every
    pass take about twice as long there (`make benchmark` prints both rates).
    """

    packed: Tensor  # the weight, in oneDNN's own layout where there is room for a copy

    def forward(self, input: Tensor) -> Tensor:
        if torch.is_grad_enabled() and input.requires_grad:  # oneDNN's own operation passes no gradient on
            return super().forward(input)
        return torch.ops.mkldnn._linear_pointwise(input, self.packed, self.bias, "none", [], "")


def multiply_faster(model: nn.Module) -> str:
    """Make all plain linear layers of a model in float32 on a CPU `OneDnnLinear`, if that is faster on its own shapes here.

    Returns:
        Whose kernels multiply, for the log: `oneDNN` or `torch`.
    """
    layers = [module for module in model.modules() if type(module) is nn.Linear]
    if not layers or not onednn_is_there():
        return "torch"
    largest = max(layers[:-1] or layers, key=lambda layer: layer.weight.numel())  # the last one unembeds
    gain = onednn_gain(largest.weight.detach())
    logger.info("kernels: oneDNN multiplies %.2f times as fast as torch", gain)
    if gain < WORTH:
        return "torch"
    multiply_by_onednn(layers)
    return "oneDNN"


def onednn_is_there() -> bool:
    """Whether this torch can call oneDNN for a single matrix."""
    operations = ("_linear_pointwise", "_reorder_linear_weight")
    return torch.backends.mkldnn.is_available() and all(hasattr(torch.ops.mkldnn, name) for name in operations)


def multiplier(weight: Tensor) -> Callable[[Tensor], Tensor]:
    """What multiplies rows by a weight `[out, in]`, laid out once for all calls where oneDNN is there."""
    if not onednn_is_there():
        return lambda rows: nn.functional.linear(rows, weight)
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, None)
    return lambda rows: torch.ops.mkldnn._linear_pointwise(rows, packed, None, "none", [], "")


@torch.inference_mode()
def onednn_gain(weight: Tensor) -> float:
    """How many times faster oneDNN multiplies tokens by a weight `[out, in]` than torch does."""
    tokens = int(min(max(TRIED / weight.numel(), TOKENS[0]), TOKENS[1]))
    inputs = torch.randn(tokens, weight.shape[1])
    by_onednn = multiplier(weight)
    ways: list[Callable[[], Tensor]] = [lambda: nn.functional.linear(inputs, weight), lambda: by_onednn(inputs)]
    plain, onednn = (
        min(seconds) for seconds in zip(*([_seconds(way) for way in ways] for _ in range(TRIALS)), strict=True)
    )
    return plain / onednn


def _seconds(run: Callable[[], Tensor]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def multiply_by_onednn(layers: list[nn.Linear]) -> None:
    """Have oneDNN multiply, with packed copies of the weights where there is room."""
    size = sum(layer.weight.numel() * layer.weight.itemsize for layer in layers)
    pack = size < ROOM_FOR_COPIES * memory_at_hand()
    for layer in layers:
        layer.__class__ = OneDnnLinear
        weight = layer.weight.detach()
        layer.packed = torch.ops.mkldnn._reorder_linear_weight(weight, None) if pack else weight
