"""Rule episodes: filter a family's tasks for one tokenizer, and sample (or read) its episodes."""

from collections import Counter
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
from taskvectors.tasks import LOOKUP, Pair, Task, line_of, load_task
from taskvectors.tokens import KEPT, LOST, MERGED, TOO_LONG, Filtered, fates, prompt_ids, short_answers


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


def path_of_given(task: str, sizes: Mapping[str, Any]) -> Path:
    """The file of the user's with the episodes of a task."""
    return Path(sizes["source"]) / f"{task}.jsonl"


def given(task: Task, sizes: Mapping[str, Any], seeds: list[int]) -> list[Episode]:
    """The episodes of a file of the user's, every line checked against the settings that the report states."""
    path = path_of_given(task.name, sizes)
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
    inputs = [given.strip() for given, _ in episode.demos]
    for what, texts in (
        ("input of the demonstrations", inputs),
        ("dummy", [dummy.strip() for dummy in episode.dummies]),
    ):
        if twice := next((text for text in texts if texts.count(text) > 1), None):
            return f"the {what} {twice!r} stands twice. Replace one of the two."
    if task.kind != LOOKUP and episode.query.strip() in inputs:
        return "the query is among the demonstrations, which give the answer away. Replace it."
    return ""


MISREAD = {
    LOST: "the tokenizer of the model does not give the text back: it has unknown or special tokens, or another spelling",
    MERGED: "the tokenizer of the model joins the answer with the arrow before it",
    TOO_LONG: "the reference answer has more tokens than are compared (`scoring: answer_tokens`)",
}


def check_given(tokenizer: Any, path: Path, episodes: list[Episode], answer_tokens: int, by_prefix: bool) -> None:
    """Refuse given episodes that the tokenizer reads as something else, or whose answer could never be right.

    Raises:
        StudyError: naming file and line. A long answer is refused where all of it must be said; by prefix its beginning may be right.
    """
    answers = [(prompt((), episode.query), episode.answers[0]) for episode in episodes]
    shown = [(prompt(episode.demos, episode.query), episode.answers[0]) for episode in episodes]
    dummies = [(prompt(episode.demos, dummy), "a") for episode in episodes for dummy in episode.dummies]
    lines = [line for line, episode in enumerate(episodes, start=1) for _ in episode.dummies]
    numbered = range(1, 1 + len(episodes))
    refused = {LOST, MERGED} if by_prefix else {LOST, MERGED, TOO_LONG}
    for places, asked, faults in ((numbered, answers, refused), (numbered, shown, refused), (lines, dummies, {LOST})):
        for line, (text, answer), fate in zip(places, asked, fates(tokenizer, asked, answer_tokens), strict=True):
            if fate in faults:
                raise StudyError(f"{path}, line {line}: {MISREAD[fate]} ({text + answer!a}). Replace the episode.")


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


def given_filtered(task: Task, episodes: list[Episode]) -> Filtered:
    """What the table of the filter says of given episodes: their queries, all of which are kept."""
    pairs = tuple(dict.fromkeys(Pair(episode.query, episode.answers) for episode in episodes))
    spaced = all(pair.input.startswith(" ") for pair in pairs)
    return Filtered(replace(task, pairs=pairs), spaced, Counter({KEPT: len(pairs)}))


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
        if sizes["source"]:
            drawn = given(task, sizes, seeds)
            check_given(tokenizer, path_of_given(name, sizes), drawn, answer_tokens, prefix[name])
            filtered = given_filtered(task, drawn)
        else:
            filtered = short_answers(tokenizer, task, answer_tokens)
            drawn = sampled(filtered.task, sizes, seeds)
        episodes += drawn
        rows.append(
            {
                "model": model,
                "family": entry["family"],
                "task": name,
                "total": filtered.total,
                "kept": filtered.kept,
                **{fate: filtered.counts[fate] for fate in (TOO_LONG, MERGED, LOST)},
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
