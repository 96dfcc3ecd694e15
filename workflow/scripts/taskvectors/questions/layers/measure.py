"""θ_L patched into zero-shot prompts, at every layer L, on dev and on test episodes; and no patch (paper, section
3.2)."""

from collections.abc import Mapping

import pandas as pd
import torch

from taskvectors.data.episodes import BASELINE, Episode
from taskvectors.data.prompts import zero_shot_prompt
from taskvectors.data.tokens import prompt_ids
from taskvectors.engine.patch import sweep_layers
from taskvectors.measuring.predictions import predictions
from taskvectors.models.language_model import LanguageModel
from taskvectors.progress import counted
from taskvectors.store.thetas import Thetas


def sweep(
    lm: LanguageModel, episodes: list[Episode], thetas: Thetas, prefix_scored: Mapping[str, bool], answer_tokens: int
) -> pd.DataFrame:
    """Predictions of methods `hypothesis`, at every layer, and `zero_shot`, the same prompts without a patch.

    Args:
        prefix_scored: by task, whether answers count by prefix.
    """
    shown = [episode for episode in episodes if episode.split != BASELINE]
    ids = prompt_ids(lm.tokenizer, [zero_shot_prompt(episode) for episode in shown])
    theta = torch.from_numpy(thetas.of_episodes(episode.key for episode in shown))
    names, done = [episode.name for episode in shown], counted("sweep_layers", len(shown), "episode")
    patched, unpatched = sweep_layers(lm, ids, theta, answer_tokens, names, done=done)
    methods = {"hypothesis": patched, "zero_shot": unpatched}
    tables = [predictions(lm, shown, method, tokens, prefix_scored) for method, tokens in methods.items()]
    return pd.concat(tables, ignore_index=True)
