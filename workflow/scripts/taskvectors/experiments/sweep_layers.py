"""θ_L patched into zero-shot prompts, at every layer L, on dev and on test episodes; and no patch (paper, section 3.2)."""

from collections.abc import Mapping

import pandas as pd
import torch

from taskvectors.data.episodes import BASELINE, Episode, by_task
from taskvectors.data.prompts import zero_shot_prompt
from taskvectors.data.tokens import prompt_ids
from taskvectors.engine.patch import sweep_layers
from taskvectors.experiments.predictions import predictions
from taskvectors.models.language_model import LanguageModel
from taskvectors.progress import track
from taskvectors.store.thetas import Thetas


def sweep(
    lm: LanguageModel, episodes: list[Episode], thetas: Thetas, prefix: Mapping[str, bool], answer_tokens: int
) -> pd.DataFrame:
    """Predictions of methods `hypothesis`, at every layer, and `zero_shot`, the same prompts without a patch.

    Args:
        prefix: by task, whether answers count by prefix.
    """
    tasks = by_task(episode for episode in episodes if episode.split != BASELINE)
    tables = []
    for task, its in track(tasks.items(), len(tasks), "sweep_layers"):
        ids = prompt_ids(lm.tokenizer, [zero_shot_prompt(episode) for episode in its])
        theta = torch.from_numpy(thetas.of_episodes(episode.key for episode in its))
        patched, unpatched = sweep_layers(lm, ids, theta, answer_tokens, [episode.name for episode in its])
        tables.append(predictions(lm, its, "hypothesis", patched, prefix[task]))
        tables.append(predictions(lm, its, "zero_shot", unpatched, prefix[task]))
    return pd.concat(tables, ignore_index=True)
