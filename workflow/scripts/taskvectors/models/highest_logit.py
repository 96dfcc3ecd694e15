"""The token of highest logit: found by column, and, of a large vocabulary, by rough multiplications before exact ones.

Unembedding is most of a sweep's work where the vocabulary is large. Where a processor has instructions for bfloat16,
logits are first computed roughly; which tokens can then still be the highest follows from a bound on the roughness;
these few are computed again from the float32 weights, in float64.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from taskvectors.models.kernels import multiplier, onednn_multiplies_bfloat16, processor
from taskvectors.models.memory import memory_at_hand

FOLD = 32  # tokens of a column of logits
ROWS = 256  # states at once: logits are rows × vocabulary
SMALLEST = 10_000_000  # weights of a matrix that is worth a rough copy
ROOM_FOR_A_COPY = 0.25  # of the memory at hand
PART = 16384  # tokens of the vocabulary that are rounded, or candidates multiplied, at once
AGAIN = 0.01  # of the vocabulary: more candidates than that are no gain, as of a flat distribution
BFLOAT16 = 2.0**-8  # its largest relative rounding
FLOAT32 = 2.0**-22  # four times float32's, for each term of a sum in any order
SMALL = 1e-30  # what numbers below bfloat16's normal range can add up to


def highest(logits: Tensor) -> Tensor:
    """The token of highest logit `[row]`, the first of equals, of logits `[row, vocabulary]`.

    On a CPU a maximum by columns is many times faster than torch's own `argmax`, which does the same.
    """
    if logits.device.type != "cpu" or logits.shape[1] < FOLD:
        return logits.argmax(-1)
    columns, best = by_column(logits)
    rows, tokens = at_least(logits, columns, best)
    if len(rows.unique()) < len(logits):  # not numbers
        return logits.argmax(-1)
    return torch.full((len(logits),), logits.shape[1]).scatter_reduce(0, rows, tokens, "amin")


def by_column(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The highest logit of every column `[row, column]`, and of all `[row]`.

    There are `FOLD` columns of evenly spaced tokens; the rest of the vocabulary is in none.
    """
    width = logits.shape[1] // FOLD
    folded = logits[:, : FOLD * width].unflatten(1, (FOLD, width))
    while folded.shape[1] > 1:
        half = folded.shape[1] // 2
        folded = torch.maximum(folded[:, :half], folded[:, half:])
    columns, rest = folded[:, 0], logits[:, FOLD * width :]
    best = columns.amax(-1)
    return columns, torch.maximum(best, rest.amax(-1)) if rest.shape[1] else best


def at_least(logits: Tensor, columns: Tensor, least: Tensor) -> tuple[Tensor, Tensor]:
    """Row and token of every logit that is no lower than `least` `[row]`."""
    width = columns.shape[1]
    rows, column = (columns >= least[:, None]).nonzero(as_tuple=True)
    tokens = column[:, None] + width * torch.arange(FOLD)
    place, which = (logits[rows[:, None], tokens] >= least[rows, None]).nonzero(as_tuple=True)
    rest_rows, rest = (logits[:, FOLD * width :] >= least[:, None]).nonzero(as_tuple=True)
    return torch.cat([rows[place], rest_rows]), torch.cat([tokens[place, which], FOLD * width + rest])


class Screen:
    """An output matrix `[vocabulary, hidden]` of float32, and a rough copy of it.

    How far a rough logit is off at most follows from lengths (Cauchy-Schwarz), from the rounding of a sum and from its
    own. So the highest logit is that of a token whose own, at its best, is no lower than every other one's at its
    worst.
    """

    def __init__(self, weight: Tensor) -> None:
        self.weight = weight
        self.version = _version(weight)
        rough = weight.bfloat16()
        parts = zip(weight.split(PART), rough.split(PART), strict=True)
        lengths, lost = zip(*((part.norm(dim=1), (part - rounded).norm(dim=1)) for part, rounded in parts), strict=True)
        self.lengths, self.lost = torch.cat(lengths), torch.cat(lost)  # of each row, and of what rounding takes from it
        self.longest, self.most_lost = self.lengths.max(), self.lost.max()
        missing = max(0, FOLD - len(weight))
        self.logits = multiplier(torch.cat([rough, rough[-1:].expand(missing, -1)]) if missing else rough)

    def highest(self, hidden: Tensor) -> Tensor:
        """The token of highest logit `[row]`, the first of equals, of states `[row, hidden]` of float32."""
        if self.version != _version(self.weight):  # it was changed in place: the rough copy is of another matrix
            self.__init__(self.weight)  # type: ignore[misc]
        return torch.cat([self._highest(rows) for rows in hidden.split(ROWS)])

    def _highest(self, hidden: Tensor) -> Tensor:
        rows, tokens = self.candidates(hidden)
        if len(rows.unique()) < len(hidden) or len(rows) > len(hidden) * max(FOLD, AGAIN * len(self.weight)):
            return highest(linear(hidden, self.weight))  # beyond bfloat16's range, or nearly all alike
        exact = torch.cat([
            torch.einsum("th,th->t", self.weight[some].double(), hidden[of].double())
            for some, of in zip(tokens.split(PART), rows.split(PART), strict=True)
        ])  # fmt: skip
        best = torch.full((len(hidden),), -torch.inf, dtype=exact.dtype).scatter_reduce(0, rows, exact, "amax")
        tokens = tokens.where(exact == best[rows], len(self.weight))
        return torch.full((len(hidden),), len(self.weight)).scatter_reduce(0, rows, tokens, "amin")

    def candidates(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Row and token of every logit that may be the highest of its row; none of a row that bfloat16 says nothing
        about."""
        rough = hidden.bfloat16()
        length, lost = rough.float().norm(dim=1), (hidden - rough.float()).norm(dim=1)
        logits = self.logits(rough)
        columns, best = by_column(logits)
        best = best.float()
        # What is at its best no lower than the one that looks highest is at its worst: first by the bound that holds
        # for all, …
        r = self._off(length, lost, self.longest, self.most_lost)
        least = best - 2 * BFLOAT16 * best.abs() - 2 * r
        rows, tokens = at_least(logits, columns, least - 2 * BFLOAT16 * least.abs())
        # … then by each one's own.
        exact, tokens = logits[rows, tokens].float(), tokens.clamp(max=len(self.weight) - 1)
        off = 2 * BFLOAT16 * exact.abs() + self._off(length[rows], lost[rows], self.lengths[tokens], self.lost[tokens])
        lowest = torch.full((len(hidden),), -torch.inf).scatter_reduce(0, rows, exact - off, "amax")
        kept = exact + off >= lowest[rows] - FLOAT32 * lowest[rows].abs()
        return rows[kept], tokens[kept]

    def _off(self, length: Tensor, lost: Tensor, row: Tensor, lost_of_row: Tensor) -> Tensor:
        """How far a rough logit is off at most, before it is rounded.

        Args:
            length, lost: of a rough state, and of what rounding took from the state.
            row, lost_of_row: the same of a row of the matrix.
        """
        off = length * lost_of_row + lost * row + self.weight.shape[1] * FLOAT32 * length * (row + lost_of_row)
        return off * (1 + FLOAT32 * self.weight.shape[1]) + SMALL


def _version(weight: Tensor) -> int:
    """A number that grows with every change of a tensor in place."""
    return 0 if weight.is_inference() else weight._version


def screen_of(head: nn.Module) -> Screen | None:
    """A screen for the module that unembeds; none where it is no plain matrix of float32 on a CPU, or nothing is
    gained here."""
    if not isinstance(head, nn.Linear) or head.bias is not None or head.weight.dtype != torch.float32:
        return None
    weight = head.weight.detach()
    if (
        weight.device.type != "cpu"
        or not processor().multiplies_bfloat16
        or not onednn_multiplies_bfloat16()
        or weight.numel() < SMALLEST
        or weight.is_inference()  # whose changes torch does not count
        or 2 * weight.numel() > ROOM_FOR_A_COPY * memory_at_hand()
    ):
        return None
    return Screen(weight)
