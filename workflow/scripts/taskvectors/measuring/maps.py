"""Maps from the last token's state of a bare prompt to its state behind demonstrations: from a constant to a linear
map of any rank.

θ is a constant: it is put in whatever the query is. A linear map of the query's own state is not: Kwon et al. 2026
(arXiv 2605.20730) fit one to next-token distributions, here it is fitted to states. Maps are those of ridge
regression, those of a lower rank of reduced-rank ridge regression (Mukherjee and Zhu 2011), both in closed form.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from taskvectors.data.episodes import Episode
from taskvectors.data.prompts import dummy_prompts, prompt, regular_prompt
from taskvectors.data.tokens import prompt_ids_of_each
from taskvectors.engine.read import read_states_at
from taskvectors.models.language_model import LanguageModel

EQUAL = 1e-6  # singular values below this share of the largest are those of states that are the same
RIDGES = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)  # penalties to try, as shares of the mean squared singular value


@dataclass(frozen=True)
class Pairs:
    """States of the last token after one block, of the same queries without and with demonstrations.

    Attributes:
        bare: `[prompt, hidden]`, float64.
        shown: `[prompt, hidden]`, float64.
        inputs: what each prompt with demonstrations shows, its query included.
        queries: of each prompt.
        episodes: the number of each prompt's episode.
    """

    bare: Tensor
    shown: Tensor
    inputs: Sequence[Collection[str]]
    queries: Sequence[str]
    episodes: Sequence[int]

    def __len__(self) -> int:
        return len(self.bare)

    def at(self, places: Sequence[int]) -> "Pairs":
        """Some of the prompts."""
        kept: Any = ([of_all[place] for place in places] for of_all in (self.inputs, self.queries, self.episodes))
        return Pairs(self.bare[places], self.shown[places], *kept)

    def not_showing(self, query: str) -> "Pairs":
        """The prompts that do not show a query."""
        return self.at([place for place, shown in enumerate(self.inputs) if query not in shown])

    def first_of_episodes(self) -> "Pairs":
        """The first prompt of every episode, that of its query."""
        return self.at([self.episodes.index(episode) for episode in dict.fromkeys(self.episodes)])

    def shuffled(self, order: Sequence[int]) -> "Pairs":
        """The bare states with the states behind demonstrations of other prompts."""
        return replace(self, shown=self.shown[order])


def joined(parts: Sequence[Pairs]) -> Pairs:
    """One below the other; episodes stay different."""
    episodes, start = list[int](), 0
    for part in parts:
        episodes += [start + episode for episode in part.episodes]
        start += 1 + max(part.episodes, default=-1)
    inputs, queries = ([one for part in parts for one in getattr(part, name)] for name in ("inputs", "queries"))
    bare, shown = (torch.cat([getattr(part, name) for part in parts]) for name in ("bare", "shown"))
    return Pairs(bare, shown, inputs, queries, episodes)


def read_pairs(lm: LanguageModel, episodes: Sequence[Episode], layer: int) -> Pairs:
    """States after block `layer` of the queries of episodes and of their dummy queries, one episode after the other,
    the query first."""
    asked = [[episode.query, *episode.dummies] for episode in episodes]
    texts = [[regular_prompt(episode), *dummy_prompts(episode)] for episode in episodes]
    ids, names = prompt_ids_of_each(lm.tokenizer, texts), [episode.name for episode in episodes]
    shown = read_states_at(lm, ids, layer, names)
    queries = list(dict.fromkeys(query for own in asked for query in own))
    bare_ids = prompt_ids_of_each(lm.tokenizer, [[prompt((), query)] for query in queries])
    bare = dict(zip(queries, read_states_at(lm, bare_ids, layer, [f"the query {x!a}" for x in queries]), strict=True))
    return Pairs(
        torch.cat([bare[query] for own in asked for query in own]).double(),
        torch.cat(shown).double(),
        [{query, *(x for x, _ in e.demos)} for e, own in zip(episodes, asked, strict=True) for query in own],
        [query for own in asked for query in own],
        [place for place, own in enumerate(asked) for _ in own],
    )


def table_of(pairs: Mapping[str, Pairs]) -> pd.DataFrame:
    """Pairs of several tasks as they are stored, in float32: a row a prompt."""
    tables = [
        pd.DataFrame(
            {
                "task": task,
                "episode": own.episodes,
                "query": own.queries,
                "inputs": [sorted(shown) for shown in own.inputs],
                "bare": list(own.bare.float().numpy()),
                "shown": list(own.shown.float().numpy()),
            }
        )
        for task, own in pairs.items()
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({"task": pd.Series(dtype=str)})


def pairs_in(table: pd.DataFrame) -> dict[str, Pairs]:
    """Pairs by task, from what `table_of` made."""
    return {
        str(task): Pairs(
            torch.from_numpy(np.stack(list(rows["bare"]))).double(),
            torch.from_numpy(np.stack(list(rows["shown"]))).double(),
            [set(shown) for shown in rows["inputs"]],
            rows["query"].tolist(),
            rows["episode"].tolist(),
        )
        for task, rows in table.groupby("task", sort=False)
    }


@dataclass(frozen=True)
class LinearMap:
    """From bare states to states behind demonstrations.

    Attributes:
        mean_bare, mean_shown: `[hidden]`.
        left: `[hidden, rank]`.
        directions: `[rank, hidden]`, orthonormal, what is fitted best first.
    """

    mean_bare: Tensor
    mean_shown: Tensor
    left: Tensor
    directions: Tensor

    @property
    def rank(self) -> int:
        """The highest that there is."""
        return len(self.directions)

    def of(self, bare: Tensor, rank: int | None = None) -> Tensor:
        """States `[query, hidden]` from bare ones, by the map of a lower rank; of rank 0 the mean."""
        return self.mean_shown + (bare - self.mean_bare) @ self.left[:, :rank] @ self.directions[:rank]

    def along(self, directions: Tensor) -> "LinearMap":
        """The same map with its results projected on other orthonormal directions `[rank, hidden]`."""
        return LinearMap(self.mean_bare, self.mean_shown, self.left @ (self.directions @ directions.T), directions)


def fitted(pairs: Pairs, penalty: float) -> LinearMap:
    """The ridge regression of states behind demonstrations on bare ones, `[(x − x̄)ᵀ(x − x̄) + λ]⁻¹ (x − x̄)ᵀ(y − ȳ)`.

    Its maps of lower rank are those of reduced-rank ridge regression: the first right singular vectors of the fit,
    with the penalty's rows among the data (Mukherjee and Zhu 2011, equation 6).

    Args:
        pairs: two or more.
        penalty: λ.
    """
    (x, mean_bare), (y, mean_shown) = _centred(pairs.bare), _centred(pairs.shown)
    u, s, v = torch.linalg.svd(x, full_matrices=False)
    rank = max(int((s > EQUAL * s[0]).sum()), 1)  # the same query asked twice adds none
    u, s, v = u[:, :rank], s[:rank, None], v[:rank]
    by_component = u.T @ y
    directions = torch.linalg.svd(s / (s.square() + penalty).sqrt() * by_component, full_matrices=False)[2]
    coefficients = v.T @ (s / (s.square() + penalty) * by_component)
    return LinearMap(mean_bare, mean_shown, coefficients @ directions.T, directions)


def full_map(pairs: Pairs, penalty: float) -> LinearMap:
    """The ridge regression alone, without its maps of lower rank: quicker of many prompts."""
    (x, mean_bare), (y, mean_shown) = _centred(pairs.bare), _centred(pairs.shown)
    unit = torch.eye(x.shape[1], dtype=x.dtype)
    return LinearMap(mean_bare, mean_shown, torch.linalg.solve(x.T @ x + penalty * unit, x.T @ y), unit)


def best_penalty(pairs: Pairs, shares: Sequence[float] = RIDGES) -> float:
    """The λ of the smallest squared error on the prompts of a query that is left out, one query at a time, as a fit
    never shows the query that it is used on; exact, from one fit.

    Args:
        shares: what to try, as shares of the mean squared singular value of the bare states.
    """
    (x, _), (y, _) = _centred(pairs.bare), _centred(pairs.shown)
    u, s, _ = torch.linalg.svd(x, full_matrices=False)
    penalties = [share * float(s.square().sum()) / max(min(len(x) - 1, x.shape[1]), 1) for share in shares]
    return min(penalties, key=lambda penalty: _left_out_error(u, s, y, pairs.queries, penalty))


def _left_out_error(u: Tensor, s: Tensor, y: Tensor, groups: Sequence[str], penalty: float) -> float:
    """The squared error of every group from the fit to all others: (I − H)⁻¹ of the group times its residual."""
    shrunk = u * (s.square() / (s.square() + penalty))
    residual, error = y - shrunk @ (u.T @ y), 0.0  # y is centred, so that the share of the mean adds nothing
    by_group: dict[str, list[int]] = {}
    for place, group in enumerate(groups):
        by_group.setdefault(group, []).append(place)
    for places in by_group.values():
        left = torch.eye(len(places), dtype=y.dtype) - shrunk[places] @ u[places].T - 1 / len(y)
        error += float(torch.linalg.solve(left, residual[places]).square().sum())
    return error


def _centred(states: Tensor) -> tuple[Tensor, Tensor]:
    mean = states.mean(dim=0)
    return states - mean, mean
