"""How often an answer that is always the same would be right."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from taskvectors.data.episodes import Episode
from taskvectors.data.sampling import evenly
from taskvectors.data.tasks import BIJECTION, LABELS, Task
from taskvectors.names import MARKED_FROM

Queries = list[tuple[str, tuple[str, ...], float]]  # a query, its accepted answers, and its probability


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


def best_constant(queries: Queries, *, prefix_scored: bool) -> tuple[str, float]:
    """The answer that is right for the largest share of queries, of equal ones the first, and this share.

    Args:
        prefix_scored: every beginning of an answer is right, unless the query begins with it (`scoring.is_correct`).
    """
    right: dict[str, dict[int, float]] = defaultdict(dict)  # by answer, the queries that it is right for
    whole: dict[str, dict[int, float]] = defaultdict(
        dict
    )  # of a whole answer, those that longer ones are right for, too
    for place, (query, answers, probability) in enumerate(queries):
        for answer in (text.strip() for text in answers):
            for length in range(1, len(answer)) if prefix_scored else ():
                if not query.strip().startswith(answer[:length]):
                    right[answer[:length]][place] = probability
            right[answer][place] = probability
            if prefix_scored and not query.strip().startswith(answer):
                whole[answer][place] = probability
    shares = {}
    for answer, found in right.items():
        for length in range(1, len(answer)):
            found.update(whole.get(answer[:length], {}))
        shares[answer] = sum(found.values())
    return max(shares.items(), key=lambda item: item[1]) if shares else ("", 0.0)


def guessing(queries: Queries, prefix_scored: bool) -> dict[str, Any]:
    """The best constant answers, exact and by prefix, their shares, and whether the share by the task's own scoring is
    too large."""
    guesses: dict[str, Any] = {}
    for name, by_prefix in (("constant", False), ("constant_prefix", True)):
        guesses[name], guesses[f"{name}_share"] = best_constant(queries, prefix_scored=by_prefix)
    share = guesses["constant_prefix_share" if prefix_scored else "constant_share"]
    return guesses | {"guessable": share > MARKED_FROM}
