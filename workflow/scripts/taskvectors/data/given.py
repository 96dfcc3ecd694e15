"""Ready-made episodes of the user's, in the place of sampled ones."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from taskvectors.data.episodes import BASELINE, SPLITS, Episode, read_episodes
from taskvectors.data.pairs import Pair
from taskvectors.data.prompts import prompt
from taskvectors.data.tasks import LOOKUP, Task
from taskvectors.data.tokens import FITS, LOST, MERGED, TOO_LONG, Filtered, fates
from taskvectors.errors import StudyError


def path_of_given(task: str, settings: Mapping[str, Any]) -> Path:
    """The file of the user's with the episodes of a task."""
    return Path(settings["source"]) / f"{task}.jsonl"


def given(task: Task, settings: Mapping[str, Any], seeds: list[int]) -> list[Episode]:
    """The episodes of a file of the user's, every line checked against the settings that the report states."""
    path = path_of_given(task.name, settings)
    episodes = read_episodes(path, seeds[0])
    seen: dict[tuple[str, str, int, int], int] = {}
    for line, episode in enumerate(episodes, start=1):
        if fault := _fault(task, episode, seeds, settings):
            raise StudyError(f"{path}, line {line}: {fault}")
        first = seen.setdefault(episode.key, line)
        if first != line:
            raise StudyError(f"{path}, line {line}: {_called(episode)} is already in line {first}.")
    held = {(episode.split, episode.seed) for episode in episodes}
    for seed in seeds:
        wanted = {(split, seed) for split in SPLITS}
        if missing := sorted(wanted - held) if seed == seeds[0] or wanted & held else []:
            splits = ", ".join(split for split, _ in missing)
            raise StudyError(
                f"{path}: no episodes of split {splits} at seed {seed}. Add them, or set `episodes: source` to null."
            )
    return episodes


def _called(episode: Episode) -> str:
    return f"{episode.split} episode {episode.episode} of seed {episode.seed}"


def _fault(task: Task, episode: Episode, seeds: list[int], settings: Mapping[str, Any]) -> str:
    """What is wrong with a given episode; empty if nothing is."""
    if episode.task != task.name or episode.split not in SPLITS or episode.seed not in seeds or episode.pair:
        return (
            f"task must be {task.name}, split one of {', '.join(SPLITS)}, seed one of {', '.join(map(str, seeds))} (`study: seeds`) "
            f"and pair null, but they are {episode.task}, {episode.split}, {episode.seed} and {episode.pair or 'null'}."
        )
    if episode.split == BASELINE:
        return ""  # its query alone is used
    expected = {"demonstrations": task.demonstrations or settings["demonstrations"], "dummies": settings["dummies"]}
    for what, count in (("demonstrations", len(episode.demos)), ("dummies", len(episode.dummies))):
        if count != expected[what]:
            return f"{count} {what}, but `episodes: {what}` asks for {expected[what]}. Correct one of the two."
    return _fault_of_inputs(task, episode)


def _fault_of_inputs(task: Task, episode: Episode) -> str:
    """Which inputs of a given episode are repeated, or give the answer away; empty if none."""
    inputs = [given.strip() for given, _ in episode.demos]
    for what, texts in (
        ("input of the demonstrations", inputs),
        ("dummy", [dummy.strip() for dummy in episode.dummies]),
    ):
        if twice := next((text for text in texts if texts.count(text) > 1), None):
            return f"the {what} {twice!r} is there twice. Replace one of the two."
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
        StudyError: naming file and line. A long answer is refused where all of it must be said; by prefix its
            beginning may be right.
    """
    answers = [(prompt((), episode.query), episode.answers[0]) for episode in episodes]
    shown = [(prompt(episode.demos, episode.query), episode.answers[0]) for episode in episodes]
    dummies = [(prompt(episode.demos, dummy), "a") for episode in episodes for dummy in episode.dummies]
    lines = [line for line, episode in enumerate(episodes, start=1) for _ in episode.dummies]
    numbered = range(1, 1 + len(episodes))
    refused = {LOST, MERGED} if by_prefix else {LOST, MERGED, TOO_LONG}
    parts = [(numbered, answers, refused), (numbered, shown, refused), (lines, dummies, {LOST})]
    parts += [(*_demonstrated(episodes), {LOST, MERGED})]
    for places, pairs, faults in parts:
        for line, (text, answer), fate in zip(places, pairs, fates(tokenizer, pairs, answer_tokens), strict=True):
            if fate in faults:
                raise StudyError(f"{path}, line {line}: {MISREAD[fate]} ({text + answer!a}). Replace the episode.")


def _demonstrated(episodes: list[Episode]) -> tuple[list[int], list[tuple[str, str]]]:
    """Lines, and the prompts and answers that are learned from or shuffled: every input of the demonstrations with
    every answer of theirs, and with its own behind the demonstrations before it; each once."""
    lines: dict[tuple[str, str], int] = {}
    for line, episode in enumerate(episodes, start=1):
        for place, (x, _) in enumerate(episode.demos if episode.split != BASELINE else ()):
            for _, y in episode.demos:
                lines.setdefault((prompt((), x), y), line)
            lines.setdefault((prompt(episode.demos[:place], x), episode.demos[place][1]), line)
    return list(lines.values()), list(lines)


def given_filtered(task: Task, episodes: list[Episode]) -> Filtered:
    """Rows of the filter's table for given episodes: their queries, which are all kept."""
    pairs = tuple(dict.fromkeys(Pair(episode.query, episode.answers) for episode in episodes))
    spaced = all(pair.input.startswith(" ") for pair in pairs)
    return Filtered(replace(task, pairs=pairs), spaced, Counter({FITS: len(pairs)}))
