"""What the episodes behind the points of a picture read."""

from collections.abc import Iterable

import pandas as pd

from taskvectors.data.episodes import TEST, Episode
from taskvectors.observations.rows import in_order


def shown_episodes(episodes: Iterable[Episode], choice: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The test episodes of the tasks in `choice`: the study's table `embedding_episodes.csv`.

    `label` is what the prompt shows, demonstrations and query: `hot → cold; big → small; tall →`.
    """
    tasks = set(choice["task"])
    rows = [
        {
            "model": choice["model"].iloc[0],
            "task": one.task,
            "episode": one.episode,
            "label": "".join(f"{given} → {answer}; " for given, answer in one.demos) + f"{one.query} →",
            "answer": one.answers[0],
        }
        for one in episodes
        if one.task in tasks and one.split == TEST and one.seed == seed
    ]
    columns = ["model", "task", "episode", "label", "answer"]
    return in_order(pd.DataFrame(rows, columns=columns), choice["task"])
