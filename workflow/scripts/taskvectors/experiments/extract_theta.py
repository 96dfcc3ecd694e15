"""θ of every episode at every layer, and the baseline and regular predictions (paper, section 3.1)."""

from collections.abc import Mapping

import pandas as pd
from torch import Tensor

from taskvectors.data.episodes import BASELINE, Episode, by_task
from taskvectors.data.prompts import dummy_prompts, regular_prompt, zero_shot_prompt
from taskvectors.data.tokens import prompt_ids
from taskvectors.engine.passes import continue_prompts
from taskvectors.engine.read import mean_theta, read_states, variance_over_dummies
from taskvectors.engine.unembed import next_tokens
from taskvectors.experiments.predictions import predictions
from taskvectors.models.language_model import LanguageModel
from taskvectors.progress import track
from taskvectors.store.thetas import Thetas, joined


def extract(
    lm: LanguageModel, episodes: list[Episode], prefix: Mapping[str, bool], answer_tokens: int
) -> tuple[Thetas, pd.DataFrame]:
    """θ of the dev and test episodes, and predictions: `baseline` of the baseline episodes, `regular` of the others.

    Args:
        prefix: by task, whether answers count by prefix.
    """
    tasks, tables, found = by_task(episodes), [], []
    for task, its in track(tasks.items(), len(tasks), "extract_theta"):
        bare = [episode for episode in its if episode.split == BASELINE]
        tables.append(predictions(lm, bare, "baseline", baseline(lm, bare, answer_tokens), prefix[task]))
        # All splits at once: the more prompts of equal length, the fuller the batches.
        shown = [episode for episode in its if episode.split != BASELINE]
        theta, variances, tokens = theta_and_regular(lm, shown, answer_tokens)
        tables.append(predictions(lm, shown, "regular", tokens, prefix[task]))
        found.append(Thetas([episode.key for episode in shown], theta.numpy(), variances.numpy()))
    return joined(found), pd.concat(tables, ignore_index=True)


def theta_and_regular(lm: LanguageModel, episodes: list[Episode], answer_tokens: int) -> tuple[Tensor, Tensor, Tensor]:
    """θ `[episode, layer, hidden]`, the mean over dummy queries; its variance over them `[episode, layer]`; and the answer
    to each full prompt `[episode, token]`."""
    prompts = [prompt_ids(lm.tokenizer, [regular_prompt(episode), *dummy_prompts(episode)]) for episode in episodes]
    names = [episode.name for episode in episodes]
    states, final = read_states(lm, prompts, names)
    if answer_tokens == 1:
        answers = next_tokens(lm, final[:, 0])[:, None]  # already read
    else:
        answers = continue_prompts(lm, [episode[0] for episode in prompts], answer_tokens, names)
    return mean_theta(states[:, 1:]), variance_over_dummies(states[:, 1:]), answers


def baseline(lm: LanguageModel, episodes: list[Episode], answer_tokens: int) -> Tensor:
    """The answer to each prompt without demonstrations `[episode, token]`."""
    prompts = prompt_ids(lm.tokenizer, [zero_shot_prompt(episode) for episode in episodes])
    return continue_prompts(lm, prompts, answer_tokens, [episode.name for episode in episodes])
