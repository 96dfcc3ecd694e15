"""θ beside gradient descent on the demonstrations that it was read behind.

A vector v replaces the last token's state after block L, in the bare prompt of every demonstration's input; ℓ(v) is
the mean loss of the first tokens of their answers. Descent begins at v₀, θ of no demonstrations, and takes steps of
one length, a share of ‖θ − v₀‖. Dai et al. 2023 (arXiv 2212.10559) claim that models learn in context by such descent;
Deutch et al. 2024 (2311.07772) and Shen et al. 2024 (2310.08540) doubt it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from taskvectors.data.episodes import DEV, TEST, Episode, by_task, first_of_tasks
from taskvectors.data.sampling import episode_rng, shuffled_answers
from taskvectors.engine.descent import why_too_coarse
from taskvectors.measuring.answer_loss import Pairs, queries
from taskvectors.measuring.answers import At, answers_with
from taskvectors.measuring.demonstrations import behind_other_inputs
from taskvectors.measuring.predictions import observed
from taskvectors.measuring.vectors import of_file, of_next_task, read_behind
from taskvectors.models.language_model import LanguageModel
from taskvectors.models.untrained import has_room_for_another, untrained
from taskvectors.names import RAW
from taskvectors.progress import logger, track
from taskvectors.questions.gradient.cosines import Moves, cosines, directions, increments
from taskvectors.questions.gradient.descents import (
    Part,
    descend,
    descend_online,
    deviation_of,
    part_of,
    parts,
)
from taskvectors.questions.gradient.names import (
    COLUMNS,
    DESCENT,
    DIRECTION,
    FEW,
    GRADIENT,
    LOSS,
    MIDWAY,
    ONLINE,
    OTHER_INPUTS,
    OTHER_TASK,
    OTHER_THETA,
    QUERY_LOSS,
    RANDOM_WEIGHTS,
    SHUFFLED,
    THETA,
    TO_THETA,
    V0,
)
from taskvectors.questions.gradient.orders import over_orders
from taskvectors.store.thetas import Thetas


def gradient(
    lm: LanguageModel, episodes: list[Episode], thetas: Thetas, choice: pd.DataFrame, settings: Mapping[str, Any],
    prefix_scored: Mapping[str, bool], answer_tokens: int, seed: int,
) -> pd.DataFrame:  # fmt: skip
    """One row an episode and measure (`taskvectors.questions.gradient.names`), or one that says why there is none.

    Args:
        episodes: of all main tasks.
        thetas: theirs.
        choice: `layer_choice.csv`: L is the common layer.
        settings: `gradient` of the configuration.
        prefix_scored: by task, whether answers count by prefix.
        seed: the study seed whose episodes are taken.
    """
    layer = int(choice["common_layer"].iloc[0])
    dev, test = (first_of_tasks(episodes, split, seed, settings[split]) for split in (DEV, TEST))
    if reason := why_left_out(lm, layer, dev, test):
        logger.warning("gradient: left out: %s", reason)
        return pd.DataFrame([{"left_out": reason, "layer": layer}]).reindex(columns=COLUMNS)
    share = chosen_share(lm, dev, of_file(thetas, dev, layer), layer, settings["shares"], seed)
    logger.info("gradient: steps of %g of θ's distance from v₀, at layer %d", share, layer)
    control = without_training(lm, seed)
    untrained_theta = (
        read_behind(control, test, [episode.demos for episode in test], layer) if control else torch.empty(0)
    )
    others, tables, moves = of_next_task(test), list[pd.DataFrame](), list[Moves]()
    pools = by_task(episode for episode in episodes if episode.seed == seed)
    deviation = deviation_of(of_file(thetas, [e for e in episodes if (e.split, e.seed) == (TEST, seed)], layer))
    slices = parts(len(test))
    for places in track(slices, len(slices), "gradient", "part"):
        some, of_others = test[places], None if others is None else others[places]
        sets = demonstration_sets(some, pools, of_others, seed)
        part = part_of(lm, layer, some, of_file(thetas, some, layer), share, sets, deviation, seed)
        tables += along_descent(part, thetas, of_others, settings["steps"], prefix_scored, answer_tokens)
        moves += [*directions(part), *increments(part)]
        tables += over_orders(part, settings["orders"])
        del part  # and with it the keys and values of its prompts
        if control is None:
            continue
        untaught = part_of(
            control, layer, some, untrained_theta[places], share, {RANDOM_WEIGHTS: [e.demos for e in some]},
            deviation_of(untrained_theta), seed,
        )  # fmt: skip
        moves += [*directions(untaught), *increments(untaught)]
        tables += over_orders(untaught, settings["orders"])
        del untaught
    table = pd.concat([*tables, *cosines(moves)], ignore_index=True)
    return table.assign(layer=layer, share=share).reindex(columns=COLUMNS)


def why_left_out(lm: LanguageModel, layer: int, dev: list[Episode], test: list[Episode]) -> str:
    """Why nothing is measured with this model; empty if it is."""
    if reason := why_too_coarse(lm.dtype):
        return reason
    if layer >= lm.layers - 1:
        return f"the common layer, {layer}, is the top block: no block above it could use a vector"
    if not all(episode.demos for episode in [*dev, *test]):
        return "episodes have no demonstrations"
    return ""


def without_training(lm: LanguageModel, seed: int) -> LanguageModel | None:
    """A model of this architecture with random weights; None where the memory does not hold both."""
    if has_room_for_another(lm):
        # Not the study's seed: weights of `source: random` may be drawn with the same.
        return untrained(lm, episode_rng(seed, "random weights").getrandbits(63))
    logger.warning("gradient: without random weights: the memory does not hold a second model of this size")
    return None


def demonstration_sets(
    episodes: list[Episode], pools: Mapping[str, Sequence[Episode]], others: list[Episode] | None, seed: int
) -> dict[str, Sequence[Pairs]]:
    """The demonstrations of every episode, and those of controls: their answers shuffled, where there are two; of
    another task."""
    sets: dict[str, Sequence[Pairs]] = {GRADIENT: [episode.demos for episode in episodes]}
    sets[SHUFFLED] = [
        shuffled_answers(e.demos, seed, "gradient", e.task, e.episode) if len(e.demos) > 1 else () for e in episodes
    ]
    sets[OTHER_INPUTS] = behind_other_inputs(episodes, pools, seed)
    if others is not None:
        sets[OTHER_TASK] = [other.demos for other in others]
    return sets


def chosen_share(
    lm: LanguageModel, dev: list[Episode], theta: Tensor, layer: int, shares: Sequence[float], seed: int
) -> float:
    """The length of a step, as a share of ‖θ − v₀‖: that of the lowest loss of the dev queries' answers after `FEW`
    steps."""
    of_parts = []
    for places in parts(len(dev)):
        sets = {GRADIENT: [episode.demos for episode in dev[places]]}
        part = part_of(lm, layer, dev[places], theta[places], 1.0, sets, torch.ones(lm.hidden), seed)
        loss = part.losses.loss_for(part.demonstration_sets[GRADIENT], part.names)
        at_query = part.losses.loss_for(queries(part.episodes), part.names)
        reached = [[*descend(loss, part.v0, share * part.length, FEW)][-1][0] for share in shares]
        of_parts.append(torch.stack([at_query.value(vectors) for vectors in reached], dim=1))
    by_episode = pd.DataFrame(torch.cat(of_parts).double().numpy(), columns=list(shares))
    return float(by_episode.groupby([episode.task for episode in dev]).mean().mean().idxmin())


def along_descent(
    part: Part, thetas: Thetas, others: list[Episode] | None, steps: Sequence[int], prefix_scored: Mapping[str, bool],
    answer_tokens: int,
) -> list[pd.DataFrame]:  # fmt: skip
    """Losses, answers and divergences at v₀, at θ and that of another task, along descent, and after online
    descent."""
    test, v0, theta, pairs = part.episodes, part.v0, part.theta, part.demonstration_sets[GRADIENT]
    steps = sorted({FEW, *steps})
    loss = part.losses.loss_for(pairs, part.names)
    path = [*descend(loss, v0, part.length, steps[-1])]
    vectors: dict[At, Tensor] = {(V0, 0): v0, (THETA, None): theta}
    vectors[ONLINE, None] = descend_online(part, range(len(test)), pairs)
    if others is not None:
        vectors[OTHER_THETA, None] = of_file(thetas, others, part.layer)
    losses = {at: loss.value(v) for at, v in vectors.items()}
    for step in steps:
        vectors[DESCENT, step], losses[DESCENT, step] = path[step]
    # How far descent itself goes along its first direction: no more can be asked of θ.
    downhill = -loss(v0)[1]
    ceilings = [
        observed(test, DIRECTION, DESCENT, cosine_similarity(v - v0, downhill), at, RAW)
        for (subject, at), v in vectors.items()
        if subject == DESCENT
    ]
    # Steps of one length may lead up again in the end.
    lowest = torch.stack([of_step for _, of_step in path]).amin(dim=0)
    midway = (losses[V0, 0] + lowest) / 2 - losses[THETA, None]
    tables = [observed(test, LOSS, subject, of_episodes, step) for (subject, step), of_episodes in losses.items()]
    tables.append(observed(test, MIDWAY, THETA, midway))
    tables += [
        observed(test, TO_THETA, DESCENT, cosine_similarity(v - v0, theta - v0), step)
        for (subject, step), v in vectors.items()
        if subject == DESCENT
    ]
    tables += ceilings
    query_loss = part.losses.loss_for(queries(test), part.names)
    tables += [observed(test, QUERY_LOSS, subject, query_loss.value(v), at) for (subject, at), v in vectors.items()]
    return tables + answers_with(part.lm, test, part.layer, vectors, thetas, prefix_scored, answer_tokens)
