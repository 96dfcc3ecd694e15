"""Demonstrations that controls read and learn from."""

from collections.abc import Mapping, Sequence

from taskvectors.data.episodes import Episode, answers_by_input
from taskvectors.data.sampling import episode_rng


def behind_other_inputs(
    episodes: Sequence[Episode], pools: Mapping[str, Sequence[Episode]], seed: int
) -> list[tuple[tuple[str, str], ...]]:
    """The answers of each episode's demonstrations, each behind another input of the task that has another answer.

    None where the task has too few such inputs.

    Args:
        pools: episodes of every task, whose inputs are taken.
        seed: of the draw.
    """
    return [_behind_others(episode, answers_by_input(pools[episode.task]), seed) for episode in episodes]


def _behind_others(episode: Episode, answers: Mapping[str, Sequence[str]], seed: int) -> tuple[tuple[str, str], ...]:
    used = {given for given, _ in episode.demos} | {episode.query, *episode.dummies}
    rng, pairs = episode_rng(seed, "other inputs", episode.task, episode.episode), list[tuple[str, str]]()
    for _, answer in episode.demos:
        free = sorted(given for given, own in answers.items() if given not in used and answer not in own)
        if not free:
            return ()
        pairs.append((rng.choice(free), answer))
        used.add(pairs[-1][0])
    return tuple(pairs)
