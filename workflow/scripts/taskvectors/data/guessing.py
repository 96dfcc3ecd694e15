"""How often an answer that is always the same would be right: what a task's balance leaves to guessing."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from taskvectors.data.episodes import Episode
from taskvectors.data.sampling import evenly
from taskvectors.data.tasks import BIJECTION, LABELS, Task
from taskvectors.names import MARKED_FROM

Queries = list[tuple[tuple[str, ...], float]]  # what is accepted for a query, and how probable it is


def sampled_queries(task: Task) -> Queries:
    """What the queries of sampled episodes accept."""
    if task.kind == LABELS:
        return [((label,), 1 / len(task.labels)) for label in task.labels]
    if task.kind == BIJECTION:
        sides = [side for pair in task.pairs for side in (pair.answers, pair.backward)]
        return [(answers, 1 / len(sides)) for answers in sides]
    if evenly(task):
        groups = task.by_answer.values()
        return [(pair.answers, 1 / len(groups) / len(pairs)) for pairs in groups for pair in pairs]
    return [(pair.answers, 1 / len(task.pairs)) for pair in task.pairs]


def given_queries(episodes: Iterable[Episode]) -> Queries:
    """What the queries of given test episodes accept."""
    answers = [episode.answers for episode in episodes if episode.split == "test"]
    return [(accepted, 1 / len(answers)) for accepted in answers]


def best_constant(queries: Queries, *, prefix: bool) -> tuple[str, float]:
    """The answer that is right for the largest share of queries, of equal ones the first, and this share.

    Args:
        prefix: scored by prefix: the first letter of an answer is right, so that nothing longer can be right more often.
    """
    share: dict[str, float] = defaultdict(float)
    for answers, probability in queries:
        for answer in dict.fromkeys(text.strip()[: 1 if prefix else None] for text in answers):
            share[answer] += probability
    return max(share.items(), key=lambda item: item[1]) if share else ("", 0.0)


def guessing(queries: Queries, prefix: bool) -> dict[str, Any]:
    """The best constant answers, exact and by prefix, their shares, and whether that of the task's own score is too large."""
    guesses: dict[str, Any] = {}
    for name, by_prefix in (("constant", False), ("constant_prefix", True)):
        guesses[name], guesses[f"{name}_share"] = best_constant(queries, prefix=by_prefix)
    share = guesses["constant_prefix_share" if prefix else "constant_share"]
    return guesses | {"guessable": share > MARKED_FROM}
