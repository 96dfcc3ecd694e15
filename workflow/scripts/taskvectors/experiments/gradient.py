"""θ beside gradient descent on the demonstrations that it was read behind.

A vector v stands in for the last token's state after block L of the demonstrations' inputs, each asked by itself; ℓ(v) is the mean
loss of the first tokens of their answers. Descent begins at v₀, θ of no demonstrations, and takes steps of one length, a share of
‖θ − v₀‖. It has been said that models learn in context by such descent (Dai et al. 2022, arXiv 2212.10559); Deutch et al. 2023
(2311.07772) and Shen et al. 2023 (2310.08540) doubt it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from taskvectors.analysis.gradient_measures import (
    ACCURACY,
    COLUMNS,
    DESCENT,
    DIVERGENCE,
    FEW,
    LOSS,
    MIDWAY,
    ONLINE,
    QUERY_LOSS,
    THETA,
    TO_THETA,
    V0,
)
from taskvectors.data.episodes import DEV, TEST, Episode, by_task
from taskvectors.data.prompts import zero_shot_prompt
from taskvectors.data.tokens import prompt_ids
from taskvectors.engine.definition import Intervention
from taskvectors.engine.descent import PRECISE
from taskvectors.engine.distribution import divergences
from taskvectors.engine.patch import patched_answers, patched_states
from taskvectors.experiments.descents import bare, descend, descend_online, losses_at, observed, of_file, parts
from taskvectors.experiments.gradient_cosines import (
    directions,
    directions_untrained,
    increments,
    of_next_task,
    over_orders,
)
from taskvectors.experiments.predictions import predictions
from taskvectors.models.language_model import LanguageModel
from taskvectors.progress import logger
from taskvectors.representations.learning import answer_loss
from taskvectors.store.thetas import Thetas

Looked = tuple[str, int | None]  # at which vector: v₀, θ, …; and after how many steps


def gradient(
    lm: LanguageModel, episodes: list[Episode], thetas: Thetas, choice: pd.DataFrame, sizes: Mapping[str, Any],
    prefix: Mapping[str, bool], answer_tokens: int, seed: int,
) -> pd.DataFrame:  # fmt: skip
    """One row an episode and measure (`taskvectors.analysis.gradient_measures`), or one that says why there is none.

    Args:
        episodes: of all main tasks.
        thetas: theirs.
        choice: `layer_choice.csv`: L is the common layer.
        sizes: `gradient` of the configuration.
        prefix: by task, whether answers count by prefix.
        seed: the study seed whose episodes are taken.
    """
    layer = int(choice["common_layer"].iloc[0])
    dev, test = (first(episodes, split, seed, sizes[split]) for split in (DEV, TEST))
    if reason := why_left_out(lm, layer, dev, test):
        logger.warning("gradient: left out: %s", reason)
        return pd.DataFrame([{"left_out": reason, "layer": layer}]).reindex(columns=COLUMNS)
    v0, theta = bare(lm, test, layer), of_file(thetas, test, layer)
    share = chosen_share(lm, dev, bare(lm, dev, layer), of_file(thetas, dev, layer), layer, sizes["shares"])
    length = share * (theta - v0).norm(dim=-1)
    logger.info("gradient: steps of %g of θ's distance from v₀, at layer %d", share, layer)
    others = of_next_task(test)
    tables = [
        along_descent(lm, test, v0, theta, length, layer, thetas, sizes["steps"], prefix, answer_tokens),
        directions(lm, test, others, v0, theta, layer, seed),
        increments(lm, test, others, layer, seed),
        over_orders(lm, test, v0, length, layer, sizes["orders"], seed),
        directions_untrained(lm, test, layer, seed),
    ]
    measured = [table for table in tables if len(table)]
    return pd.concat(measured, ignore_index=True).assign(layer=layer, share=share).reindex(columns=COLUMNS)


def first(episodes: list[Episode], split: str, seed: int, count: int) -> list[Episode]:
    """The first episodes of every task."""
    tasks = by_task(e for e in episodes if (e.split, e.seed) == (split, seed))
    return [episode for of_task in tasks.values() for episode in of_task[:count]]


def why_left_out(lm: LanguageModel, layer: int, dev: list[Episode], test: list[Episode]) -> str:
    """Why nothing is measured with this model; empty if it is."""
    if lm.dtype not in PRECISE:
        return f"gradients in {str(lm.dtype).removeprefix('torch.')} are too coarse; it takes `dtype: float32`"
    if layer >= lm.layers - 1:
        return f"the common layer, {layer}, is the top block: no block above it could use a vector"
    if not all(episode.demos for episode in [*dev, *test]):
        return "episodes have no demonstrations"
    return ""


def chosen_share(
    lm: LanguageModel, dev: list[Episode], v0: Tensor, theta: Tensor, layer: int, shares: Sequence[float]
) -> float:
    """The length of a step, as a share of ‖θ − v₀‖: that after `FEW` of which answers to the dev queries have the lowest loss."""
    names = [episode.name for episode in dev]
    asked = [[(episode.query, episode.answers[0])] for episode in dev]
    losses = []
    for share in shares:
        length = share * (theta - v0).norm(dim=-1)
        reached = torch.cat([
            [*descend(answer_loss(lm, [e.demos for e in dev[of]], layer, names[of]), v0[of], length[of], FEW)][-1][0]
            for of in parts(len(dev))
        ])  # fmt: skip
        by_episode = pd.Series(losses_at(lm, asked, [reached], layer, names)[0].tolist())
        losses.append(float(by_episode.groupby([episode.task for episode in dev]).mean().mean()))
    return shares[losses.index(min(losses))]


def along_descent(
    lm: LanguageModel, test: list[Episode], v0: Tensor, theta: Tensor, length: Tensor, layer: int, thetas: Thetas,
    steps: Sequence[int], prefix: Mapping[str, bool], answer_tokens: int,
) -> pd.DataFrame:  # fmt: skip
    """Losses, answers and divergences at v₀, at θ, after steps of descent, and after online descent over the demonstrations."""
    names, pairs = [episode.name for episode in test], [episode.demos for episode in test]
    reported = sorted({FEW, *steps})
    paths = [
        [*descend(answer_loss(lm, pairs[of], layer, names[of]), v0[of], length[of], reported[-1])]
        for of in parts(len(test))
    ]
    path = [tuple(map(torch.cat, zip(*at, strict=True))) for at in zip(*paths, strict=True)]
    online = descend_online(lm, pairs, v0, length, layer, names)
    vectors: dict[Looked, Tensor] = {(V0, 0): v0, (THETA, None): theta, (ONLINE, None): online}
    losses: dict[Looked, Tensor] = {(V0, 0): path[0][1]}
    losses[THETA, None], losses[ONLINE, None] = losses_at(lm, pairs, [theta, online], layer, names)
    for step in reported:
        vectors[DESCENT, step], losses[DESCENT, step] = path[step]
    # Steps of one length may lead up again in the end.
    lowest = torch.stack([of_step for _, of_step in path]).amin(dim=0)
    midway = (losses[V0, 0] + lowest) / 2 - losses[THETA, None]
    tables = [observed(test, LOSS, of, of_them, step) for (of, step), of_them in losses.items()]
    tables.append(observed(test, MIDWAY, THETA, midway))
    tables += [
        observed(test, TO_THETA, DESCENT, cosine_similarity(v - v0, theta - v0), step)
        for (of, step), v in vectors.items()
        if of == DESCENT
    ]
    return pd.concat([*tables, *answers_at(lm, test, vectors, layer, thetas, prefix, answer_tokens)])


def answers_at(
    lm: LanguageModel, test: list[Episode], vectors: Mapping[Looked, Tensor], layer: int, thetas: Thetas,
    prefix: Mapping[str, bool], answer_tokens: int,
) -> list[pd.DataFrame]:  # fmt: skip
    """Of the queries: the loss of the answer, whether the model gives it, and the divergence from the regular prompt."""
    names, asked = [episode.name for episode in test], [[(e.query, e.answers[0])] for e in test]
    ids = prompt_ids(lm.tokenizer, [zero_shot_prompt(episode) for episode in test])
    changes = [Intervention(layer, v) for v in vectors.values()]
    tokens, _ = patched_answers(lm, ids, changes, answer_tokens, names)
    states = patched_states(lm, ids, changes, names)
    regular = torch.from_numpy(thetas.regular_of_episodes(episode.key for episode in test)).to(states.dtype)
    # An episode's vectors follow one another, so that its regular prompt is unembedded once.
    far = divergences(lm, states.flatten(0, 1), regular.repeat_interleave(len(changes), dim=0)).unflatten(
        0, states.shape[:2]
    )
    losses = losses_at(lm, asked, list(vectors.values()), layer, names)
    tables = []
    for place, (of, step) in enumerate(vectors):
        correct = predictions(lm, test, of, tokens[:, place], prefix)["correct"].astype(float)
        measured = {
            QUERY_LOSS: losses[place],
            ACCURACY: torch.tensor(correct.to_numpy()),
            DIVERGENCE: far[:, place],
        }
        tables += [observed(test, measure, of, values, step) for measure, values in measured.items()]
    return tables
