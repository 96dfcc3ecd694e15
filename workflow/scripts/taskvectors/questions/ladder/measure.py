"""How much of the query must be seen: at the common layer, a constant, an offset, linear maps of growing rank and the
state itself take the place of the query's own state.

Dong et al. 2026 prove for linear attention that one vector holds rank-one mappings alone; Kwon et al. 2026 (arXiv
2605.20730) fit linear maps of the query's state.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from taskvectors.data.episodes import DEV, TEST, Episode, by_task, first_of_tasks
from taskvectors.data.sampling import episode_rng
from taskvectors.measuring.answers import At, answers_with
from taskvectors.measuring.maps import LinearMap, Pairs, best_penalty, fitted, full_map, joined, read_pairs
from taskvectors.measuring.vectors import of_file
from taskvectors.models.language_model import LanguageModel
from taskvectors.names import ACCURACY, THETA
from taskvectors.progress import logger, track
from taskvectors.questions.ladder.names import (
    ALL_TASKS,
    BARE,
    CONSTANT,
    FULL,
    MAP,
    OFFSET,
    OTHER_TASK,
    RANDOM,
    SHUFFLED,
    STATE,
)
from taskvectors.store.thetas import Thetas

DRAWN_ANEW = "its rule is drawn anew in every episode: no map is that of the task"
FEWEST = 3  # prompts of a fit
COLUMNS = ["task", "episode", "measure", "subject", "states", "step", "value", "left_out"]


def ladder(
    lm: LanguageModel, episodes: list[Episode], thetas: Thetas, choice: pd.DataFrame, fits: Mapping[str, Pairs],
    settings: Mapping[str, Any], main: Sequence[str], drawn_anew: Sequence[str], sources: Mapping[str, Sequence[str]],
    prefix_scored: Mapping[str, bool], answer_tokens: Mapping[str, int], seed: int,
) -> pd.DataFrame:  # fmt: skip
    """One row an episode, rung (`subject`), rank (`step`) and measure: accuracy on the query, and divergence of its
    next-token distribution from the regular prompt's, in bits; or one a task and rung that is left out, with the
    reason.

    Maps are fitted on dev episodes: on the prompts of their queries and dummy queries that do not show the query.

    Args:
        episodes: of all tasks.
        thetas: theirs.
        choice: `layer_choice.csv`.
        fits: what maps are fitted on, by task (`read`).
        settings: `ladder` of the configuration.
        main: the main tasks: the map for all tasks is fitted on theirs.
        drawn_anew: tasks that have no rule of their own.
        sources: by task the tables and generators that it is made from: a task and its control share none.
        prefix_scored, answer_tokens: by task.
        seed: the study seed whose episodes are taken.
    """
    layer = int(choice["common_layer"].iloc[0])
    test = by_task(first_of_tasks(episodes, TEST, seed, settings["test"]))
    tables = [pd.DataFrame(columns=COLUMNS).astype({"step": "Int64", "value": float})]  # of no rows, maybe
    tables += [_left_out(task, DRAWN_ANEW) for task in test if task in drawn_anew]
    tasks = [task for task in test if task in fits]
    penalties = {task: best_penalty(pairs) for task, pairs in fits.items()}
    together = [fits[name] for name in main if name in fits]
    of_all = joined(together) if len(together) > 1 else None  # a single task has no map in common
    penalty_of_all = 0.0 if of_all is None else best_penalty(of_all)
    for task in track(tasks, len(tasks), "ladder"):
        own, asked = test[task], read_pairs(lm, test[task], layer).first_of_episodes()
        following = of_another_rule(task, [name for name in main if name in fits], sources)
        other = None if following is None else (fits[following], penalties[following])
        common = None if of_all is None else common_map(of_all, penalty_of_all, own)
        of_queries = [
            rungs(episode, bare, state, (fits[task], penalties[task]), other, settings["ranks"], seed)
            | ({} if common is None else {(ALL_TASKS, None): common.of(bare)})
            for episode, bare, state in zip(own, asked.bare, asked.shown, strict=True)
        ]
        there = [at for at in of_queries[0] if all(at in of_query for of_query in of_queries)]
        dtype = torch.promote_types(lm.dtype, torch.float32)
        vectors = {at: torch.stack([of_query[at] for of_query in of_queries]).to(dtype) for at in there}
        vectors[THETA, None] = of_file(thetas, own, layer)
        tables += answers_with(lm, own, layer, vectors, thetas, prefix_scored, answer_tokens[task])
        why = f"of its {len(fits[task])} prompts too few do not show the query"
        lacking = [
            at for at in [(CONSTANT, None), (FULL, None), *((MAP, r) for r in settings["ranks"])] if at not in there
        ]
        tables += [_left_out(task, why, *at) for at in lacking]
    return pd.concat([one for one in tables if len(one)] or tables, ignore_index=True)


def of_another_rule(task: str, main: Sequence[str], sources: Mapping[str, Sequence[str]]) -> str | None:
    """The main task whose name comes next and that is made from no table or generator of this one; None if there is
    none."""
    others = sorted(name for name in main if name != task and not set(sources[name]) & set(sources[task]))
    return next((name for name in others if name > task), others[0] if others else None)


def read(
    lm: LanguageModel, episodes: list[Episode], choice: pd.DataFrame, count: int, drawn_anew: Sequence[str], seed: int
) -> dict[str, Pairs]:
    """States after the common layer, without and with demonstrations, in the first dev episodes of every task that has
    a rule of its own.

    Args:
        count: of episodes a task.
    """
    layer = int(choice["common_layer"].iloc[0])
    dev = by_task(e for e in first_of_tasks(episodes, DEV, seed, count) if e.task not in drawn_anew)
    return {task: read_pairs(lm, own, layer) for task, own in track(dev.items(), len(dev), "paired_states")}


def common_map(pairs: Pairs, penalty: float, episodes: Sequence[Episode]) -> LinearMap | None:
    """One map for all tasks, fitted on their prompts that show none of the episodes' queries; None of too few."""
    for query in {episode.query for episode in episodes}:
        pairs = pairs.not_showing(query)
    return full_map(pairs, penalty) if len(pairs) >= FEWEST else None


Fit = tuple[Pairs, float]  # prompts of a task, and the penalty


def rungs(
    episode: Episode, bare: Tensor, state: Tensor, own: Fit, other: Fit | None, ranks: Sequence[int], seed: int
) -> dict[At, Tensor]:
    """What takes the place of a query's own state `[hidden]`, by rung and rank; without the rungs that have too few
    prompts.

    Args:
        bare, state: of the query, without and with demonstrations `[hidden]`.
        own, other: of the task, and of another.
    """
    vectors: dict[At, Tensor] = {(BARE, None): bare, (STATE, None): state}
    pairs = own[0].not_showing(episode.query)
    if len(pairs) < FEWEST:
        return vectors
    rng = np.random.default_rng(episode_rng(seed, "ladder", episode.task, episode.episode).getrandbits(64))
    linear = fitted(pairs, own[1])
    vectors[CONSTANT, None] = pairs.shown.mean(dim=0)
    vectors[OFFSET, None] = bare + (pairs.shown - pairs.bare).mean(dim=0)
    for rank in (rank for rank in ranks if rank <= linear.rank):
        vectors[MAP, rank] = linear.of(bare, rank)
        mixed = torch.from_numpy(rng.standard_normal((linear.rank, rank)))
        along = torch.linalg.qr(linear.directions.T @ mixed)[0].T
        vectors[RANDOM, rank] = linear.along(along).of(bare)
    vectors[FULL, None] = linear.of(bare)
    vectors[SHUFFLED, None] = fitted(pairs.shuffled(rng.permutation(len(pairs)).tolist()), own[1]).of(bare)
    if other is not None and len(of_other := other[0].not_showing(episode.query)) >= FEWEST:
        vectors[OTHER_TASK, None] = fitted(of_other, other[1]).of(bare)
    return vectors


def _left_out(task: str, why: str, rung: str = FULL, rank: int | None = None) -> pd.DataFrame:
    """A row of a task and rung without numbers, with the reason."""
    logger.warning("ladder: %s, %s: left out: %s", task, rung, why)
    row = {"task": task, "measure": ACCURACY, "subject": rung, "step": rank, "left_out": why}
    return pd.DataFrame([row], columns=COLUMNS).astype({"step": "Int64", "value": float})
