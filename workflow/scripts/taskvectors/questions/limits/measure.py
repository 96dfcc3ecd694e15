"""Several vectors where one may fail: one θ per arrow (Dong 2026), and θ at two layers, with copies of one as
controls."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from taskvectors.data.episodes import TEST, Episode, answers_by_input, by_task, first_of_tasks
from taskvectors.data.prompts import prompt, unanswered_prompts, zero_shot_prompt
from taskvectors.data.sampling import episode_rng
from taskvectors.data.tokens import Ids, prompt_ids, prompt_ids_of_each
from taskvectors.engine.definition import Change, Intervention
from taskvectors.engine.patch import patched_answers
from taskvectors.engine.read import read_states, read_theta
from taskvectors.measuring.predictions import observed_accuracy
from taskvectors.measuring.vectors import dummies_behind, v0_of
from taskvectors.models.language_model import LanguageModel
from taskvectors.names import THETA
from taskvectors.progress import logger, track
from taskvectors.questions.limits.names import ADDED, COPIES, PER_ARROW, TWO_COPIES, TWO_LAYERS


def several(
    lm: LanguageModel, episodes: list[Episode], choice: pd.DataFrame, settings: Mapping[str, Any],
    prefix_scored: Mapping[str, bool], answer_tokens: Mapping[str, int], seed: int,
) -> pd.DataFrame:  # fmt: skip
    """One row an episode and method: whether the answer is right with these vectors in the demonstrations' place; or
    one a task and method that is left out, with the reason.

    Args:
        episodes: of tasks of limits.
        choice: `layer_choice.csv`.
        settings: `limits` of the configuration.
        prefix_scored, answer_tokens: by task.
        seed: the study seed whose episodes are taken.
    """
    layer = int(choice["common_layer"].iloc[0])
    test = by_task(first_of_tasks(episodes, TEST, seed, settings["episodes"]))
    pools, tables = by_task(episode for episode in episodes if episode.seed == seed), [_nothing()]
    for task, own in track(test.items(), len(test), "limits"):
        queries = {e.key: further_queries(e, pools[task], settings["arrows"], seed) for e in own}
        some = [e for e in own if len(queries[e.key]) == 2 * settings["arrows"]]
        if len(some) < len(own):
            logger.warning("limits: %s: one θ per arrow is left out: too few other inputs", task)
            tables += [_nothing(task, method, "it has too few other inputs") for method in (PER_ARROW, COPIES)]
        else:
            ids, changes = per_arrow(lm, own, [queries[e.key] for e in own], layer)
            tables += _answers(lm, own, ids, changes, prefix_scored, answer_tokens[task])
            if not changes:
                tables += [_nothing(task, method, "the tokenizer joins its lines") for method in (PER_ARROW, COPIES)]
        bare = prompt_ids(lm.tokenizer, [zero_shot_prompt(episode) for episode in own])
        tables += _answers(lm, own, bare, in_bare_query(lm, own, layer), prefix_scored, answer_tokens[task])
    return pd.concat(tables, ignore_index=True)


def further_queries(episode: Episode, pool: Sequence[Episode], arrows: int, seed: int) -> list[str]:
    """Twice as many other inputs of the task, for θ and for the lines of the prompt; fewer if there are no more."""
    used = {text for pair in episode.demos for text in pair}  # a bijection's answer is an input of its other direction
    used |= {episode.query, *episode.answers}
    others = sorted(set(answers_by_input(pool)) - used)
    return episode_rng(seed, "arrows", episode.task, episode.episode).sample(others, min(2 * arrows, len(others)))


def per_arrow(
    lm: LanguageModel, episodes: list[Episode], queries: Sequence[Sequence[str]], layer: int
) -> tuple[list[Ids], dict[str, Change]]:
    """Prompts of queries without answers, the episode's own last, and what is put in at their arrows: states behind
    the episode's demonstrations, each of another query; or as many copies of their mean. Nothing where the tokenizer
    joins lines.

    Args:
        queries: of every episode; the first half is read, the second is shown.
    """
    names, half = [episode.name for episode in episodes], len(queries[0]) // 2
    asked = [[prompt(e.demos, x) for x in own[:half]] for e, own in zip(episodes, queries, strict=True)]
    states = read_states(lm, prompt_ids_of_each(lm.tokenizer, asked), names)[0][:, :, layer].float()
    lines = [unanswered_prompts([*own[half + 1 :], e.query]) for e, own in zip(episodes, queries, strict=True)]
    upto = prompt_ids_of_each(lm.tokenizer, lines)
    ids = [parts[-1] for parts in upto]
    if any(part[:-1] != own[: len(part) - 1] for parts, own in zip(upto, ids, strict=True) for part in parts):
        return ids, {}  # arrows cannot be found
    places = [[len(part) - 1 - len(own) for part in parts] for parts, own in zip(upto, ids, strict=True)]
    positions, copies = torch.tensor(places), states.mean(dim=1, keepdim=True).expand_as(states)
    changes = {name: Intervention(layer, v, positions=positions) for name, v in ((PER_ARROW, states), (COPIES, copies))}
    return ids, dict(changes)


def in_bare_query(lm: LanguageModel, episodes: list[Episode], layer: int) -> dict[str, Change]:
    """What is put into bare queries: θ; what demonstrations add to it, at the common layer; the same at half that
    layer, too, each layer's own or a copy.

    Where one replaces the state at two layers, the upper alone would count: so they are added.
    """
    behind_demos = dummies_behind(lm, episodes, [episode.demos for episode in episodes])
    shown = read_theta(lm, behind_demos, names=[episode.name for episode in episodes])[0]
    added, below = shown - v0_of(lm, episodes), layer // 2
    upper = Intervention(layer, added[:, layer], "add")
    changes: dict[str, Change] = {THETA: Intervention(layer, shown[:, layer]), ADDED: upper}
    if below < layer:
        changes[TWO_LAYERS] = (Intervention(below, added[:, below], "add"), upper)
        changes[TWO_COPIES] = (Intervention(below, _as_long(added[:, layer], added[:, below]), "add"), upper)
    return changes


def _as_long(vectors: Tensor, like: Tensor) -> Tensor:
    """Vectors `[episode, hidden]` of the lengths of others."""
    return torch.nn.functional.normalize(vectors, dim=-1) * like.norm(dim=-1, keepdim=True)


def _answers(
    lm: LanguageModel, episodes: list[Episode], ids: list[Ids], changes: Mapping[str, Change],
    prefix_scored: Mapping[str, bool], answer_tokens: int,
) -> list[pd.DataFrame]:  # fmt: skip
    if not changes:
        return []
    tokens = patched_answers(lm, ids, list(changes.values()), answer_tokens, [e.name for e in episodes])[0]
    tables = []
    for place, name in enumerate(changes):
        table = observed_accuracy(lm, episodes, name, tokens[:, place], prefix_scored)
        tables.append(table[["task", "episode", "subject", "value"]].assign(left_out=None))
    return tables


def _nothing(task: str | None = None, method: str = "", why: str = "") -> pd.DataFrame:
    """No row, or one without numbers, with the reason."""
    columns = ["task", "episode", "subject", "value", "left_out"]
    table = pd.DataFrame([{"task": task, "subject": method, "left_out": why}] if task else [], columns=columns)
    return table.astype({"episode": "Int64", "value": "Float64", "task": object, "subject": object, "left_out": object})
