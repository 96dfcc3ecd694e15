"""Demonstrations that controls read and learn from."""

from collections.abc import Mapping, Sequence

from taskvectors.data.episodes import Episode
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
    return [_behind_others(episode, _answers_of(pools[episode.task]), seed) for episode in episodes]


def _answers_of(pool: Sequence[Episode]) -> dict[str, set[str]]:
    """The accepted answers of every input that the episodes show or ask about."""
    answers: dict[str, set[str]] = {}
    for episode in pool:
        for given, answer in episode.demos:
            answers.setdefault(given, set()).add(answer)
        answers.setdefault(episode.query, set()).update(episode.answers)
    return answers


def _behind_others(episode: Episode, answers: Mapping[str, set[str]], seed: int) -> tuple[tuple[str, str], ...]:
    used = {given for given, _ in episode.demos} | {episode.query, *episode.dummies}
    rng, pairs = episode_rng(seed, "other inputs", episode.task, episode.episode), list[tuple[str, str]]()
    for _, answer in episode.demos:
        free = sorted(given for given, own in answers.items() if given not in used and answer not in own)
        if not free:
            return ()
        pairs.append((rng.choice(free), answer))
        used.add(pairs[-1][0])
    return tuple(pairs)
