"""Answers that need no model: the commonest one, and the query itself, given to every test episode."""

from collections import Counter
from collections.abc import Mapping

import pandas as pd

from taskvectors.data.episodes import TEST, Episode, by_task
from taskvectors.data.scoring import scored


def constant_answers(episodes: list[Episode], prefix_scored: Mapping[str, bool], seed: int) -> pd.DataFrame:
    """Predictions of methods `majority`, the commonest answer of the baseline and dev episodes, and `copy_query`.

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
    return pd.concat(tables, ignore_index=True)
