"""The loss of answers as a function of one vector, and its gradient: gradient descent in the place of reading
demonstrations.

The model is frozen. A vector v replaces the last token's state after block L of prompts; the loss is the mean negative
log-probability of their answers' first tokens. Nothing below L and nothing of other tokens is differentiated.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor

from taskvectors.data.tokens import Ids
from taskvectors.engine.distribution import log_probabilities
from taskvectors.engine.passes import Replayed, extend, forked, numbered, prefill
from taskvectors.errors import StudyError
from taskvectors.models.batches import by_length, check_lengths
from taskvectors.models.language_model import LanguageModel, block_hidden, temporary_hooks, with_hidden

ROWS = 128  # differentiated together: their logits, and as much again for the gradient, are rows × vocabulary
PRECISE = (torch.float32, torch.float64)


def why_too_coarse(dtype: torch.dtype) -> str:
    """Why there are no gradients of a model that computes in this; empty if there are."""
    if dtype in PRECISE:
        return ""
    return f"gradients in {str(dtype).removeprefix('torch.')} are too coarse; it takes `dtype: float32`"


@dataclass(frozen=True)
class _Group:
    """Different prompts of equal length.

    Attributes:
        last: the last token of each.
        cache: of their other tokens.
    """

    last: Ids
    cache: Any

    def rows(self, places: Tensor) -> "_Group":
        """A copy for some of its prompts `[row]`, repeated as listed, to which a pass may add."""
        return _Group([self.last[place] for place in places.tolist()], forked(self.cache, places))


class Prefilled:
    """Prompts whose other tokens have run: a vector in the place of the last token's state after block L cannot change
    them. What blocks up to L compute for the last token is irrelevant."""

    def __init__(
        self, lm: LanguageModel, prompts: list[list[Ids]], layer: int, names: Sequence[str] | None = None
    ) -> None:
        """
        Args:
            prompts: `[episode][prompt]` token ids, two or more each; of equal ones one is run.
            layer: L, 0-based index of a block.
            names: of the episodes, for error messages.

        Raises:
            StudyError: if L is the top block, which has no blocks above it that could use a vector, the model computes
                in less than float32, or a prompt is too short or too long.
        """
        if layer >= lm.layers - 1:
            raise StudyError(f"layer {layer} is the top block: no block above it could use a vector. Take a lower one.")
        if reason := why_too_coarse(lm.dtype):
            raise StudyError(f"{reason}. Set it for this model in config/models.yaml.")
        for of_episode, name in zip(prompts, names or numbered(prompts), strict=True):
            check_lengths(lm, of_episode, [name] * len(of_episode), shortest=2)
        self.lm, self.layer = lm, layer
        different = list(dict.fromkeys(tuple(ids) for of_episode in prompts for ids in of_episode))
        self.groups: list[_Group] = []
        self.places: dict[tuple[int, ...], tuple[int, int]] = {}  # of a prompt: its group, and its place there
        for _, members in by_length([len(ids) for ids in different]):
            for start in range(0, len(members), ROWS):
                group = [different[i] for i in members[start : start + ROWS]]
                self.places |= {ids: (len(self.groups), row) for row, ids in enumerate(group)}
                with torch.no_grad():
                    cache = prefill(lm, [list(ids[:-1]) for ids in group])
                self.groups.append(_Group([ids[-1] for ids in group], cache))
        self.form = self._form(self.groups[0].rows(torch.zeros(1, dtype=torch.long))) if self.groups else None

    def _form(self, one: _Group) -> Any:
        """What block L gives for one token, into which vectors are put."""
        given = list[Any]()
        hook = self.lm.blocks[self.layer].register_forward_hook(lambda *of: given.append(of[-1]))
        with torch.no_grad(), temporary_hooks([hook]):
            extend(self.lm, one.cache, one.last)
        if len(given) != 1:
            raise StudyError(f"{type(self.lm.model).__name__}: block {self.layer} ran {len(given)} times in one pass.")
        return given[0]

    @contextmanager
    def with_states(self, states: Tensor) -> Iterator[None]:
        """Inside, blocks up to L do not run: what they give are these states `[row, token, hidden]`."""
        given = with_hidden(self.form, states.to(block_hidden(self.form)))
        kept = [(block, vars(block).get("forward")) for block in self.lm.blocks[: self.layer + 1]]
        for block, _ in kept:
            block.forward = Replayed(given)
        try:
            yield
        finally:
            for block, forward in kept:
                del block.forward
                if forward is not None:  # accelerate puts one there for large models
                    block.forward = forward


class AnswerLoss:
    """Of every episode the mean loss over its prompts `[episode]`, as a function of a vector for each `[episode,
    hidden]`."""

    def __init__(
        self,
        prefilled: Prefilled,
        prompts: list[list[Ids]],
        answers: list[list[int]],
        names: Sequence[str] | None = None,
    ) -> None:
        """
        Args:
            prefilled: prompts, these among them.
            prompts: `[episode][prompt]` token ids; episodes may have different numbers of them, one or more.
            answers: the token wanted after each.
            names: of the episodes, for error messages.

        Raises:
            StudyError: if an episode has no prompt.
        """
        self.names = names or numbered(prompts)
        self.prefilled = prefilled
        if bare := [episode for episode, of_it in enumerate(prompts) if not of_it]:
            raise StudyError(f"{self.names[bare[0]]}: there are no answers to learn from.")
        self.counts = torch.tensor([len(of_it) for of_it in prompts], device=prefilled.lm.device)
        # Rows of one group follow one another; an output matrix is read from memory once for as many rows as `ROWS`.
        self.rows = sorted(
            (*prefilled.places[tuple(ids)], episode, answer)
            for episode, (of_it, wanted) in enumerate(zip(prompts, answers, strict=True))
            for ids, answer in zip(of_it, wanted, strict=True)
        )

    def __call__(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Losses `[episode]` in nats and their gradients `[episode, hidden]`, in the dtype of the vectors.

        Raises:
            StudyError: if a loss or gradient is not finite.
        """
        v = vectors.detach().to(self.prefilled.lm.device).requires_grad_()
        with torch.enable_grad():
            losses = self._losses(v, torch.Tensor.backward)
        assert v.grad is not None
        self._check_finite(losses, v.grad)
        return losses.cpu(), v.grad.cpu()

    def value(self, vectors: Tensor) -> Tensor:
        """The losses `[episode]` alone, which take a third of the time. Arguments, raises: as of a call."""
        with torch.no_grad():
            losses = self._losses(vectors.to(self.prefilled.lm.device), lambda whole: None)
        self._check_finite(losses, losses[:, None])
        return losses.cpu()

    def _losses(self, v: Tensor, backward: Callable[[Tensor], None]) -> Tensor:
        """Losses `[episode]`; `backward` is called with the sum of each part of them."""
        losses = torch.zeros(len(v), dtype=v.dtype, device=v.device)
        for start in range(0, len(self.rows), ROWS):
            rows = self.rows[start : start + ROWS]
            episodes, answers = (torch.tensor([row[at] for row in rows], device=v.device) for at in (2, 3))
            final = torch.cat(list(self._final(v, rows)))
            wanted = log_probabilities(self.prefilled.lm, final).gather(1, answers[:, None])[:, 0]
            own = -wanted / self.counts[episodes]
            backward(own.sum())
            losses = losses.index_add(0, episodes, own.detach().to(losses.dtype))
        return losses

    def _final(self, v: Tensor, rows: list[tuple[int, int, int, int]]) -> Iterator[Tensor]:
        """What the model unembeds `[row, hidden]`, of one group of prompts after the other."""
        for number, members in groupby(rows, key=itemgetter(0)):
            # Places on the CPU serve caches and outputs on any device.
            _, places, episodes, _ = (torch.tensor(of) for of in zip(*members, strict=True))
            group = self.prefilled.groups[number].rows(places)
            with self.prefilled.with_states(v[episodes][:, None]):
                yield extend(self.prefilled.lm, group.cache, group.last)

    def _check_finite(self, losses: Tensor, gradients: Tensor) -> None:
        bad = (~(losses.isfinite() & gradients.isfinite().all(dim=-1))).nonzero()
        if len(bad):
            name, layer = self.names[int(bad[0])], self.prefilled.layer
            raise StudyError(
                f"{name}: NaN or infinite values in the loss of its answers at layer {layer}, or in its gradient. "
                "Take shorter steps: lower `rivals: learning: rate`, or the longest of `gradient: shares`."
            )
