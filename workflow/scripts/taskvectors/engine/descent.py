"""The loss of answers as a function of one vector, and its gradient: gradient descent in the place of reading demonstrations.

The model is frozen. A vector v stands in for the last token's state after block L of prompts; the loss is the mean negative
log-probability of their answers' first tokens. Nothing below L and nothing of other tokens is differentiated.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from taskvectors.data.tokens import Ids
from taskvectors.engine.distribution import log_probabilities
from taskvectors.engine.passes import Replayed, extend, forked, numbered, prefill
from taskvectors.errors import StudyError
from taskvectors.models.batches import by_length, check_lengths
from taskvectors.models.language_model import LanguageModel, block_hidden, removed, with_hidden

ROWS = 128  # differentiated together: their logits, and as much again for the gradient, are rows × vocabulary
PRECISE = (torch.float32, torch.float64)


@dataclass(frozen=True)
class _Group:
    """Prompts of equal length.

    Attributes:
        episodes: which episode each is of.
        last: its last token.
        cache: of its other tokens.
        outputs: of blocks up to L, for the last token: they do not depend on the vector, so they run once.
        answers: the token wanted.
    """

    episodes: Tensor
    last: Ids
    cache: Any
    outputs: list[Any]
    answers: Tensor


class AnswerLoss:
    """Of every episode the mean loss over its prompts `[episode]`, as a function of a vector for each `[episode, hidden]`."""

    def __init__(
        self,
        lm: LanguageModel,
        prompts: list[list[Ids]],
        answers: list[list[int]],
        layer: int,
        names: Sequence[str] | None = None,
    ) -> None:
        """
        Args:
            prompts: `[episode][prompt]` token ids, two or more each; episodes may have different numbers of them, one or more.
            answers: the token wanted after each.
            layer: L, 0-based index of a block.
            names: how to call each episode in an error message.

        Raises:
            StudyError: if L is the top block, which has no blocks above it that could use a vector, the model computes in less than
                float32, an episode has no prompt, or a prompt is too short or too long.
        """
        self.names = names or numbered(prompts)
        if layer >= lm.layers - 1:
            raise StudyError(f"layer {layer} is the top block: no block above it could use a vector. Take a lower one.")
        if lm.dtype not in PRECISE:
            raise StudyError(
                f"gradients in {str(lm.dtype).removeprefix('torch.')} are too coarse. Set `dtype: float32` for this model in "
                "config/models.yaml."
            )
        rows = [
            (episode, ids, answer)
            for episode, (of_it, wanted) in enumerate(zip(prompts, answers, strict=True))
            for ids, answer in zip(of_it, wanted, strict=True)
        ]
        if bare := set(range(len(prompts))) - {episode for episode, *_ in rows}:
            raise StudyError(f"{self.names[min(bare)]}: there are no answers to learn from.")
        check_lengths(lm, [ids for _, ids, _ in rows], [self.names[episode] for episode, *_ in rows], shortest=2)
        self.lm, self.layer = lm, layer
        self.counts = torch.tensor([len(of_it) for of_it in prompts], device=lm.device)
        # An output matrix is read from memory once for all that is unembedded together: prompts of several lengths share it.
        self.unembedded_together = list(_filled(self._grouped(rows)))
        self.rows = len(rows)  # passes of a token, up and down, for one call

    def _grouped(self, rows: list[tuple[int, Ids, int]]) -> Iterator[_Group]:
        for _, members in by_length([len(ids) for _, ids, _ in rows]):
            for start in range(0, len(members), ROWS):
                episodes, prompts, answers = zip(*(rows[i] for i in members[start : start + ROWS]), strict=True)
                of, wanted = (torch.tensor(numbers, device=self.lm.device) for numbers in (episodes, answers))
                last = [ids[-1] for ids in prompts]
                with torch.no_grad():
                    cache = prefill(self.lm, [ids[:-1] for ids in prompts])
                    outputs = self._outputs_below(cache, last)
                yield _Group(of, last, cache, outputs, wanted)

    def _outputs_below(self, cache: Any, last: Ids) -> list[Any]:
        outputs: list[Any] = []
        blocks = self.lm.blocks[: self.layer + 1]
        with removed([block.register_forward_hook(lambda *inputs: outputs.append(inputs[-1])) for block in blocks]):
            extend(self.lm, _again(cache), last)
        if len(outputs) != len(blocks):
            raise StudyError(f"{type(self.lm.model).__name__}: {len(outputs)} of {len(blocks)} blocks ran in one pass.")
        return outputs

    def __call__(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Losses `[episode]` in nats and their gradients `[episode, hidden]`, in the dtype of the vectors.

        Raises:
            StudyError: if a loss or gradient is not finite.
        """
        v = vectors.detach().to(self.lm.device).requires_grad_()
        with torch.enable_grad():
            losses = self._losses(v, torch.Tensor.backward)
        assert v.grad is not None
        self._check_finite(losses, v.grad)
        return losses.cpu(), v.grad.cpu()

    def losses(self, vectors: Tensor) -> Tensor:
        """The losses alone, which take a third of the time. Arguments, raises: as of a call."""
        with torch.no_grad():
            losses = self._losses(vectors.to(self.lm.device), lambda whole: None)
        self._check_finite(losses, losses[:, None])
        return losses.cpu()

    def _losses(self, v: Tensor, backward: Callable[[Tensor], None]) -> Tensor:
        """Losses `[episode]`; `backward` is told the sum of each part of them."""
        losses = torch.zeros(len(v), dtype=v.dtype, device=v.device)
        for groups in self.unembedded_together:
            final = torch.cat([self._final(v, group) for group in groups])
            episodes, answers = (torch.cat(of) for of in zip(*((g.episodes, g.answers) for g in groups), strict=True))
            wanted = log_probabilities(self.lm, final).gather(1, answers[:, None])[:, 0]
            own = -wanted / self.counts[episodes]
            backward(own.sum())
            losses = losses.index_add(0, episodes, own.detach().to(losses.dtype))
        return losses

    def _final(self, v: Tensor, group: _Group) -> Tensor:
        """What the model unembeds for each row of a group `[row, hidden]`."""
        with _starting_after(self.lm, group.outputs, v[group.episodes][:, None]):
            return extend(self.lm, _again(group.cache), group.last)

    def _check_finite(self, losses: Tensor, gradients: Tensor) -> None:
        bad = (~(losses.isfinite() & gradients.isfinite().all(dim=-1))).nonzero()
        if len(bad):
            raise StudyError(
                f"{self.names[int(bad[0])]}: NaN or infinite values in the loss of its answers at layer {self.layer}, or in its "
                "gradient. Lower the rate of learning, or leave the learned vectors out."
            )


def _filled(groups: Iterable[_Group]) -> Iterator[list[_Group]]:
    """Groups together, as many as make no more than `ROWS` rows."""
    together: list[_Group] = []
    for group in groups:
        if together and sum(len(other.last) for other in together) + len(group.last) > ROWS:
            yield together
            together = []
        together.append(group)
    if together:
        yield together


def _again(cache: Any) -> Any:
    """A copy of a cache, to which a pass may add."""
    return forked(cache, torch.arange(len(cache.layers[0].keys), device=cache.layers[0].keys.device))


@contextmanager
def _starting_after(lm: LanguageModel, outputs: list[Any], states: Tensor) -> Iterator[None]:
    """Inside, blocks up to L do not run: they give what they gave before, the uppermost of them with these states
    `[row, token, hidden]`."""
    given = [*outputs[:-1], with_hidden(outputs[-1], states.to(block_hidden(outputs[-1])))]
    kept = [(block, vars(block).get("forward")) for block in lm.blocks[: len(given)]]
    for (block, _), output in zip(kept, given, strict=True):
        block.forward = Replayed(output)
    try:
        yield
    finally:
        for block, forward in kept:
            del block.forward
            if forward is not None:  # accelerate puts one there for large models
                block.forward = forward
