"""Rule decode_theta: the tokens that the mean θ of each task points to, at every layer (paper, section 5.2, tables 3 and 7)."""

import re
from collections.abc import Mapping

import pandas as pd
import torch
from torch import Tensor

from taskvectors.decoding import filtered_ranks, ranks, task_words
from taskvectors.engine import unembed
from taskvectors.episodes import Episode, read_episodes
from taskvectors.errors import StudyError
from taskvectors.loading import load_model, made_by
from taskvectors.models import LanguageModel
from taskvectors.progress import reported, track
from taskvectors.prompts import zero_shot_prompt
from taskvectors.tables import main_tasks, read_csv, write_csv
from taskvectors.theta_tensors import theta_tensors
from taskvectors.tokens import Tokenizer, answer_ids, decode

Words = Mapping[str, list[int]]


def top_tokens(lm: LanguageModel, logits: Tensor, top: int) -> pd.DataFrame:
    """The `top` tokens of highest logit `[layer, vocabulary]`: layer, rank, filtered_rank, token, logit."""
    best = logits.topk(min(top, logits.shape[-1]), dim=-1)
    tables = []
    for layer, (ids, values) in enumerate(zip(best.indices.tolist(), best.values.tolist(), strict=True)):
        words = decode(lm.tokenizer, ids)
        table = {"layer": layer, "rank": range(1, len(ids) + 1), "filtered_rank": filtered_ranks(words)}
        tables.append(pd.DataFrame(table | {"token": words, "logit": values}))
    return pd.concat(tables, ignore_index=True).astype({"filtered_rank": "Int64"})


def answer_and_name_ranks(logits: Tensor, mine: list[int], others: list[int], names: Words) -> pd.DataFrame:
    """Where the task's own answers, other tasks' answers and the words of its name stand among all tokens, by layer."""
    rows = []
    for layer, its in enumerate(logits):
        own, foreign = ranks(its, mine), ranks(its, others)
        named = {word: ranks(its, ids).min().item() for word, ids in names.items() if ids}
        word = min(named, key=named.__getitem__) if named else None
        rows.append(
            {
                "layer": layer,
                "vocabulary": len(its),
                "answers": len(mine),
                "answer_rank_best": own.min().item(),
                "answer_rank_median": own.median().item(),
                "other_answer_rank_median": foreign.median().item() if others else None,
                "name_word": word,
                "name_rank": named[word] if word else None,
            }
        )
    integers = ["other_answer_rank_median", "name_rank"]
    return pd.DataFrame(rows).astype(dict.fromkeys(integers, "Int64"))


def first_tokens(tokenizer: Tokenizer, episodes: list[Episode]) -> dict[str, list[int]]:
    """By task, the first token of each answer in its place, behind the arrow of its query.

    Raises:
        StudyError: if the tokenizer joins every answer of a task with the arrow.
    """
    found: dict[str, dict[int, None]] = {episode.task: {} for episode in episodes}
    ids = answer_ids(tokenizer, list(map(zero_shot_prompt, episodes)), [episode.answers[0] for episode in episodes])
    for episode, tokens in zip(episodes, ids, strict=True):
        found[episode.task] |= dict.fromkeys(tokens[:1])
    for task, tokens in found.items():
        if not tokens:
            raise StudyError(f"task {task}: the tokenizer joins every answer with the arrow. Leave the task out.")
    return {task: list(tokens) for task, tokens in found.items()}


def main(
    model: str, lm: LanguageModel, theta: dict[str, Tensor], choice: pd.DataFrame, answers: Words,
    labels: Mapping[str, str], top: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """The tables `decoded_tokens.csv` and `decoded_ranks.csv`. `answers`: by task, the first token of each answer."""
    tokens, places = [], []
    for row in track(choice.itertuples(), len(choice), "decode_theta"):
        logits = unembed(lm, theta[f"{row.task}/test"].float().mean(dim=0)).float()
        mine = answers[row.task]
        others = sorted({token for task in answers for token in answers[task]} - set(mine))
        names = task_words(lm.tokenizer, re.sub(r"\(.*?\)", "", labels[row.task]))
        for tables, table in (
            (tokens, top_tokens(lm, logits, top)),
            (places, answer_and_name_ranks(logits, mine, others, names)),
        ):
            head = {"model": model, "family": row.family, "task": row.task}
            tables.append(pd.DataFrame(head, index=table.index).join(table))
    return pd.concat(tokens, ignore_index=True), pd.concat(places, ignore_index=True)


if __name__ == "__main__":
    with reported(snakemake.log[0], "decode_theta"):
        torch.set_num_threads(snakemake.threads)
        lm = load_model(snakemake.input.weights, snakemake.params.dtype, snakemake.params.device)
        made = made_by(lm, "decode_theta", snakemake.input.weights, snakemake.input.library)
        thetas = theta_tensors(snakemake.input.theta, made)
        episodes = [episode for path in snakemake.input.episodes for episode in read_episodes(path)]
        decoded, standing = main(
            snakemake.wildcards.model,
            lm,
            thetas,
            main_tasks(read_csv(snakemake.input.choice)),
            first_tokens(lm.tokenizer, episodes),
            snakemake.params.labels,
            snakemake.params.top,
        )
        write_csv(snakemake.output.tokens, decoded)
        write_csv(snakemake.output.ranks, standing)
