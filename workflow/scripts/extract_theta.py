"""Rule extract_theta: θ of every episode at every layer, and the baseline and regular predictions."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import save_file
from torch import Tensor

from taskvectors.engine import mean_theta, read_states
from taskvectors.episodes import Episode, read_episodes
from taskvectors.files import atomic
from taskvectors.models import LanguageModel, load_model
from taskvectors.predictions import predictions, split_by_task
from taskvectors.progress import reported, track
from taskvectors.prompts import dummy_prompts, regular_prompt, zero_shot_prompt
from taskvectors.tables import write_parquet
from taskvectors.tokens import prompt_ids


def theta_and_regular(lm: LanguageModel, episodes: list[Episode]) -> tuple[Tensor, Tensor]:
    """θ `[episode, layer, hidden]`, the mean over dummy queries, and the token after each full prompt `[episode]`."""
    prompts = [prompt_ids(lm.tokenizer, [regular_prompt(episode), *dummy_prompts(episode)]) for episode in episodes]
    states, tokens = read_states(lm, prompts)
    return mean_theta(states[:, 1:]), tokens[:, 0]


def baseline(lm: LanguageModel, episodes: list[Episode]) -> Tensor:
    """The token after each prompt without demonstrations `[episode]`."""
    ids = prompt_ids(lm.tokenizer, [zero_shot_prompt(episode) for episode in episodes])
    return read_states(lm, [[prompt] for prompt in ids])[1][:, 0]


def main(
    lm: LanguageModel, episodes: list[Episode], prefix: Mapping[str, bool], theta_file: Path, predictions_file: Path
) -> None:
    theta: dict[str, Tensor] = {}
    tables = []
    groups = split_by_task(episodes)
    for (task, split), group in track(groups.items(), len(groups), "extract_theta", unit="split"):
        if split == "baseline":
            tables.append(predictions(lm, group, "baseline", baseline(lm, group), prefix[task]))
        else:
            theta[f"{task}/{split}"], tokens = theta_and_regular(lm, group)
            tables.append(predictions(lm, group, "regular", tokens, prefix[task]))
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
