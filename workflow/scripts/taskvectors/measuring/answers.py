"""What vectors in θ's place do to the queries of episodes."""

from collections.abc import Mapping

import pandas as pd
import torch
from torch import Tensor

from taskvectors.data.episodes import Episode
from taskvectors.data.prompts import zero_shot_prompt
from taskvectors.data.tokens import prompt_ids
from taskvectors.engine.definition import Intervention
from taskvectors.engine.distribution import divergences_of_changes
from taskvectors.engine.patch import answers_and_states
from taskvectors.measuring.predictions import observed, observed_accuracy
from taskvectors.models.language_model import LanguageModel
from taskvectors.names import DIVERGENCE
from taskvectors.store.thetas import Thetas

At = tuple[str, int | None]  # a vector: v₀, θ, …; and after how many steps


def answers_with(
    lm: LanguageModel, episodes: list[Episode], layer: int, vectors: Mapping[At, Tensor], thetas: Thetas,
    prefix_scored: Mapping[str, bool], answer_tokens: int,
) -> list[pd.DataFrame]:  # fmt: skip
    """Observations of bare queries, each vector put in: whether the answer is right, and the divergence of the
    next-token distribution from the regular prompt's, in bits.

    Args:
        layer: of the block after which the vectors are put in.
        vectors: `[episode, hidden]` each.
        thetas: of these episodes, among others.
        prefix_scored: by task, whether answers count by prefix.
    """
    ids = prompt_ids(lm.tokenizer, [zero_shot_prompt(episode) for episode in episodes])
    changes = [Intervention(layer, v) for v in vectors.values()]
    tokens, states = answers_and_states(lm, ids, changes, answer_tokens, [episode.name for episode in episodes])
    regular = torch.from_numpy(thetas.regular_of_episodes(episode.key for episode in episodes))
    far = divergences_of_changes(lm, states, regular)
    tables = []
    for place, (subject, step) in enumerate(vectors):
        tables.append(observed_accuracy(lm, episodes, subject, tokens[:, place], prefix_scored, step))
        tables.append(observed(episodes, DIVERGENCE, subject, far[:, place], step))
    return tables
