"""Rule sweep_controls: what θ must beat, on the test episodes, at the task's chosen and the common layer.

Constant answers: the commonest of the other episodes; the query itself. Patches that do not carry the task: θ of every other
task of the family, and a random vector of θ's norm. And the zero-shot prompt as it is.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file
from torch import Tensor

from taskvectors.engine import sweep_layers
from taskvectors.episodes import Episode, episode_rng, read_episodes
from taskvectors.models import LanguageModel, load_model
from taskvectors.predictions import by_task_and_split, predictions, scored
from taskvectors.progress import reported, track
from taskvectors.prompts import zero_shot_prompt
from taskvectors.tables import read_csv, write_parquet
from taskvectors.tokens import prompt_ids


def constant_answers(splits: Mapping[str, list[Episode]], prefix: bool) -> list[pd.DataFrame]:
    """The commonest answer of the baseline and dev episodes, and the query, given to every test episode."""
    answers = Counter(e.answers[0] for split, episodes in splits.items() if split != "test" for e in episodes)
    commonest = answers.most_common(1)[0][0]
    test = splits["test"]
    return [
        scored([(e, None, commonest) for e in test], "majority", prefix),
        scored([(e, None, e.query) for e in test], "copy_query", prefix),
    ]


def random_like(theta: Tensor, episodes: list[Episode], seed: int) -> Tensor:
    """A random direction for each episode and layer, of the length of `theta` `[episode, layer, hidden]`."""
    rngs = [
        np.random.default_rng(episode_rng(seed, "random theta", e.task, e.episode).getrandbits(64)) for e in episodes
    ]
    noise = torch.stack([torch.from_numpy(rng.standard_normal(theta.shape[1:])) for rng in rngs]).to(theta.dtype)
    return noise * theta.norm(dim=-1, keepdim=True) / noise.norm(dim=-1, keepdim=True)


def patched_answers(
    lm: LanguageModel,
    test: list[Episode],
    patches: dict[str, Tensor],
    layers: list[int],
    prefix: bool,
    answer_tokens: int,
) -> list[pd.DataFrame]:
    """One sweep of all patches `[episode, layer, hidden]` together; `source` names the patch."""
    prompts = prompt_ids(lm.tokenizer, [zero_shot_prompt(episode) for episode in test])
    names = [f"{episode.name}, θ of {source}" for source in patches for episode in test]
    theta = torch.cat(list(patches.values()))
    tokens, unpatched = sweep_layers(lm, prompts * len(patches), theta, answer_tokens, names, layers)
    tables = [predictions(lm, test, "zero_shot", unpatched[: len(test)], prefix)]
    for source, its in zip(patches, tokens.split(len(test)), strict=True):
        method = "random_theta" if source == "random" else "other_theta"
        tables.append(predictions(lm, test, method, its, prefix, layers).assign(source=source))
    return tables


def main(
    lm: LanguageModel,
    episodes: list[Episode],
    theta: dict[str, Tensor],
    choice: pd.DataFrame,
    prefix: Mapping[str, bool],
    answer_tokens: int,
    seed: int,
    predictions_file: Path,
) -> None:
    tasks = by_task_and_split(episodes)
    chosen = choice.set_index("task")
    tables = []
    for task, splits in track(tasks.items(), len(tasks), "sweep_controls"):
        test = splits["test"]
        layers = sorted({int(chosen.loc[task, "layer"]), int(chosen.loc[task, "common_layer"])})
        patches = {"random": random_like(theta[f"{task}/test"][:, layers], test, seed)}
        for other in tasks:
            if other != task:
                its = theta[f"{other}/test"][:, layers]
                patches[other] = its[torch.arange(len(test)) % len(its)]
        tables += constant_answers(splits, prefix[task])
        tables += patched_answers(lm, test, patches, layers, prefix[task], answer_tokens)
    table = pd.concat(
        [table if "source" in table else table.assign(source=None) for table in tables], ignore_index=True
    )
    write_parquet(predictions_file, table)


if __name__ == "__main__":
    with reported(snakemake.log[0], "sweep_controls"):
        torch.set_num_threads(snakemake.threads)
        main(
            load_model(snakemake.input.weights, snakemake.params.dtype, snakemake.params.device),
            read_episodes(snakemake.input.episodes),
            load_file(snakemake.input.theta),
            read_csv(snakemake.input.choice),
            snakemake.params.prefix,
            snakemake.params.answer_tokens,
            snakemake.params.seed,
            Path(snakemake.output.predictions),
        )
