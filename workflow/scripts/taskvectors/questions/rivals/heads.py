"""What attention heads do: the effect of each on a task, their mean outputs, and what is lost without the strongest.

Todd et al. 2023 (arXiv 2310.15213): causal indirect effects on prompts with shuffled answers; ablation of the top
heads.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from taskvectors.data.episodes import DEV, TEST, Episode, by_task, first_of_tasks
from taskvectors.data.prompts import prompt, regular_prompt
from taskvectors.data.sampling import shuffled_answers
from taskvectors.data.scoring import scored
from taskvectors.data.tokens import first_answer_ids, prompt_ids
from taskvectors.engine.costs import counted_passes
from taskvectors.engine.heads import Head, head_count, indirect_effects, put_in, read_heads
from taskvectors.engine.patch import patched_answers
from taskvectors.errors import StudyError
from taskvectors.measuring.predictions import predictions
from taskvectors.models.language_model import LanguageModel
from taskvectors.progress import logger
from taskvectors.questions.rivals.context import CORRECT, SHUFFLED, Heads
from taskvectors.questions.rivals.representations.random_heads import like

INTACT, TOP, RANDOM = "intact", "top_heads", "random_heads"  # which heads are ablated
EFFECTS = ["task", "episode", "layer", "head", "effect"]
OUTPUTS = ["task", "episode", "prompts", "layer", "heads", "passes", "shown", "values"]


def measure(
    lm: LanguageModel, episodes: list[Episode], settings: Mapping[str, Any], prefix_scored: Mapping[str, bool],
    answer_tokens: int, seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """Effects, a row a head and trial; outputs, a row a trial, kind of prompts and layer; predictions with heads
    ablated.

    All empty for a model whose heads cannot be distinguished: it is left out of this, and the log says why.

    Args:
        episodes: of all main tasks.
        settings: `rivals` of the configuration.
        prefix_scored: by task, whether answers count by prefix.
        seed: the study seed whose episodes are taken.
    """
    nothing = scored([], INTACT, prefix_scored)
    try:
        count = head_count(lm)
    except StudyError as error:
        logger.warning("measure_heads: left out: %s", error)
        return pd.DataFrame(columns=EFFECTS), pd.DataFrame(columns=OUTPUTS), nothing.assign(heads=0)
    trials = first_of_tasks(episodes, DEV, seed, settings["trials"])
    with counted_passes(lm) as passes:
        effects, having, mixed = effects_and_outputs(lm, trials, seed)
    a_task = passes.forward / max(1, len(by_task(trials)))
    table = pd.DataFrame(
        [
            (trial.task, trial.episode, layer, head, float(effects[place, layer, head]))
            for place, trial in enumerate(having)
            for layer in range(lm.layers)
            for head in range(count)
        ],
        columns=EFFECTS,
    )
    rows = [
        (trial.task, trial.episode, kind, layer, count, a_task, sorted(shown_by(trial)), values[place].float().numpy())
        for kind, layers in mixed.items()
        for place, trial in enumerate(trials)
        for layer, values in enumerate(layers)
    ]
    outputs = pd.DataFrame(rows, columns=OUTPUTS)
    measured = {task: heads for task in prefix_scored if (heads := heads_of(table, outputs, task)) is not None}
    test = [
        episode
        for episode in first_of_tasks(episodes, TEST, seed, settings["ablated"]["episodes"])
        if episode.task in measured
    ]
    if not test:
        return table, outputs, nothing.assign(heads=0)
    neutral = mean_over_tasks(outputs)
    return (
        table,
        outputs,
        ablation(lm, test, measured, neutral, settings["ablated"]["heads"], prefix_scored, answer_tokens, seed),
    )


def effects_and_outputs(
    lm: LanguageModel, trials: list[Episode], seed: int
) -> tuple[Tensor, list[Episode], dict[str, list[Tensor]]]:
    """Effects `[trial, layer, head]` on prompts with shuffled answers when a head's output is replaced by its mean
    over correct prompts of the task that do not show the query; the trials that have such prompts; and, by kind of
    prompts, what was read of all trials: by layer `[trial, width]`."""
    names = [trial.name for trial in trials]
    shuffled = [
        prompt(tuple(shuffled_answers(trial.demos, seed, trial.task, trial.episode)), trial.query) for trial in trials
    ]
    texts = {CORRECT: [regular_prompt(trial) for trial in trials], SHUFFLED: shuffled}
    mixed = {kind: read_heads(lm, prompt_ids(lm.tokenizer, of_kind), names) for kind, of_kind in texts.items()}
    shown = [shown_by(trial) for trial in trials]
    others = [
        [place for place, other in enumerate(trials) if other.task == trial.task and trial.query not in shown[place]]
        for trial in trials
    ]
    having = [place for place, of_trial in enumerate(others) if of_trial]
    if not having:
        return torch.empty(0, lm.layers, 0), [], mixed
    means = [
        torch.stack([values[others[place]].float().mean(dim=0) for place in having]).to(values.dtype)
        for values in mixed[CORRECT]
    ]
    prompts, names = [shuffled[place] for place in having], [names[place] for place in having]
    answers = first_answer_ids(lm.tokenizer, prompts, [trials[place].answers[0] for place in having], names)
    effects = indirect_effects(lm, prompt_ids(lm.tokenizer, prompts), means, torch.tensor(answers), names)
    return effects, [trials[place] for place in having], mixed


def shown_by(trial: Episode) -> set[str]:
    """Inputs in the prompt of a trial."""
    return {trial.query, *(x for x, _ in trial.demos)}


def heads_of(effects: pd.DataFrame, outputs: pd.DataFrame, task: str) -> Heads | None:
    """What was measured of heads, for one task; None if there is no other task to rank them by.

    Args:
        effects, outputs: as `measure` gives them.
    """
    others = effects[effects["task"] != task]
    own = outputs[outputs["task"] == task]
    if others.empty or own.empty:
        return None
    # Tasks weigh the same, whatever their trials; of equal effects the lower head comes first.
    over_tasks = others.groupby(["task", "layer", "head"])["effect"].mean().groupby(["layer", "head"]).mean()
    ranked = over_tasks.sort_values(ascending=False, kind="stable").index.tolist()
    read = {
        kind: [torch.tensor(np.stack(list(of_layer["values"]))) for _, of_layer in of_kind.groupby("layer")]
        for kind, of_kind in own.groupby("prompts")
    }
    first = own.iloc[0]
    lowest = own[(own["prompts"] == CORRECT) & (own["layer"] == 0)]
    return Heads(int(first["heads"]), ranked, read, list(map(set, lowest["shown"])), float(first["passes"]))


def mean_over_tasks(outputs: pd.DataFrame) -> list[Tensor]:
    """By layer the mean over tasks of the mean outputs over correct prompts `[width]`."""
    layers = []
    for _, of_layer in outputs[outputs["prompts"] == CORRECT].groupby("layer"):
        tasks = [np.stack(list(of_task["values"])).mean(axis=0) for _, of_task in of_layer.groupby("task")]
        layers.append(torch.from_numpy(np.stack(tasks).mean(axis=0)))
    return layers


def ablation(
    lm: LanguageModel, test: list[Episode], measured: Mapping[str, Heads], neutral: list[Tensor], count: int,
    prefix_scored: Mapping[str, bool], answer_tokens: int, seed: int,
) -> pd.DataFrame:  # fmt: skip
    """Answers to regular prompts with all heads, without the top heads, and without as many random ones of the same
    layers.

    Args:
        measured: by task.
        neutral: by layer, what an ablated head's output is replaced by `[width]`: its mean over tasks.
        count: of the heads ablated.
    """
    heads = next(iter(measured.values())).count
    top: dict[str, Sequence[Head]] = {task: heads_of_task.ranked[:count] for task, heads_of_task in measured.items()}
    sets: dict[str, dict[str, Sequence[Head]]] = {
        TOP: top,
        RANDOM: {
            task: like(heads_of_task, lm.layers, heads, seed, "ablation", task) for task, heads_of_task in top.items()
        },
    }
    means = [layer.expand(len(test), -1) for layer in neutral]
    changes = [put_in([of_task[e.task] for e in test], means, heads) for of_task in sets.values()]
    ids = prompt_ids(lm.tokenizer, [regular_prompt(episode) for episode in test])
    tokens, intact = patched_answers(lm, ids, changes, answer_tokens, [episode.name for episode in test])
    methods = {INTACT: intact, **dict(zip(sets, tokens.unbind(dim=1), strict=True))}
    tables = [predictions(lm, test, method, answers, prefix_scored) for method, answers in methods.items()]
    return pd.concat(tables, ignore_index=True).assign(heads=min(count, len(next(iter(top.values())))))
