"""Rule sweep_conflict: prompts of task A, demonstrations kept, patched with θ of task B at every layer."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from taskvectors.engine import mean_theta, read_states, sweep_layers
from taskvectors.episodes import Episode, read_episodes
from taskvectors.models import LanguageModel, load_model
from taskvectors.predictions import by_task_and_split, words_by_layer
from taskvectors.progress import reported, track
from taskvectors.prompts import dummy_prompts, regular_prompt
from taskvectors.scoring import is_correct
from taskvectors.tables import write_parquet
from taskvectors.tokens import prompt_ids


def conflict_answers(
    lm: LanguageModel, side_a: list[Episode], side_b: list[Episode], answer_tokens: int
) -> tuple[Tensor, Tensor]:
    """Answers to A's prompts as they are `[episode, token]`, and with θ of B patched in `[episode, layer, token]`."""
    dummies = [prompt_ids(lm.tokenizer, dummy_prompts(episode)) for episode in side_b]
    states, _ = read_states(lm, dummies, [episode.name for episode in side_b])
    theta = mean_theta(states)
    prompts = prompt_ids(lm.tokenizer, [regular_prompt(episode) for episode in side_a])
    patched, regular = sweep_layers(lm, prompts, theta, answer_tokens, [episode.name for episode in side_a])
    return regular, patched


def score(
    lm: LanguageModel, side_a: list[Episode], side_b: list[Episode], tokens: Tensor, prefix: Mapping[str, bool]
) -> pd.DataFrame:
    """One row an episode and layer (none for the prompt as it is), scored for A and for B."""
    rows = []
    for (a, b), layer, word in words_by_layer(lm, list(zip(side_a, side_b, strict=True)), tokens):
        correct_a = is_correct(word, a.answers, prefix=prefix[a.task])
        correct_b = is_correct(word, b.answers, prefix=prefix[b.task])
        rows.append((a.task, b.task, a.episode, layer, word, a.answers[0], b.answers[0], correct_a, correct_b))
    columns = ["task_a", "task_b", "episode", "layer", "predicted", "answer_a", "answer_b", "correct_a", "correct_b"]
    return pd.DataFrame(rows, columns=columns).astype({"layer": "Int64"})


def main(
    lm: LanguageModel, episodes: list[Episode], prefix: Mapping[str, bool], answer_tokens: int, predictions_file: Path
) -> None:
    groups = by_task_and_split(episodes)
    pairs = list(dict.fromkeys(episode.split for episode in episodes))
    tables = []
    for pair in track(pairs, len(pairs), "sweep_conflict", unit="pair"):
        side_a, side_b = (groups[task][pair] for task in pair.split(">"))
        regular, patched = conflict_answers(lm, side_a, side_b, answer_tokens)
        tables += [score(lm, side_a, side_b, tokens, prefix) for tokens in (regular, patched)]
    write_parquet(predictions_file, pd.concat(tables, ignore_index=True))


if __name__ == "__main__":
    with reported(snakemake.log[0], "sweep_conflict"):
        torch.set_num_threads(snakemake.threads)
        main(
            load_model(snakemake.input.weights, snakemake.params.dtype, snakemake.params.device),
            read_episodes(snakemake.input.episodes),
            snakemake.params.prefix,
            snakemake.params.answer_tokens,
            Path(snakemake.output.predictions),
        )
