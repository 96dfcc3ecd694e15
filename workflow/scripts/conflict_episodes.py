"""Rule conflict_episodes: pairs of episodes of two tasks on the same query."""

from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import Any

from taskvectors.episodes import disputed, sample_conflict, write_episodes
from taskvectors.loading import load_tokenizer
from taskvectors.progress import reported, track
from taskvectors.tasks import FUNCTION, Task, load_task
from taskvectors.tokens import shared_spelling


def pairs_and_sizes(
    tokenizer: Any, tasks: Mapping[str, Task], conflict: Mapping[str, Any], answer_tokens: int
) -> Iterator[tuple[Task, Task, int]]:
    """The pairs asked for, then every other ordered pair that fits, each side in their shared spelling; and how many episodes."""
    asked = [tuple(pair) for pair in conflict["pairs"]]
    for task_a, task_b in asked:
        side_a, side_b = shared_spelling(tokenizer, tasks[task_a], tasks[task_b], answer_tokens)
        yield side_a.task, side_b.task, conflict["episodes"]
    transfer = conflict["transfer"]
    functions = [name for name, task in tasks.items() if task.kind == FUNCTION] if transfer["episodes"] else []
    for task_a, task_b in permutations(functions, 2):
        if (task_a, task_b) in asked or len(disputed(tasks[task_a], tasks[task_b])) < transfer["shared_inputs"]:
            continue  # before anything is tokenized
        side_a, side_b = shared_spelling(tokenizer, tasks[task_a], tasks[task_b], answer_tokens)
        if len(disputed(side_a.task, side_b.task)) >= transfer["shared_inputs"]:
            yield side_a.task, side_b.task, transfer["episodes"]


def main(
    weights: str,
    entries: Mapping[str, Mapping[str, str]],
    conflict: Mapping[str, Any],
    dummies: int,
    seed: int,
    answer_tokens: int,
    episodes_file: str,
) -> None:
    tasks = {name: load_task(name, entry) for name, entry in entries.items()}
    pairs = list(pairs_and_sizes(load_tokenizer(weights), tasks, conflict, answer_tokens))
    episodes = []
    for task_a, task_b, count in track(pairs, len(pairs), "conflict_episodes", unit="pair"):
        for number in range(count):
            episodes += sample_conflict(
                task_a, task_b, number, demonstrations=conflict["demonstrations"], dummies=dummies, seed=seed
            )
    write_episodes(episodes_file, episodes)


if __name__ == "__main__":
    with reported(snakemake.log[0], "conflict_episodes"):
        main(
            snakemake.input.weights,
            snakemake.params.tasks,
            snakemake.params.conflict,
            snakemake.params.dummies,
            snakemake.params.seed,
            snakemake.params.answer_tokens,
            snakemake.output.episodes,
        )
