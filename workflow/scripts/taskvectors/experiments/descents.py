"""Losses of demonstrations' answers at vectors in their place, descent on them, and θ behind any demonstrations."""

from collections.abc import Iterator, Sequence

import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import normalize

from taskvectors.data.episodes import Episode
from taskvectors.data.prompts import prompt
from taskvectors.data.tokens import prompt_ids_of_each
from taskvectors.engine.descent import AnswerLoss
from taskvectors.engine.read import read_theta_at
from taskvectors.models.language_model import LanguageModel
from taskvectors.representations.learning import Pairs, answer_loss
from taskvectors.store.thetas import Thetas

PART = 64  # rows whose prompts are held at once


def bare(lm: LanguageModel, episodes: list[Episode], layer: int) -> Tensor:
    """v₀ `[episode, hidden]`."""
    return read_behind(lm, episodes, [()] * len(episodes), layer)


def of_file(thetas: Thetas, episodes: list[Episode], layer: int) -> Tensor:
    """θ as it was extracted `[episode, hidden]`."""
    return torch.from_numpy(thetas.of_episodes(episode.key for episode in episodes)[:, layer])


def read_behind(lm: LanguageModel, episodes: Sequence[Episode], demos: Sequence[Pairs], layer: int) -> Tensor:
    """θ `[row, hidden]` of an episode's dummy queries behind these demonstrations, for every row."""
    texts = [[prompt(tuple(shown), x) for x in e.dummies] for e, shown in zip(episodes, demos, strict=True)]
    ids = prompt_ids_of_each(lm.tokenizer, texts)
    # A copy: what inference mode makes cannot be differentiated.
    return read_theta_at(lm, ids, layer, [episode.name for episode in episodes]).clone()


def parts(count: int) -> list[slice]:
    """Rows that are handled together, so that memory is bounded whatever their number."""
    return [slice(start, start + PART) for start in range(0, count, PART)]


def loss_at(
    lm: LanguageModel, pairs: Sequence[Pairs], vectors: Tensor, layer: int, names: list[str]
) -> tuple[Tensor, Tensor]:
    """Losses `[row]` and gradients `[row, hidden]` of each row's pairs at its vector."""
    of_parts = [answer_loss(lm, pairs[part], layer, names[part])(vectors[part]) for part in parts(len(pairs))]
    losses, gradients = zip(*of_parts, strict=True)
    return torch.cat(losses), torch.cat(gradients)


def losses_at(
    lm: LanguageModel, pairs: Sequence[Pairs], vectors: Sequence[Tensor], layer: int, names: list[str]
) -> list[Tensor]:
    """Losses `[row]` of each row's pairs at each of several vectors for it."""
    of_parts = []
    for part in parts(len(pairs)):
        loss = answer_loss(lm, pairs[part], layer, names[part])
        of_parts.append([loss.losses(v[part]) for v in vectors])
    return [torch.cat(losses) for losses in zip(*of_parts, strict=True)]


def descend(loss: AnswerLoss, start: Tensor, length: Tensor, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Vectors `[row, hidden]` and their losses `[row]` after 0, 1, … steps down the gradient, each step of a row's length `[row]`."""
    v = start
    for _ in range(steps):
        losses, slope = loss(v)
        yield v, losses
        v = v - length[:, None] * normalize(slope, dim=-1)
    yield v, loss.losses(v)


def descend_online(
    lm: LanguageModel, pairs: Sequence[Pairs], start: Tensor, length: Tensor, layer: int, names: list[str]
) -> Tensor:
    """Vectors `[row, hidden]` after a step down the gradient of each pair's loss, one pair after the other."""
    v = start.clone()
    for turn in range(max(map(len, pairs))):
        rows = [row for row, of_row in enumerate(pairs) if turn < len(of_row)]
        _, slope = loss_at(lm, [[pairs[row][turn]] for row in rows], v[rows], layer, [names[row] for row in rows])
        v[rows] -= length[rows, None] * normalize(slope, dim=-1)
    return v


def observed(
    episodes: list[Episode], measure: str, of: str, values: Tensor, step: int | Sequence[int] | None = None, states: str | None = None
) -> pd.DataFrame:  # fmt: skip
    """A value for every episode."""
    columns = {
        "task": [e.task for e in episodes],
        "episode": [e.episode for e in episodes],
        "measure": measure,
        "of": of,
    }
    table = pd.DataFrame({**columns, "states": states, "step": step, "value": values.double().tolist()})
    return table.astype({"step": "Int64", "states": object})
