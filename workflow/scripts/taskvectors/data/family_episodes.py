"""The episodes of a family of tasks: filtered for one tokenizer, then sampled, or given by the user."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from taskvectors.data.episodes import BASELINE, SPLITS, TEST, Episode
from taskvectors.data.given import check_given, given, given_filtered, path_of_given
from taskvectors.data.guessing import given_queries, guessing, sampled_queries
from taskvectors.data.pairs import load_table, place_of
from taskvectors.data.prompts import prompt
from taskvectors.data.sampling import TooFewPairsError, sample_episode
from taskvectors.data.tasks import Task, load_task, table_of
from taskvectors.data.tokens import LOST, MERGED, TOO_LONG, prompt_ids, short_answers
from taskvectors.errors import StudyError
from taskvectors.names import LIMIT
from taskvectors.progress import track, warn


def family_episodes(
    tokenizer: Any, context: int | None, entries: Mapping[str, Mapping[str, Any]], settings: Mapping[str, Any], seeds: list[int],
    answer_tokens: int,
) -> tuple[list[Episode], pd.DataFrame]:  # fmt: skip
    """Episodes, and of every task what the filter of answer lengths kept: `filter.csv` without the model.

    Args:
        context: tokens that the model reads at most, if it says so.
        entries: of the tasks, as in config/tasks.yaml.
        settings: `episodes` of the configuration.
        seeds: study seeds; the first is the study's own.
    """
    rows, episodes = [], []
    for name, entry in track(entries.items(), len(entries), "episodes"):
        task = load_task(name, entry)
        refuse_long_inputs(tokenizer, context, task, entry)
        if settings["source"]:
            drawn = given(task, settings, seeds)
            check_given(
                tokenizer, path_of_given(name, settings), drawn, task.answer_tokens or answer_tokens, task.by_prefix
            )
            filtered, queries, left_out = given_filtered(task, drawn), given_queries(drawn), ""
        else:
            filtered = short_answers(tokenizer, task, task.answer_tokens or answer_tokens)
            drawn, left_out = sampled_if_enough(task, filtered.task, settings, seeds)
            queries = sampled_queries(filtered.task)
        episodes += drawn
        rows.append(
            {
                "family": task.family,
                "role": task.role,
                "task": name,
                "total": filtered.total,
                "kept": filtered.kept,
                **{fate: filtered.counts[fate] for fate in (TOO_LONG, MERGED, LOST)},
                **as_read(entry),
                "leading_space": filtered.leading_space,
                **guessing(queries, task.by_prefix),
                "left_out": left_out,
            }
        )
        if left_out:
            warn(f"left out: {left_out}")
    return episodes, pd.DataFrame(rows)


def sampled_if_enough(
    task: Task, filtered: Task, settings: Mapping[str, Any], seeds: list[int]
) -> tuple[list[Episode], str]:
    """Episodes; or none, and the reason, of a task that the tokenizer leaves too few pairs of.

    Raises:
        StudyError: if the task itself has too few: with every tokenizer.
    """
    try:
        sample_episode(
            filtered, TEST, 0, **numbers_shown(task, settings), seed=seeds[0]
        )  # so that the reason is of a whole prompt
        return sampled(filtered, settings, seeds), ""
    except TooFewPairsError as error:
        sampled(task, settings, seeds)
        return [], str(error)


def refuse_nothing_left(filtered: pd.DataFrame) -> None:
    """Refuse a model for which every task is left out.

    Args:
        filtered: the whole table `filter.csv`.

    Raises:
        StudyError: with the reason of the first.
    """
    if filtered["left_out"].notna().all():
        raise StudyError(f"{filtered['model'][0]}: no task is left. {filtered['left_out'][0]}")


def as_read(entry: Mapping[str, Any]) -> dict[str, int]:
    """How many rows of a task's table say what others say, and of how many texts outer blanks were dropped."""
    table = load_table(path) if (path := table_of(entry)) else None
    return {"repeated": table.repeated if table else 0, "trimmed": table.trimmed if table else 0}


def sampled(task: Task, settings: Mapping[str, Any], seeds: list[int]) -> list[Episode]:
    """Every split at the first seed, then, as many as `repeats` says, at the others; of limits, at the first alone."""
    shown = numbers_shown(task, settings)
    bare = {"demonstrations": 0, "dummies": 0}
    return [
        sample_episode(task, split, number, **(bare if split == BASELINE else shown), seed=seed)
        for seed in (seeds[:1] if task.role == LIMIT else seeds)
        for split in SPLITS
        for number in range((settings if seed == seeds[0] else settings["repeats"])[split])
    ]


def numbers_shown(task: Task, settings: Mapping[str, Any]) -> dict[str, int]:
    """Demonstrations and dummy queries of a task's dev and test episodes."""
    return {"demonstrations": task.demonstrations or settings["demonstrations"], "dummies": settings["dummies"]}


def refuse_long_inputs(tokenizer: Any, context: int | None, task: Task, entry: Mapping[str, Any]) -> None:
    """Raise StudyError, naming file and line, if an input by itself exceeds the model's context."""
    for pair in task.pairs:
        # No token is shorter than a byte: nearly all inputs need no count.
        if context is None or len(pair.input.encode()) < context:
            continue
        count = len(prompt_ids(tokenizer, [prompt((), pair.input)])[0])
        if count > context:
            table = table_of(entry)
            place = place_of(table, pair.input) if table else None
            where = f"{table}, {place}" if place else f"task {task.name}"
            raise StudyError(
                f"{where}: the input has {count} tokens, but the model reads {context} at most. Shorten it."
            )
