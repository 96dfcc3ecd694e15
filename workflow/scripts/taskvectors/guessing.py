"""How often an answer that is always the same would be right: what a task's balance leaves to guessing."""

from collections import Counter
from collections.abc import Iterable

from taskvectors.episodes import Episode, evenly
from taskvectors.tasks import BIJECTION, LABELS, Task

Queries = list[tuple[tuple[str, ...], float]]  # what is accepted for a query, and how probable it is
MARKED_FROM = 0.35  # a task in which a constant answer is right more often is marked


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
    return [(its, 1 / len(answers)) for its in answers]


def best_constant(queries: Queries, *, prefix: bool) -> tuple[str, float]:
    """The answer that is right for the largest share of queries, of equal ones the first, and this share.

    Args:
        prefix: scored by prefix: the first letter of an answer is right, so that nothing longer can be right more often.
    """
    share: Counter[str] = Counter()
    for answers, probability in queries:
        for answer in dict.fromkeys(text.strip()[: 1 if prefix else None] for text in answers):
            share[answer] += probability
    return max(share.items(), key=lambda item: item[1]) if share else ("", 0.0)
