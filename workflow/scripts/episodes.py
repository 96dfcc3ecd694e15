"""Rule episodes: filter a family's tasks for one tokenizer, and sample (or read) its episodes."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from taskvectors.episodes import AT_SEED, SPLITS, Episode, read_episodes, sample_episode, write_episodes
from taskvectors.errors import StudyError
from taskvectors.guessing import MARKED_FROM, Queries, best_constant, given_queries, sampled_queries
from taskvectors.loading import load_config, load_tokenizer
from taskvectors.models import context_length
from taskvectors.progress import reported, track
from taskvectors.prompts import prompt
from taskvectors.tables import LIMITS, write_csv
from taskvectors.tasks import LOOKUP, Task, line_of, load_task
from taskvectors.tokens import LOST, MERGED, TOO_LONG, prompt_ids, short_answers


def sampled(task: Task, sizes: Mapping[str, Any], seeds: list[int]) -> list[Episode]:
    """Every split at the first seed, then, in the sizes of repeats, at the others; of limits, at the first alone."""
    seeds = seeds[:1] if task.family == LIMITS else seeds
    shown = {"demonstrations": sizes["demonstrations"], "dummies": sizes["dummies"]}
    bare = {"demonstrations": 0, "dummies": 0}
    return [
        replace(
            sample_episode(task, split, number, **(bare if split == "baseline" else shown), seed=seed),
            split=split if seed == seeds[0] else f"{split}{AT_SEED}{seed}",
        )
        for seed in seeds
        for split in SPLITS
        for number in range((sizes if seed == seeds[0] else sizes["repeats"])[split])
    ]


def given(task: Task, sizes: Mapping[str, Any], seeds: list[int]) -> list[Episode]:
    """The episodes of a file of the user's, every line checked against the settings that the report states."""
    path = Path(sizes["source"]) / f"{task.name}.jsonl"
    episodes = read_episodes(path)
    splits = {split: split for split in SPLITS}
    splits |= {f"{split}{AT_SEED}{seed}": split for seed in seeds[1:] for split in SPLITS}
    seen: dict[tuple[str, int], int] = {}
    for line, episode in enumerate(episodes, start=1):
        if fault := _fault(task, episode, splits, sizes):
            raise StudyError(f"{path}, line {line}: {fault}")
        first = seen.setdefault((episode.split, episode.episode), line)
        if first != line:
            raise StudyError(
                f"{path}, line {line}: {episode.split} episode {episode.episode} stands already in line {first}."
            )
    held = {episode.split for episode in episodes}
    for at in ("", *(f"{AT_SEED}{seed}" for seed in seeds[1:])):
        wanted = {f"{split}{at}" for split in SPLITS}
        if missing := wanted - held if not at or wanted & held else ():
            raise StudyError(
                f"{path}: no episodes of split {', '.join(sorted(missing))}. Add them, or set `episodes: source` to null."
            )
    return episodes


def _fault(task: Task, episode: Episode, splits: Mapping[str, str], sizes: Mapping[str, Any]) -> str:
    """What is wrong with a given episode; empty if nothing is."""
    if episode.task != task.name or episode.split not in splits:
        return (
            f"task must be {task.name} and split one of {', '.join(splits)} (see `study: seeds`), but they are "
            f"{episode.task} and {episode.split}."
        )
    if splits[episode.split] == "baseline":
        return ""  # its query alone is used
    for what, count in (("demonstrations", len(episode.demos)), ("dummies", len(episode.dummies))):
        if count != sizes[what]:
            return f"{count} {what}, but `episodes: {what}` asks for {sizes[what]}. Correct one of the two."
    if task.kind != LOOKUP and episode.query.strip() in {given.strip() for given, _ in episode.demos}:
        return "the query is among the demonstrations, which give the answer away. Replace it."
    return ""


def refuse_long_inputs(tokenizer: Any, context: int | None, task: Task, entry: Mapping[str, Any]) -> None:
    """Raise StudyError, naming file and line, if an input by itself exceeds the model's context."""
    for pair in task.pairs:
        # No token is shorter than a byte: nearly all inputs need no count.
        if context is None or len(pair.input.encode()) < context:
            continue
        count = len(prompt_ids(tokenizer, [prompt((), pair.input)])[0])
        if count > context:
            table = next((entry[key] for key in ("table", "lookup", "classes") if key in entry), None)
            where = f"{table}, line {line_of(table, pair.input)}" if table else f"task {task.name}"
            raise StudyError(
                f"{where}: the input has {count} tokens, but the model reads {context} at most. Shorten it."
            )


def guessing(queries: Queries, prefix: bool) -> dict[str, Any]:
    """The best constant answers, exact and by prefix, their shares, and whether that of the task's own score is too large."""
    found: dict[str, Any] = {}
    for name, by_prefix in (("constant", False), ("constant_prefix", True)):
        found[name], found[f"{name}_share"] = best_constant(queries, prefix=by_prefix)
    share = found["constant_prefix_share" if prefix else "constant_share"]
    return found | {"guessable": share > MARKED_FROM}


def main(
    model: str,
    weights: str,
    entries: Mapping[str, Mapping[str, str]],
    sizes: Mapping[str, Any],
    seeds: list[int],
    answer_tokens: int,
    prefix: Mapping[str, bool],
    episodes_file: str,
    filter_file: str,
) -> None:
    tokenizer, context = load_tokenizer(weights), context_length(load_config(weights))
    rows, episodes = [], []
    for name, entry in track(entries.items(), len(entries), "episodes"):
        task = load_task(name, entry)
        refuse_long_inputs(tokenizer, context, task, entry)
        filtered = short_answers(tokenizer, task, answer_tokens)
        counts = filtered.counts
        drawn = given(task, sizes, seeds) if sizes["source"] else sampled(filtered.task, sizes, seeds)
        episodes += drawn
        rows.append(
            {
                "model": model,
                "family": entry["family"],
                "task": name,
                "total": filtered.total,
                "kept": filtered.kept,
                **{fate: counts[fate] for fate in (TOO_LONG, MERGED, LOST)},
                "leading_space": filtered.leading_space,
                **guessing(given_queries(drawn) if sizes["source"] else sampled_queries(filtered.task), prefix[name]),
            }
        )
    write_csv(filter_file, pd.DataFrame(rows))
    write_episodes(episodes_file, episodes)


if __name__ == "__main__":
    with reported(snakemake.log[0], "episodes"):
        main(
            snakemake.wildcards.model,
            snakemake.input.weights,
            snakemake.params.tasks,
            snakemake.params.sizes,
            snakemake.params.seeds,
            snakemake.params.answer_tokens,
            snakemake.params.prefix,
            snakemake.output.episodes,
            snakemake.output.filtered,
        )
