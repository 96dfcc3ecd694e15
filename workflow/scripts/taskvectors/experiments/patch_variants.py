"""Other vectors in θ's place, on the test episodes, at the layer chosen for the task.

Controls that θ must beat: a random vector of θ's norm, θ of every other task of the family. How θ forms: the state after 0, 1, … all
demonstrations of one prompt. And what might be better than θ: its mean over other episodes.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from taskvectors.analysis.roles import main_tasks
from taskvectors.data.episodes import TEST, Episode, by_task
from taskvectors.data.prompts import growing_prompts, zero_shot_prompt
from taskvectors.data.sampling import episode_rng
from taskvectors.data.scoring import scored
from taskvectors.data.tokens import prompt_ids, prompt_ids_of_each
from taskvectors.engine.definition import Intervention
from taskvectors.engine.distribution import divergences_of_changes
from taskvectors.engine.patch import AS_IT_IS, answers_and_states, patched_answers
from taskvectors.engine.read import read_prefixes
from taskvectors.experiments.predictions import predictions
from taskvectors.models.language_model import LanguageModel
from taskvectors.progress import track
from taskvectors.store.thetas import Thetas

NO_ANSWERS = scored([], "mean_theta", {}).assign(source=None, demonstrations=None, cosine=0.0, cosine_centred=0.0)
NO_DIVERGENCES = pd.DataFrame(columns=["task", "episode", "method", "source", "layer", "divergence"])
Patch = tuple[str, str | int | None, Tensor]  # method, which of its kind, vectors [episode, hidden]


def variants(
    lm: LanguageModel, episodes: list[Episode], thetas: Thetas, choice: pd.DataFrame, prefix: Mapping[str, bool],
    answer_tokens: int, forming_episodes: int, seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """Predictions of methods `random_theta`, `other_theta`, `mean_theta` and `theta_after`; and divergences (`divergences_of`) of the
    first three, of the bare query (`zero_shot`) and of θ itself (`hypothesis`).

    Args:
        episodes: of the tasks of one family.
        thetas: of all main tasks, and of these.
        choice: `layer_choice.csv`.
        prefix: by task, whether answers count by prefix.
        forming_episodes: how many test episodes show how θ forms.
        seed: the study seed whose episodes these are.
    """
    tasks = by_task(episode for episode in episodes if (episode.split, episode.seed) == (TEST, seed))
    if not tasks:  # all left out for this model
        return NO_ANSWERS, NO_DIVERGENCES
    shared = shared_by_tasks([tensor_of(thetas, task, seed) for task in main_tasks(choice)["task"]])
    chosen = choice.set_index("task")["layer"]
    tables, far = [], []
    for task, test in track(tasks.items(), len(tasks), "patch_variants"):
        layer = int(chosen[task])
        own = tensor_of(thetas, task, seed)[:, layer]
        others = {other: tensor_of(thetas, other, seed)[:, layer] for other in tasks if other != task}
        patches = [("hypothesis", None, own), *replacements(own, others, test, seed)]
        ids = prompt_ids(lm.tokenizer, [zero_shot_prompt(episode) for episode in test])
        names = [episode.name for episode in test]
        tokens, states = answers_and_states(lm, ids, [AS_IT_IS, *interventions(patches, layer)], answer_tokens, names)
        lacking = without_mean(test)
        far.append(less_means(divergences_of(lm, test, patches, states, layer, thetas), lacking))
        # What the bare query and θ itself answer is in the sweep.
        answered = answers_to(lm, test, patches[1:], tokens[:, 2:], own, shared[layer], layer, prefix)
        tables += [less_means(table, lacking) for table in answered]
        few = test[:forming_episodes]
        after = forming(lm, few, layer)
        tokens, _ = patched_answers(lm, ids[: len(few)], interventions(after, layer), answer_tokens, names[: len(few)])
        tables += answers_to(lm, few, after, tokens, own[: len(few)], shared[layer], layer, prefix)
    return pd.concat(tables, ignore_index=True), pd.concat(far, ignore_index=True)


def replacements(own: Tensor, others: Mapping[str, Tensor], test: list[Episode], seed: int) -> list[Patch]:
    """What is put in the place of θ `[episode, hidden]`: a random vector, θ of every other task, the mean θ."""
    of_others: list[Patch] = [
        ("other_theta", other, vectors[torch.arange(len(test)) % len(vectors)]) for other, vectors in others.items()
    ]
    return [
        ("random_theta", None, random_like(own, test, seed)),
        *of_others,
        ("mean_theta", None, mean_of_others(own, test).nan_to_num()),  # rows without a mean are dropped (`less_means`)
    ]


def interventions(patches: list[Patch], layer: int) -> list[Intervention]:
    """Each patch by itself, at one layer."""
    return [Intervention(layer, vectors) for _, _, vectors in patches]


def divergences_of(
    lm: LanguageModel, test: list[Episode], patches: list[Patch], states: Tensor, layer: int, thetas: Thetas
) -> pd.DataFrame:
    """How far next-token distributions are from the regular prompt's, in bits (`taskvectors.engine.distribution.divergences`): one row
    an episode and patch, at one layer, and one of the query as it is (`zero_shot`).

    Args:
        states: final hidden states `[episode, 1 + patch, hidden]`, those of the query as it is first.
    """
    regular = torch.from_numpy(thetas.regular_of_episodes(episode.key for episode in test))
    far = divergences_of_changes(lm, states, regular)
    tables = []
    methods = [("zero_shot", None, None), *((method, source, layer) for method, source, _ in patches)]
    for place, (method, source, at) in enumerate(methods):
        numbers = [episode.episode for episode in test]
        columns = {
            "task": test[0].task,
            "episode": numbers,
            "method": method,
            "source": source,
            "layer": at,
            "divergence": far[:, place].tolist(),
        }
        tables.append(pd.DataFrame(columns).astype({"source": object, "layer": "Int64"}))
    return pd.concat(tables, ignore_index=True)


def tensor_of(thetas: Thetas, task: str, seed: int) -> Tensor:
    """θ of a task's test episodes `[episode, layer, hidden]`."""
    return torch.from_numpy(thetas.of(task, TEST, seed).theta)


def shared_by_tasks(thetas: list[Tensor]) -> Tensor:
    """The mean over tasks of the mean θ of each `[layer, hidden]`: what θ of all tasks share. `thetas`: one tensor a task."""
    return torch.stack([theta.mean(dim=0) for theta in thetas]).mean(dim=0)


def random_like(theta: Tensor, episodes: list[Episode], seed: int) -> Tensor:
    """A random direction for each episode, of the length of `theta` `[episode, hidden]`."""
    rngs = [
        np.random.default_rng(episode_rng(seed, "random theta", e.task, e.episode).getrandbits(64)) for e in episodes
    ]
    noise = torch.stack([torch.from_numpy(rng.standard_normal(theta.shape[1:])) for rng in rngs]).to(theta.dtype)
    return noise * theta.norm(dim=-1, keepdim=True) / noise.norm(dim=-1, keepdim=True)


def mean_of_others(theta: Tensor, episodes: list[Episode]) -> Tensor:
    """For each episode the mean θ `[episode, hidden]` of the others that do not show its query; NaN where there is none."""
    return torch.stack([theta[others].mean(dim=0) for others in not_showing_queries(episodes)])


def not_showing_queries(episodes: list[Episode]) -> list[list[int]]:
    """For each episode the places of the others in whose prompts its query does not occur."""
    shown = [{*(x for x, _ in episode.demos), *episode.dummies} for episode in episodes]
    return [
        [j for j in range(len(episodes)) if j != i and episode.query not in shown[j]]
        for i, episode in enumerate(episodes)
    ]


def without_mean(episodes: list[Episode]) -> set[int]:
    """Numbers of the episodes whose query every other episode shows: they have no mean θ."""
    return {e.episode for e, others in zip(episodes, not_showing_queries(episodes), strict=True) if not others}


def less_means(table: pd.DataFrame, lacking: set[int]) -> pd.DataFrame:
    """Rows of one task without those of the mean θ of episodes that have none."""
    return table[(table["method"] != "mean_theta") | ~table["episode"].isin(lacking)]


def forming(lm: LanguageModel, episodes: list[Episode], layer: int) -> list[Patch]:
    """The state at every arrow of each episode's prompt: θ after k demonstrations."""
    prefixes = prompt_ids_of_each(lm.tokenizer, [growing_prompts(episode) for episode in episodes])
    states = read_prefixes(lm, prefixes, layer, [episode.name for episode in episodes]).float()
    return [("theta_after", k, states[:, k]) for k in range(states.shape[1])]


def answers_to(
    lm: LanguageModel, test: list[Episode], patches: list[Patch], tokens: Tensor, theta: Tensor, shared: Tensor,
    layer: int, prefix: Mapping[str, bool],
) -> list[pd.DataFrame]:  # fmt: skip
    """Answers `[episode, patch, token]` under patches at one layer: a table a patch.

    `cosine` is that of a patch and the episode's own θ, `cosine_centred` that of both less what all tasks share.
    """
    tables = []
    for place, (method, which, vectors) in enumerate(patches):
        table = predictions(lm, test, method, tokens[:, place, None], prefix, [layer])
        table["source"] = None if method == "theta_after" else which
        table["demonstrations"] = which if method == "theta_after" else None
        table["cosine"] = cosine_similarity(vectors, theta, dim=-1).tolist()
        table["cosine_centred"] = cosine_similarity(vectors - shared, theta - shared, dim=-1).tolist()
        tables.append(table.astype({"source": object, "demonstrations": "Int64"}))
    return tables
