"""How often an answer that is always the same would be right: what a task's balance leaves to guessing."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from taskvectors.data.episodes import Episode
from taskvectors.data.sampling import evenly
from taskvectors.data.tasks import BIJECTION, LABELS, Task
from taskvectors.names import MARKED_FROM

Queries = list[tuple[str, tuple[str, ...], float]]  # a query, what is accepted for it, and how probable it is


def sampled_queries(task: Task) -> Queries:
    """What the queries of sampled episodes accept."""
    if task.kind == LABELS:
        return [("", (label,), 1 / len(task.labels)) for label in task.labels]
    if task.kind == BIJECTION:
        sides = [side for pair in task.pairs for side in ((pair.input, pair.answers), (pair.answers[0], pair.backward))]
        return [(query, answers, 1 / len(sides)) for query, answers in sides]
    if evenly(task):
        groups = task.by_answer.values()
        return [(pair.input, pair.answers, 1 / len(groups) / len(pairs)) for pairs in groups for pair in pairs]
    return [(pair.input, pair.answers, 1 / len(task.pairs)) for pair in task.pairs]


def given_queries(episodes: Iterable[Episode]) -> Queries:
    """What the queries of given test episodes accept."""
    test = [episode for episode in episodes if episode.split == "test"]
    return [(episode.query, episode.answers, 1 / len(test)) for episode in test]


def best_constant(queries: Queries, *, prefix: bool) -> tuple[str, float]:
    """The answer that is right for the largest share of queries, of equal ones the first, and this share.

    Args:
        prefix: scored by prefix: every beginning of an answer is right, unless the query begins so, too (`scoring.is_correct`).
    """
    share: dict[str, float] = defaultdict(float)
    for query, answers, probability in queries:
        whole = [text.strip() for text in answers]
        beginnings = (text[:length] for text in whole for length in range(1, len(text))) if prefix else ()
        for answer in dict.fromkeys((*(text for text in beginnings if not query.strip().startswith(text)), *whole)):
            share[answer] += probability
    return max(share.items(), key=lambda item: item[1]) if share else ("", 0.0)


def guessing(queries: Queries, prefix: bool) -> dict[str, Any]:
    """The best constant answers, exact and by prefix, their shares, and whether that of the task's own score is too large."""
    guesses: dict[str, Any] = {}
    for name, by_prefix in (("constant", False), ("constant_prefix", True)):
        guesses[name], guesses[f"{name}_share"] = best_constant(queries, prefix=by_prefix)
    share = guesses["constant_prefix_share" if prefix else "constant_share"]
    return guesses | {"guessable": share > MARKED_FROM}
