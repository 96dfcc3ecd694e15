"""Rule patch_variants: other vectors in θ's place, on the test episodes, at the layer chosen for the task.

Controls that θ must beat: a random vector of θ's norm, θ of every other task of the family; and, without a model, the commonest
answer and the query itself. How θ forms: the state after 0, 1, … all demonstrations of one prompt. And what
might be better than θ: its mean over other episodes.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from taskvectors.engine import read_prefixes, sweep_layers
from taskvectors.episodes import Episode, episode_rng, read_episodes
from taskvectors.loading import load_model, made_by
from taskvectors.models import LanguageModel
from taskvectors.predictions import by_task_and_split, predictions, scored
from taskvectors.progress import reported, track
from taskvectors.prompts import growing_prompts, zero_shot_prompt
from taskvectors.stamps import Stamp
from taskvectors.tables import main_tasks, read_csv, write_parquet
from taskvectors.theta_tensors import theta_tensors
from taskvectors.tokens import prompt_ids

Patch = tuple[str, str | int | None, Tensor]  # method, which of its kind, vectors [episode, hidden]


def constant_answers(splits: Mapping[str, list[Episode]], prefix: bool) -> list[pd.DataFrame]:
    """The commonest answer of the baseline and dev episodes, and the query, given to every test episode."""
    answers = Counter(e.answers[0] for split in ("baseline", "dev") for e in splits[split])
    commonest = answers.most_common(1)[0][0]
    test = splits["test"]
    return [
        scored([(e, None, commonest) for e in test], "majority", prefix),
        scored([(e, None, e.query) for e in test], "copy_query", prefix),
    ]


def random_like(theta: Tensor, episodes: list[Episode], seed: int) -> Tensor:
    """A random direction for each episode, of the length of `theta` `[episode, hidden]`."""
    rngs = [
        np.random.default_rng(episode_rng(seed, "random theta", e.task, e.episode).getrandbits(64)) for e in episodes
    ]
    noise = torch.stack([torch.from_numpy(rng.standard_normal(theta.shape[1:])) for rng in rngs]).to(theta.dtype)
    return noise * theta.norm(dim=-1, keepdim=True) / noise.norm(dim=-1, keepdim=True)


def mean_of_others(theta: Tensor, episodes: list[Episode]) -> Tensor:
    """For each episode the mean θ `[episode, hidden]` of the others that do not show its query: of all others if every one does.

    A single episode keeps its own.
    """
    shown = [{*(x for x, _ in episode.demos), *episode.dummies} for episode in episodes]
    means = []
    for i, episode in enumerate(episodes):
        others = [j for j in range(len(episodes)) if j != i]
        unseen = [j for j in others if episode.query not in shown[j]]
        means.append(theta[unseen or others or [i]].mean(dim=0))
    return torch.stack(means)


def forming(lm: LanguageModel, episodes: list[Episode], layer: int) -> list[Patch]:
    """The state at every arrow of each episode's prompt: θ after k demonstrations."""
    prefixes = [prompt_ids(lm.tokenizer, growing_prompts(episode)) for episode in episodes]
    states = read_prefixes(lm, prefixes, [episode.name for episode in episodes])[:, :, layer].float()
    return [("theta_after", k, states[:, k]) for k in range(states.shape[1])]


def shared_by_tasks(theta: Mapping[str, Tensor], tasks: list[str]) -> Tensor:
    """The mean over tasks of the mean θ of each `[layer, hidden]`: what θ of all tasks share."""
    return torch.stack([theta[f"{task}/test"].mean(dim=0) for task in tasks]).mean(dim=0)


def patched_answers(
    lm: LanguageModel, test: list[Episode], patches: list[Patch], theta: Tensor, shared: Tensor, layer: int,
    prefix: bool, answer_tokens: int,
) -> list[pd.DataFrame]:  # fmt: skip
    """One sweep of all patches together, at one layer: a table a patch.

    `cosine` is that of a patch and the episode's own θ, `cosine_centred` that of both less what all tasks share.
    """
    prompts = prompt_ids(lm.tokenizer, [zero_shot_prompt(episode) for episode in test])
    vectors = torch.stack([vectors for _, _, vectors in patches], dim=1)
    names = [episode.name for episode in test]
    tokens, _ = sweep_layers(lm, prompts, vectors, answer_tokens, names, [layer] * len(patches))
    tables = []
    for place, (method, which, vectors) in enumerate(patches):
        table = predictions(lm, test, method, tokens[:, place, None], prefix, [layer])
        table["cosine"] = cosine_similarity(vectors, theta, dim=-1).tolist()
        table["cosine_centred"] = cosine_similarity(vectors - shared, theta - shared, dim=-1).tolist()
        column = "demonstrations" if method == "theta_after" else "source"
        tables.append(table.assign(**{column: which}))
    return tables


def main(
    lm: LanguageModel, episodes: list[Episode], theta: dict[str, Tensor], shared: Tensor, choice: pd.DataFrame,
    prefix: Mapping[str, bool], answer_tokens: int, forming_episodes: int, seed: int, predictions_file: Path,
    made: Stamp,
) -> None:  # fmt: skip
    tasks = by_task_and_split(episodes)
    chosen = choice.set_index("task")["layer"]
    tables = []
    for task, splits in track(tasks.items(), len(tasks), "patch_variants"):
        test = splits["test"]
        layer = int(chosen[task])
        own = theta[f"{task}/test"][:, layer]
        patches: list[Patch] = [("random_theta", None, random_like(own, test, seed))]
        for other in tasks:
            if other != task:
                its = theta[f"{other}/test"][:, layer]
                patches.append(("other_theta", other, its[torch.arange(len(test)) % len(its)]))
        patches.append(("mean_theta", None, mean_of_others(own, test)))
        tables += constant_answers(splits, prefix[task])
        tables += patched_answers(lm, test, patches, own, shared[layer], layer, prefix[task], answer_tokens)
        few = test[:forming_episodes]
        tables += patched_answers(
            lm, few, forming(lm, few, layer), own[: len(few)], shared[layer], layer, prefix[task], answer_tokens
        )
    absent = {"source": None, "demonstrations": None, "cosine": np.nan, "cosine_centred": np.nan}
    tables = [table.assign(**{name: v for name, v in absent.items() if name not in table}) for table in tables]
    table = pd.concat([its.astype({"source": object, "demonstrations": "Int64"}) for its in tables], ignore_index=True)
    write_parquet(predictions_file, table, made)


if __name__ == "__main__":
    with reported(snakemake.log[0], "patch_variants"):
        torch.set_num_threads(snakemake.threads)
        lm = load_model(snakemake.input.weights, snakemake.params.dtype, snakemake.params.device)
        made = made_by(lm, "patch_variants", snakemake.input.weights, snakemake.input.library)
        choice = read_csv(snakemake.input.choice)
        main(
            lm,
            read_episodes(snakemake.input.episodes),
            theta_tensors([snakemake.input.theta], made),
            shared_by_tasks(theta_tensors(snakemake.input.of_all, made), list(main_tasks(choice)["task"])),
            choice,
            snakemake.params.prefix,
            snakemake.params.answer_tokens,
            snakemake.params.forming_episodes,
            snakemake.params.seed,
            Path(snakemake.output.predictions),
            made,
        )
