"""When does a predicted token count as correct? (paper, appendix A.1 and the released code)"""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from taskvectors.data.episodes import Episode


def is_correct(predicted: str, answers: Sequence[str], *, prefix_scored: bool = False, query: str = "") -> bool:
    """Compare a decoded token with the accepted answers, outer spaces aside.

    Args:
        predicted: the decoded token.
        answers: accepted answers.
        prefix_scored: also accept when one is the beginning of the other (the paper's rule for knowledge tasks).
        query: the input. What begins it may be a copy of it, and is no beginning of an answer: `Sri` behind Sri Lanka.
    """
    token = predicted.strip()
    if not token:
        return False
    wanted = [answer.strip() for answer in answers]
    if prefix_scored and token not in wanted:
        shared = [
            min(token, answer, key=len) for answer in wanted if answer.startswith(token) or token.startswith(answer)
        ]
        return any(not query.strip().startswith(beginning) for beginning in shared)
    return token in wanted


def scored(
    answers: Iterable[tuple[Episode, int | None, str]], method: str, prefix_scored: Mapping[str, bool]
) -> pd.DataFrame:
    """The table of predictions from episodes, layers (or None) and predicted words; `prefix_scored` by task
    (`is_correct`)."""
    rows = []
    for e, layer, word in answers:
        correct = is_correct(word, e.answers, prefix_scored=prefix_scored[e.task], query=e.query)
        exact = is_correct(word, e.answers)
        rows.append((e.task, e.seed, e.split, e.episode, method, layer, word, e.answers[0], correct, exact))
    columns = ["task", "seed", "split", "episode", "method", "layer", "predicted", "answer", "correct", "exact"]
    return pd.DataFrame(rows, columns=columns).astype({"layer": "Int64"})
