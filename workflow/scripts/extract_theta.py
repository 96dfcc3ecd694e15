"""Rule extract_theta: θ of every episode at every layer, and the baseline and regular predictions."""

from collections.abc import Mapping
from itertools import chain
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from taskvectors.engine import continue_prompts, mean_theta, next_tokens, read_states, variance_over_dummies
from taskvectors.episodes import Episode, read_episodes
from taskvectors.loading import load_model, made_by
from taskvectors.models import LanguageModel
from taskvectors.predictions import by_task_and_split, predictions
from taskvectors.progress import reported, track
from taskvectors.prompts import dummy_prompts, regular_prompt, zero_shot_prompt
from taskvectors.stamps import Stamp
from taskvectors.tables import write_parquet
from taskvectors.thetas import write_thetas
from taskvectors.tokens import prompt_ids


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


def main(
    lm: LanguageModel,
    episodes: list[Episode],
    prefix: Mapping[str, bool],
    answer_tokens: int,
    theta_file: Path,
    predictions_file: Path,
    made: Stamp,
) -> None:
    theta: dict[str, Tensor] = {}
    tables = []
    tasks = by_task_and_split(episodes)
    for task, splits in track(tasks.items(), len(tasks), "extract_theta"):
        bare = list(chain.from_iterable(splits.pop(split) for split in list(splits) if split.startswith("baseline")))
        tables.append(predictions(lm, bare, "baseline", baseline(lm, bare, answer_tokens), prefix[task]))
        # All splits at once: the more prompts of equal length, the fuller the batches.
        shown = list(chain.from_iterable(splits.values()))
        thetas, variances, tokens = theta_and_regular(lm, shown, answer_tokens)
        tables.append(predictions(lm, shown, "regular", tokens, prefix[task]))
        sizes = [len(group) for group in splits.values()]
        for kind, values in (("", thetas), ("/variance_over_dummies", variances)):
            parts = zip(splits, values.split(sizes), strict=True)
            theta |= {f"{task}/{split}{kind}": part for split, part in parts}
    write_parquet(predictions_file, pd.concat(tables, ignore_index=True), made)
    write_thetas(theta_file, {name: tensor.numpy() for name, tensor in theta.items()}, made)


if __name__ == "__main__":
    with reported(snakemake.log[0], "extract_theta"):
        torch.set_num_threads(snakemake.threads)
        lm = load_model(snakemake.input.weights, snakemake.params.dtype, snakemake.params.device)
        made = made_by(lm, "extract_theta", snakemake.input.weights, snakemake.input.library)
        main(
            lm,
            read_episodes(snakemake.input.episodes),
            snakemake.params.prefix,
            snakemake.params.answer_tokens,
            Path(snakemake.output.theta),
            Path(snakemake.output.predictions),
            made,
        )
