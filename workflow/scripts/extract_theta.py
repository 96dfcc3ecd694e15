"""Rule extract_theta: θ of every episode at every layer, and the baseline and regular predictions."""

from collections.abc import Mapping
from itertools import chain
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import save_file
from torch import Tensor

from taskvectors.engine import mean_theta, next_tokens, read_states
from taskvectors.episodes import Episode, read_episodes
from taskvectors.files import atomic
from taskvectors.models import LanguageModel, load_model
from taskvectors.predictions import by_task_and_split, predictions
from taskvectors.progress import reported, track
from taskvectors.prompts import dummy_prompts, regular_prompt, zero_shot_prompt
from taskvectors.tables import write_parquet
from taskvectors.tokens import prompt_ids


def theta_and_regular(lm: LanguageModel, episodes: list[Episode]) -> tuple[Tensor, Tensor]:
    """θ `[episode, layer, hidden]`, the mean over dummy queries, and the token after each full prompt `[episode]`."""
    prompts = [prompt_ids(lm.tokenizer, [regular_prompt(episode), *dummy_prompts(episode)]) for episode in episodes]
    states, final = read_states(lm, prompts)
    return mean_theta(states[:, 1:]), next_tokens(lm, final[:, 0])


def baseline(lm: LanguageModel, episodes: list[Episode]) -> Tensor:
    """The token after each prompt without demonstrations `[episode]`."""
    ids = prompt_ids(lm.tokenizer, [zero_shot_prompt(episode) for episode in episodes])
    return next_tokens(lm, read_states(lm, [[prompt] for prompt in ids])[1][:, 0])


def main(
    lm: LanguageModel, episodes: list[Episode], prefix: Mapping[str, bool], theta_file: Path, predictions_file: Path
) -> None:
    theta: dict[str, Tensor] = {}
    tables = []
    tasks = by_task_and_split(episodes)
    for task, splits in track(tasks.items(), len(tasks), "extract_theta"):
        bare = splits.pop("baseline", [])
        tables.append(predictions(lm, bare, "baseline", baseline(lm, bare), prefix[task]))
        # All splits at once: the more prompts of equal length, the fuller the batches.
        shown = list(chain.from_iterable(splits.values()))
        thetas, tokens = theta_and_regular(lm, shown)
        tables.append(predictions(lm, shown, "regular", tokens, prefix[task]))
        parts = thetas.split([len(group) for group in splits.values()])
        theta |= {f"{task}/{split}": part.clone() for split, part in zip(splits, parts, strict=True)}
    write_parquet(predictions_file, pd.concat(tables, ignore_index=True))
    with atomic(theta_file) as temporary:
        save_file(theta, temporary)


if __name__ == "__main__":
    with reported(snakemake.log[0], "extract_theta"):
        torch.set_num_threads(snakemake.threads)
        main(
            load_model(snakemake.input.weights, snakemake.params.dtype, snakemake.params.device),
            read_episodes(snakemake.input.episodes),
            snakemake.params.prefix,
            Path(snakemake.output.theta),
            Path(snakemake.output.predictions),
        )
