"""How much of θ is the task, and how much these demonstrations: vectors that share ever more with them, in θ's place.

Min et al. 2022 (arXiv 2202.12837) and Pan et al. 2023 (2305.09731) separate recognising a task from learning it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from taskvectors.data.episodes import TEST, Episode, by_task, first_of_tasks, not_showing
from taskvectors.data.sampling import shuffled_answers
from taskvectors.engine.descent import why_too_coarse
from taskvectors.measuring.answer_loss import AnswerLosses, Pairs
from taskvectors.measuring.answers import At, answers_with
from taskvectors.measuring.demonstrations import behind_other_inputs
from taskvectors.measuring.predictions import observed
from taskvectors.measuring.vectors import of_file, of_next_task, read_behind
from taskvectors.models.language_model import LanguageModel
from taskvectors.names import LOSS, OTHER_THETA, THETA, V0
from taskvectors.progress import logger, track
from taskvectors.questions.recognition.names import OTHER_INPUTS, SAME_TASK, SHUFFLED
from taskvectors.sizing import PART
from taskvectors.store.thetas import Thetas


def recognition(
    lm: LanguageModel, episodes: list[Episode], thetas: Thetas, choice: pd.DataFrame, settings: Mapping[str, Any],
    prefix_scored: Mapping[str, bool], answer_tokens: int, seed: int,
) -> pd.DataFrame:  # fmt: skip
    """One row an episode, subject and measure: the loss of the episode's demonstrations, in nats, the answer to its
    query and the divergence of its next-token distribution, with each subject in θ's place at the common layer.

    Args:
        episodes: of all main tasks.
        thetas: theirs.
        choice: `layer_choice.csv`.
        settings: `recognition` of the configuration.
        prefix_scored: by task, whether answers count by prefix.
        seed: the study seed whose episodes are taken.
    """
    layer = int(choice["common_layer"].iloc[0])
    test = first_of_tasks(episodes, TEST, seed, settings["episodes"])
    pools = by_task(episode for episode in episodes if episode.seed == seed)
    others = of_next_task(test)
    slices = [slice(start, start + PART) for start in range(0, len(test), PART)]
    tables = []
    for places in track(slices, len(slices), "recognition", "part"):
        some = test[places]
        vectors = in_place(lm, some, pools, None if others is None else others[places], thetas, layer, seed)
        tables += losses(lm, some, vectors, layer)
        for subject, (rows, of_rows) in vectors.items():
            own, at = [some[row] for row in rows], dict[At, Tensor]({(subject, None): of_rows})
            tables += answers_with(lm, own, layer, at, thetas, prefix_scored, answer_tokens)
    return pd.concat(tables, ignore_index=True).assign(layer=layer)


Placed = tuple[list[int], Tensor]  # rows of episodes, and the vector of each `[row, hidden]`


def in_place(
    lm: LanguageModel, episodes: list[Episode], pools: Mapping[str, Sequence[Episode]], others: list[Episode] | None,
    thetas: Thetas, layer: int, seed: int,
) -> dict[str, Placed]:  # fmt: skip
    """By subject the episodes that it exists for, and its vectors."""
    everyone = list(range(len(episodes)))
    tests = {task: [e for e in pool if e.split == TEST] for task, pool in pools.items()}
    same = {row: other for row, e in enumerate(episodes) if (other := another_episode(e, tests[e.task]))}
    shuffled = [
        shuffled_answers(e.demos, seed, "recognition", e.task, e.episode) if len(e.demos) > 1 else () for e in episodes
    ]
    vectors = {
        V0: (everyone, read_behind(lm, episodes, [()] * len(episodes), layer)),
        SHUFFLED: _read(lm, episodes, shuffled, layer),
        OTHER_INPUTS: _read(lm, episodes, behind_other_inputs(episodes, pools, seed), layer),
        THETA: (everyone, of_file(thetas, episodes, layer)),
    }
    if same:
        vectors[SAME_TASK] = ([*same], of_file(thetas, [*same.values()], layer))
    if others is not None:
        vectors[OTHER_THETA] = (everyone, of_file(thetas, others, layer))
    return {subject: (rows, v) for subject, (rows, v) in vectors.items() if rows}


def another_episode(episode: Episode, pool: Sequence[Episode]) -> Episode | None:
    """The next episode of the pool, cyclically, that does not show this one's query: each episode has an other of its
    own."""
    own = [other.key for other in pool].index(episode.key)
    free = not_showing(episode, pool)
    return pool[min(free, key=lambda place: (place - own) % len(pool))] if free else None


def _read(lm: LanguageModel, episodes: list[Episode], demos: Sequence[Pairs], layer: int) -> Placed:
    """θ behind these demonstrations, of the episodes that have any."""
    rows = [row for row, of_row in enumerate(demos) if of_row]
    if not rows:
        return [], torch.empty(0, lm.hidden)
    return rows, read_behind(lm, [episodes[row] for row in rows], [demos[row] for row in rows], layer)


def losses(lm: LanguageModel, episodes: list[Episode], vectors: Mapping[str, Placed], layer: int) -> list[pd.DataFrame]:
    """The mean loss of each episode's demonstrations with every subject; none where the model or layer allows no
    loss."""
    if reason := why_too_coarse(lm.dtype) or ("" if layer < lm.layers - 1 else "the common layer is the top block"):
        logger.warning("recognition: without losses: %s", reason)
        return []
    if not all(episode.demos for episode in episodes):
        return []
    names, demos = [episode.name for episode in episodes], [episode.demos for episode in episodes]
    measured = AnswerLosses(lm, demos, layer, names)
    tables = []
    for subject, (rows, of_rows) in vectors.items():
        loss = measured.loss_for([demos[row] for row in rows], [names[row] for row in rows])
        tables.append(observed([episodes[row] for row in rows], LOSS, subject, loss.value(of_rows)))
    return tables
