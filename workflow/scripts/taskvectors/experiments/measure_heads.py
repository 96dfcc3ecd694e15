"""What attention heads do: the effect of each on a task, their mean outputs, and what is lost without the strongest.

Todd et al. 2023 (arXiv 2310.15213): causal indirect effects on prompts with shuffled answers; ablation of the top heads.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from taskvectors.data.episodes import DEV, TEST, Episode, by_task
from taskvectors.data.prompts import prompt, regular_prompt
from taskvectors.data.sampling import shuffled_answers
from taskvectors.data.scoring import scored
from taskvectors.data.tokens import answer_ids, prompt_ids
from taskvectors.engine.costs import counted_passes
from taskvectors.engine.heads import Head, head_count, indirect_effects, put_in, read_heads
from taskvectors.engine.patch import patched_answers
from taskvectors.errors import StudyError
from taskvectors.experiments.predictions import predictions
from taskvectors.models.language_model import LanguageModel
from taskvectors.progress import logger
from taskvectors.representations.random_heads import like
from taskvectors.representations.reading import Heads

CORRECT, SHUFFLED = "correct", "shuffled"  # prompts that mean outputs are of
INTACT, TOP, RANDOM = "intact", "top_heads", "random_heads"  # which heads are ablated
EFFECTS = ["task", "episode", "layer", "head", "effect"]
MEANS = ["task", "prompts", "layer", "heads", "passes", "values"]


def measure(
    lm: LanguageModel, episodes: list[Episode], sizes: Mapping[str, Any], prefix: Mapping[str, bool], answer_tokens: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """Effects, a row a head and trial; mean outputs, a row a task, kind of prompts and layer; predictions with heads ablated.

    All empty for a model whose heads cannot be told apart: it is left out of this, and the log says why.

    Args:
        episodes: of all main tasks.
        sizes: `rivals` of the configuration.
        prefix: by task, whether answers count by prefix.
        seed: the study seed whose episodes are taken.
    """
    nothing = scored([], INTACT, prefix=False)
    try:
        count = head_count(lm)
    except StudyError as error:
        logger.warning("measure_heads: left out: %s", error)
        return pd.DataFrame(columns=EFFECTS), pd.DataFrame(columns=MEANS), nothing.assign(heads=0)
    trials = _first(episodes, DEV, seed, sizes["trials"])
    with counted_passes(lm) as passes:
        effects, means = effects_and_means(lm, trials, seed)
    a_task = passes.forward / max(1, len(by_task(trials)))
    table = pd.DataFrame(
        [
            (trial.task, trial.episode, layer, head, float(effects[place, layer, head]))
            for place, trial in enumerate(trials)
            for layer in range(lm.layers)
            for head in range(count)
        ],
        columns=EFFECTS,
    )
    rows = [
        (task, kind, layer, count, a_task, values.numpy())
        for (task, kind), layers in means.items()
        for layer, values in enumerate(layers)
    ]
    outputs = pd.DataFrame(rows, columns=MEANS)
    neutral = mean_over_tasks(outputs)
    ablated = [
        ablation(lm, its, heads, neutral, sizes["ablated_heads"], prefix[task], answer_tokens, seed)
        for task, its in by_task(_first(episodes, TEST, seed, sizes["test"])).items()
        if (heads := heads_of(table, outputs, task)) is not None
    ]
    return table, outputs, pd.concat(ablated or [nothing.assign(heads=0)], ignore_index=True)


def _first(episodes: list[Episode], split: str, seed: int, count: int) -> list[Episode]:
    """The first episodes of every task."""
    tasks = by_task(e for e in episodes if (e.split, e.seed) == (split, seed))
    return [episode for of_task in tasks.values() for episode in of_task[:count]]


def effects_and_means(
    lm: LanguageModel, trials: list[Episode], seed: int
) -> tuple[Tensor, dict[tuple[str, str], list[Tensor]]]:
    """Effects `[trial, layer, head]` on prompts with shuffled answers when a head's output is replaced by its mean over correct
    prompts of the task; and, by task and kind of prompts, the means, by layer `[width]`."""
    names, tasks = [trial.name for trial in trials], [trial.task for trial in trials]
    shuffled = [
        prompt(tuple(shuffled_answers(trial.demos, seed, trial.task, trial.episode)), trial.query) for trial in trials
    ]
    texts = {CORRECT: [regular_prompt(trial) for trial in trials], SHUFFLED: shuffled}
    means = {}
    for kind, of_kind in texts.items():
        mixed = read_heads(lm, prompt_ids(lm.tokenizer, of_kind), names)
        for task in dict.fromkeys(tasks):
            rows = [place for place, name in enumerate(tasks) if name == task]
            means[task, kind] = [layer[rows].float().mean(dim=0) for layer in mixed]
    put = [torch.stack([means[task, CORRECT][layer] for task in tasks]) for layer in range(lm.layers)]
    wanted = answer_ids(lm.tokenizer, shuffled, [trial.answers[0] for trial in trials])
    first = torch.tensor([tokens[0] for tokens in wanted])
    return indirect_effects(lm, prompt_ids(lm.tokenizer, shuffled), put, first, names), means


def heads_of(effects: pd.DataFrame, means: pd.DataFrame, task: str) -> Heads | None:
    """What was measured of heads, for one task; None if there is no other task to rank them by.

    Args:
        effects, means: as `measure` gives them.
    """
    others = effects[effects["task"] != task]
    own = means[means["task"] == task]
    if others.empty or own.empty:
        return None
    # Tasks weigh the same, whatever their trials; of equal effects the lower head comes first.
    over_tasks = others.groupby(["task", "layer", "head"])["effect"].mean().groupby(["layer", "head"]).mean()
    ranked = over_tasks.sort_values(ascending=False, kind="stable").index.tolist()
    read = {
        kind: [torch.from_numpy(np.asarray(values, dtype=np.float32)) for values in its.sort_values("layer")["values"]]
        for kind, its in own.groupby("prompts")
    }
    first = own.iloc[0]
    return Heads(int(first["heads"]), ranked, read[CORRECT], read[SHUFFLED], float(first["passes"]))


def mean_over_tasks(means: pd.DataFrame) -> list[Tensor]:
    """By layer the mean over tasks of the mean outputs over correct prompts `[width]`."""
    correct = means[means["prompts"] == CORRECT]
    return [torch.from_numpy(np.stack(list(its["values"])).mean(axis=0)) for _, its in correct.groupby("layer")]


def ablation(
    lm: LanguageModel, test: list[Episode], heads: Heads, neutral: list[Tensor], count: int, prefix: bool, answer_tokens: int,
    seed: int,
) -> pd.DataFrame:  # fmt: skip
    """Answers to regular prompts of a task with all heads, without the top heads, and without as many random ones of the same layers.

    Args:
        neutral: by layer, what an ablated head's output is replaced by `[width]`: its mean over tasks.
        count: of the heads ablated.
    """
    top = heads.ranked[:count]
    ids = prompt_ids(lm.tokenizer, [regular_prompt(episode) for episode in test])
    means = [layer.expand(len(test), -1) for layer in neutral]
    sets: list[Sequence[Head]] = [top, like(top, heads.count, seed, "ablation", test[0].task)]
    changes = [put_in(these, means, heads.count) for these in sets]
    tokens, intact = patched_answers(lm, ids, changes, answer_tokens, [episode.name for episode in test])
    answered = {INTACT: intact, TOP: tokens[:, 0], RANDOM: tokens[:, 1]}
    tables = [predictions(lm, test, method, its, prefix).assign(heads=len(top)) for method, its in answered.items()]
    return pd.concat(tables, ignore_index=True)
