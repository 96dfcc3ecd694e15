"""Answers that need no model: the commonest one, the query itself, and the commonest of the episode's own
demonstrations."""

from collections import Counter
from collections.abc import Mapping

import pandas as pd

from taskvectors.data.episodes import BASELINE, TEST, Episode, by_task
from taskvectors.data.scoring import scored


def constant_answers(episodes: list[Episode], prefix_scored: Mapping[str, bool], seed: int) -> pd.DataFrame:
    """Predictions of test episodes, methods `majority`, the commonest answer of the baseline and dev episodes, and
    `copy_query`; and of dev and test episodes, method `shown_answer`: the commonest answer of the episode's own
    demonstrations, the last on a tie.

    Args:
        prefix_scored: by task, whether answers count by prefix.
        seed: the study seed whose episodes these are.
    """
    tables = [scored([], "majority", prefix_scored)]
    for of_task in by_task(episode for episode in episodes if episode.seed == seed).values():
        answers = Counter(episode.answers[0] for episode in of_task if episode.split != TEST)
        commonest = answers.most_common(1)[0][0]
        test = [episode for episode in of_task if episode.split == TEST]
        tables.append(scored([(episode, None, commonest) for episode in test], "majority", prefix_scored))
        tables.append(scored([(episode, None, episode.query) for episode in test], "copy_query", prefix_scored))
        shown = [episode for episode in of_task if episode.split != BASELINE and episode.demos]
        commonest_shown = [(episode, None, _commonest(episode)) for episode in shown]
        tables.append(scored(commonest_shown, "shown_answer", prefix_scored))
    return pd.concat(tables, ignore_index=True)


def _commonest(episode: Episode) -> str:
    """Of the answers that the demonstrations show; of equally common ones the last, which a model is likeliest to
    repeat."""
    return Counter(answer for _, answer in reversed(episode.demos)).most_common(1)[0][0]
