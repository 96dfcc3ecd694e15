"""θ of every episode at every layer, and the baseline and regular predictions (paper, section 3.1)."""

from collections.abc import Mapping

import pandas as pd
from torch import Tensor

from taskvectors.data.episodes import BASELINE, Episode
from taskvectors.data.prompts import dummy_prompts, regular_prompt, zero_shot_prompt
from taskvectors.data.tokens import prompt_ids, prompt_ids_of_each
from taskvectors.engine.passes import continue_prompts
from taskvectors.engine.read import read_theta
from taskvectors.engine.unembed import next_tokens
from taskvectors.measuring.predictions import predictions
from taskvectors.models.language_model import LanguageModel
from taskvectors.progress import counted
from taskvectors.store.thetas import Thetas


def extract(
    lm: LanguageModel, episodes: list[Episode], prefix_scored: Mapping[str, bool], answer_tokens: int
) -> tuple[Thetas, pd.DataFrame]:
    """θ of the dev and test episodes, and predictions: `baseline` of the baseline episodes, `regular` of dev and test
    episodes.

    Args:
        prefix_scored: by task, whether answers count by prefix.
    """
    # All tasks and splits at once: the more prompts of equal length, the fuller the batches.
    bare = [episode for episode in episodes if episode.split == BASELINE]
    shown = [episode for episode in episodes if episode.split != BASELINE]
    without = baseline(lm, bare, answer_tokens)
    thetas, regular = theta_and_regular(lm, shown, answer_tokens)
    tables = [
        predictions(lm, bare, "baseline", without, prefix_scored),
        predictions(lm, shown, "regular", regular, prefix_scored),
    ]
    return thetas, pd.concat(tables, ignore_index=True)


def theta_and_regular(lm: LanguageModel, episodes: list[Episode], answer_tokens: int) -> tuple[Thetas, Tensor]:
    """θ of all episodes, and the answers `[episode, token]` to their full prompts."""
    others = prompt_ids_of_each(lm.tokenizer, [[regular_prompt(episode)] for episode in episodes])
    dummies = prompt_ids_of_each(lm.tokenizer, [dummy_prompts(episode) for episode in episodes])
    names = [episode.name for episode in episodes]
    done = counted("extract_theta", len(episodes), "episode")
    theta, variances, final = read_theta(lm, dummies, others, names, done)
    if answer_tokens == 1:
        answers = next_tokens(lm, final)[:, None]  # already read
    else:
        regular = [ids for episode in others for ids in episode]
        answers = continue_prompts(lm, regular, answer_tokens, names)
    keys = [episode.key for episode in episodes]
    return Thetas(keys, theta.numpy(), variances.numpy(), final.to(theta).numpy()), answers


def baseline(lm: LanguageModel, episodes: list[Episode], answer_tokens: int) -> Tensor:
    """The answer to each prompt without demonstrations `[episode, token]`."""
    prompts = prompt_ids(lm.tokenizer, [zero_shot_prompt(episode) for episode in episodes])
    return continue_prompts(lm, prompts, answer_tokens, [episode.name for episode in episodes])
