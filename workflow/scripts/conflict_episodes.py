"""Rule conflict_episodes: pairs of episodes of two tasks on the same query."""

from collections.abc import Mapping
from typing import Any

from taskvectors.episodes import sample_conflict, write_episodes
from taskvectors.models import load_tokenizer
from taskvectors.progress import reported, track
from taskvectors.tasks import load_task
from taskvectors.tokens import shared_spelling


def main(
    weights: str,
    entries: Mapping[str, Mapping[str, str]],
    conflict: Mapping[str, Any],
    dummies: int,
    seed: int,
    answer_tokens: int,
    episodes_file: str,
) -> None:
    tokenizer = load_tokenizer(weights)
    tasks = {name: load_task(name, entry) for name, entry in entries.items()}
    episodes = []
    for task_a, task_b in track(conflict["pairs"], len(conflict["pairs"]), "conflict_episodes", unit="pair"):
        both = shared_spelling(tokenizer, tasks[task_a], tasks[task_b], answer_tokens)
        side_a, side_b = (side.task for side in both)
        for number in range(conflict["episodes"]):
            episodes += sample_conflict(
                side_a,
                side_b,
                number,
                demonstrations=conflict["demonstrations"],
                dummies=dummies,
                seed=seed,
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
