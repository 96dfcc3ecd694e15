"""Rule sweep_layers: patch θ_L into zero-shot prompts, at every layer L, on dev and on test episodes; and no patch."""

from collections.abc import Mapping
from itertools import chain
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from taskvectors.engine import sweep_layers
from taskvectors.episodes import Episode, read_episodes
from taskvectors.loading import load_model, made_by
from taskvectors.models import LanguageModel
from taskvectors.predictions import by_task_and_split, predictions
from taskvectors.progress import reported, track
from taskvectors.prompts import zero_shot_prompt
from taskvectors.stamps import Stamp
from taskvectors.tables import write_parquet
from taskvectors.theta_tensors import theta_tensors
from taskvectors.tokens import prompt_ids


def main(
    lm: LanguageModel,
    episodes: list[Episode],
    theta: dict[str, Tensor],
    prefix: Mapping[str, bool],
    answer_tokens: int,
    predictions_file: Path,
    made: Stamp,
) -> None:
    tasks = by_task_and_split(episode for episode in episodes if not episode.split.startswith("baseline"))
    tables = []
    for task, splits in track(tasks.items(), len(tasks), "sweep_layers"):
        patched = list(chain.from_iterable(splits.values()))
        ids = prompt_ids(lm.tokenizer, [zero_shot_prompt(episode) for episode in patched])
        thetas = torch.cat([theta[f"{task}/{split}"] for split in splits])
        tokens, unpatched = sweep_layers(lm, ids, thetas, answer_tokens, [episode.name for episode in patched])
        tables.append(predictions(lm, patched, "hypothesis", tokens, prefix[task]))
        tables.append(predictions(lm, patched, "zero_shot", unpatched, prefix[task]))
    write_parquet(predictions_file, pd.concat(tables, ignore_index=True), made)


if __name__ == "__main__":
    with reported(snakemake.log[0], "sweep_layers"):
        torch.set_num_threads(snakemake.threads)
        lm = load_model(snakemake.input.weights, snakemake.params.dtype, snakemake.params.device)
        made = made_by(lm, "sweep_layers", snakemake.input.weights, snakemake.input.library)
        main(
            lm,
            read_episodes(snakemake.input.episodes),
            theta_tensors([snakemake.input.theta], made),
            snakemake.params.prefix,
            snakemake.params.answer_tokens,
            Path(snakemake.output.predictions),
            made,
        )
