"""What something costs: tokens passed up and down through the blocks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from taskvectors.engine.passes import Replayed
from taskvectors.models.language_model import LanguageModel, block_hidden, temporary_hooks


@dataclass
class Passes:
    """Tokens times blocks, as a share of all blocks: one is a token passed through the whole model."""

    forward: float = 0.0
    backward: float = 0.0


@contextmanager
def counted_passes(lm: LanguageModel) -> Iterator[Passes]:
    """What runs inside, counted."""
    passes = Passes()

    def forward(block: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(vars(block).get("forward"), Replayed):
            return
        hidden = block_hidden(output)
        tokens = hidden.shape[:-1].numel() / lm.layers
        passes.forward += tokens
        if hidden.requires_grad:

            def backward(gradient: Tensor) -> None:
                passes.backward += tokens

            hidden.register_hook(backward)

    with temporary_hooks([block.register_forward_hook(forward) for block in lm.blocks]):
        yield passes
