"""Next-token distributions, and how far one is from another. Nothing of the vocabulary's size leaves a batch."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import log

import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutputWithPast

from taskvectors.engine.unembed import UNEMBED_ROWS
from taskvectors.models.language_model import LanguageModel

IN_CACHE = 2**20  # logits that a CPU goes on from at once: what is made of them stays in its cache


def log_probabilities(lm: LanguageModel, final: Tensor) -> Tensor:
    """Log-probabilities `[row, vocabulary]` of the next token, in float32 at least, of final hidden states `[row,
    hidden]`.

    The model itself turns the states into logits, soft-capping and scaling included; gradients pass.
    """
    return _normalized(_logits(lm, final))


def _logits(lm: LanguageModel, final: Tensor) -> Tensor:
    with _ending_in(lm, final.to(lm.device)):
        one_token = torch.zeros(len(final), 1, dtype=torch.long, device=lm.device)
        # A view: the gradient of an index would be a tensor of zeros of the logits' size.
        return lm.model(one_token, use_cache=False).logits.squeeze(1)


def _normalized(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(dim=-1)


def _rows_in_cache(logits: Tensor) -> int:
    """How many of these rows to go on from at once; on a GPU so many that what is made of them is no more than they
    are."""
    return max(1, IN_CACHE // logits.shape[1]) if logits.device.type == "cpu" else UNEMBED_ROWS // 8


@torch.inference_mode()
def divergences(lm: LanguageModel, final: Tensor, reference: Tensor) -> Tensor:
    """Jensen–Shannon divergence `[row]` in bits, from 0 to 1, of next-token distributions from those of a reference,
    on the CPU.

    ½ KL(p ∥ m) + ½ KL(q ∥ m) with m = ½ (p + q) (Lin 1991).

    Args:
        final: final hidden states `[row, hidden]`.
        reference: those of the reference, likewise; of equal rows in a row, one is unembedded.
    """
    parts = []
    for rows, references in zip(final.split(UNEMBED_ROWS), reference.split(UNEMBED_ROWS), strict=True):
        different, which = references.unique_consecutive(dim=0, return_inverse=True)
        # Together, as the output matrix is read from memory for however few rows.
        logits, of_references = _logits(lm, torch.cat([rows, different])).split([len(rows), len(different)])
        at_once, of_references = _rows_in_cache(logits), _normalized(of_references)
        for some, places in zip(logits.split(at_once), which.to(logits.device).split(at_once), strict=True):
            p, q = _normalized(some), of_references[places]
            m = torch.logaddexp(p, q) - log(2)
            parts.append(((p.exp() * (p - m)).sum(dim=-1) + (q.exp() * (q - m)).sum(dim=-1)).cpu() / (2 * log(2)))
    return torch.cat(parts).clamp(min=0) if parts else torch.empty(0)


def divergences_of_changes(lm: LanguageModel, final: Tensor, reference: Tensor) -> Tensor:
    """Divergences `[episode, change]` of states `[episode, change, hidden]` from one reference an episode `[episode,
    hidden]`."""
    # An episode's changes follow one another, so that its reference is unembedded once.
    references = reference.to(final.dtype).repeat_interleave(final.shape[1], dim=0)
    return divergences(lm, final.flatten(0, 1), references).unflatten(0, final.shape[:2])


@torch.inference_mode()
def probabilities(lm: LanguageModel, final: Tensor, tokens: Tensor) -> Tensor:
    """Probability `[row]` of a token of each row `[row]` as the next one, on the CPU."""
    parts = []
    for rows, wanted in zip(final.split(UNEMBED_ROWS), tokens.split(UNEMBED_ROWS), strict=True):
        logits, places = _logits(lm, rows), wanted[:, None].to(lm.device)
        at_once = _rows_in_cache(logits)
        for some, of_some in zip(logits.split(at_once), places.split(at_once), strict=True):
            parts.append(_normalized(some).gather(1, of_some)[:, 0].exp().cpu())
    return torch.cat(parts) if parts else torch.empty(0)


class _Ended(BaseModelOutputWithPast):
    """The output of a model without its head; None for all else that a head may pass through (attentions, logits of
    routers)."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


@contextmanager
def _ending_in(lm: LanguageModel, final: Tensor) -> Iterator[None]:
    """Inside, the model's own end follows these states: what comes before it does not run."""
    trunk = lm.trunk
    kept = vars(trunk).get("forward")  # accelerate puts one there for large models
    trunk.forward = lambda *_, **__: _Ended(last_hidden_state=final[:, None])
    try:
        yield
    finally:
        del trunk.forward
        if kept is not None:
            trunk.forward = kept
