"""Pairs of episodes of two tasks on the same query."""

from collections.abc import Collection, Iterator, Mapping
from itertools import permutations
from typing import Any

from taskvectors.data.episodes import Episode
from taskvectors.data.sampling import TooFewPairsError, disputed, sample_conflict
from taskvectors.data.tasks import FUNCTION, Task, load_task
from taskvectors.data.tokens import shared_spelling
from taskvectors.progress import track, warn


def conflict_episodes(
    tokenizer: Any,
    entries: Mapping[str, Mapping[str, Any]],
    conflict: Mapping[str, Any],
    left: Collection[str],
    dummies: int,
    seed: int,
    answer_tokens: int,
) -> list[Episode]:
    """One of A, one of B, and so on: of the configured pairs, then of every other ordered pair that fits.

    A pair for which the tokenizer leaves too little is left out, with a warning.

    Args:
        entries: of the tasks, as in config/tasks.yaml.
        conflict: of the configuration, with the pairs of this study.
        left: the tasks that are not left out for this model; of others there is no pair.
    """
    tasks = {name: load_task(name, entry) for name, entry in entries.items() if name in left}
    conflict = {**conflict, "pairs": [pair for pair in conflict["pairs"] if set(pair) <= set(tasks)]}
    pairs = list(pairs_and_sizes(tokenizer, tasks, conflict, answer_tokens))
    episodes: list[Episode] = []
    numbers = {"demonstrations": conflict["demonstrations"], "dummies": dummies, "seed": seed}
    for task_a, task_b, count in track(pairs, len(pairs), "conflict_episodes", unit="pair"):
        try:
            drawn = [sample_conflict(task_a, task_b, number, **numbers) for number in range(count)]
        except TooFewPairsError as error:
            sample_conflict(
                tasks[task_a.name], tasks[task_b.name], 0, **numbers
            )  # refused if it is not the tokenizer's doing
            warn(f"left out: {error}")
            continue
        episodes += [side for both in drawn for side in both]
    return episodes


def pairs_and_sizes(
    tokenizer: Any, tasks: Mapping[str, Task], conflict: Mapping[str, Any], answer_tokens: int
) -> Iterator[tuple[Task, Task, int]]:
    """The configured pairs, then every other ordered pair that fits, each side in their shared spelling; and how many
    episodes."""
    wanted = [tuple(pair) for pair in conflict["pairs"]]
    for task_a, task_b in wanted:
        side_a, side_b = shared_spelling(tokenizer, tasks[task_a], tasks[task_b], answer_tokens)
        yield side_a.task, side_b.task, conflict["episodes"]
    transfer = conflict["transfer"]
    functions = [name for name, task in tasks.items() if task.kind == FUNCTION] if transfer["episodes"] else []
    for task_a, task_b in permutations(functions, 2):
        if (task_a, task_b) in wanted or len(disputed(tasks[task_a], tasks[task_b])) < transfer["shared_inputs"]:
            continue  # before anything is tokenized
        side_a, side_b = shared_spelling(tokenizer, tasks[task_a], tasks[task_b], answer_tokens)
        if len(disputed(side_a.task, side_b.task)) >= transfer["shared_inputs"]:
            yield side_a.task, side_b.task, transfer["episodes"]
