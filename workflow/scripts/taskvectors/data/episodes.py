"""Episodes: the unit of data, one JSON line each, the same for every stage.

An episode holds demonstrations, a query with its accepted answers, and the dummy queries x' under which θ is computed.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path

from taskvectors.data.prompts import begins_a_demonstration
from taskvectors.data.text import each_key_once, normal_form, read_user_text, unseen
from taskvectors.errors import StudyError
from taskvectors.store.files import write_text

BASELINE, DEV, TEST = "baseline", "dev", "test"
SPLITS = (BASELINE, DEV, TEST)
CONFLICT = "conflict"  # the split of an episode of a conflicting pair


@dataclass(frozen=True)
class Episode:
    """Demonstrations, a query and dummy queries: what prompts are made from.

    Attributes:
        split: `baseline`, `dev` or `test`; for a pair of tasks `conflict`.
        seed: the study seed it was sampled with.
        pair: for a pair of tasks, that of the prompt and that of θ; else None.
    """

    task: str
    split: str
    seed: int
    episode: int
    demos: tuple[tuple[str, str], ...]
    query: str
    answers: tuple[str, ...]
    dummies: tuple[str, ...]
    pair: tuple[str, str] | None = None

    @property
    def name(self) -> str:
        """Its name in error messages."""
        pair = f" of {' and '.join(self.pair)}" if self.pair else ""
        return f"task {self.task}, {self.split} episode {self.episode}{pair}, seed {self.seed}"

    @property
    def shown(self) -> set[str]:
        """Inputs in the prompts that its θ is read from."""
        return {*(x for x, _ in self.demos), *self.dummies}

    @property
    def key(self) -> tuple[str, str, int, int]:
        """Its key in files of θ: task, split, seed, episode."""
        return (self.task, self.split, self.seed, self.episode)


def write_episodes(path: str | Path, episodes: Iterable[Episode]) -> None:
    """Write one JSON object a line, atomically."""
    lines = (json.dumps(asdict(episode), ensure_ascii=False) for episode in episodes)
    write_text(path, "".join(f"{line}\n" for line in lines))


def read_episodes(path: str | Path, first_seed: int = 0) -> list[Episode]:
    """Read episodes and check every line; their text comes in normal form (`taskvectors.data.text`).

    Args:
        first_seed: of episodes that say none.

    Lines end with LF or CR LF alone: other characters that some programs take for line ends may be inside a string.

    Raises:
        StudyError: naming file, line and fault.
    """
    text = read_user_text(path, "Correct `episodes: source` or set it to null.")
    lines = text.rstrip().split("\n") if text.strip() else []  # blank lines at the end are none
    return [_parse(line, f"{path}, line {number}", first_seed) for number, line in enumerate(lines, start=1)]


MOST_SEEDS = 2**32
MOST_EPISODES = 10**9  # far beyond any study, and within every table's whole numbers


OPTIONAL = ("seed", "pair")


def _parse(line: str, where: str, first_seed: int) -> Episode:
    try:
        record = json.loads(line, object_pairs_hook=lambda pairs: each_key_once(pairs, where))
    except (ValueError, RecursionError) as error:  # JSONDecodeError; numbers of thousands of digits
        raise StudyError(f"{where}: not JSON ({error}).") from None
    names = {field.name for field in fields(Episode)}
    if not isinstance(record, dict) or not names - set(OPTIONAL) <= set(record) <= names:
        needed = ", ".join(sorted(names - set(OPTIONAL)))
        raise StudyError(
            f"{where}: an episode is an object with the keys {needed}, and maybe {' and '.join(OPTIONAL)}."
        )
    if not all(isinstance(record[key], str) and record[key] for key in ("task", "split", "query")):
        raise StudyError(f"{where}: task, split and query must be strings that are not empty.")
    seed = record.get("seed", first_seed)
    if type(seed) is not int or not 0 <= seed < MOST_SEEDS:
        raise StudyError(f"{where}: seed must be a whole number from 0 on, below 2³².")
    pair = record.get("pair")
    if pair is not None and not (
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(name, str) for name in pair)
    ):
        raise StudyError(f"{where}: pair must be null or two names of tasks.")
    if type(record["episode"]) is not int or not 0 <= record["episode"] < MOST_EPISODES:
        raise StudyError(f"{where}: episode must be a whole number from 0 on.")
    for key in ("answers", "dummies"):
        if not isinstance(record[key], list) or not all(isinstance(cell, str) and cell for cell in record[key]):
            raise StudyError(f"{where}: {key} must be a list of strings that are not empty.")
    if not record["answers"]:
        raise StudyError(f"{where}: answers is empty; answers[0] is the reference.")
    demos = record["demos"]
    if not isinstance(demos, list) or not all(
        isinstance(demo, list) and len(demo) == 2 and all(isinstance(cell, str) and cell for cell in demo)
        for demo in demos
    ):
        raise StudyError(f"{where}: demos must be a list of [input, output] pairs of strings.")
    read, answer = partial(_checked_text, where), partial(_checked_text, where, lines=False)
    episode = Episode(
        task=record["task"],
        split=record["split"],
        seed=seed,
        episode=record["episode"],
        demos=tuple((read("demos", demo[0]), answer("demos", demo[1])) for demo in demos),
        query=read("query", record["query"]),
        answers=tuple(answer("answers", text) for text in record["answers"]),
        dummies=tuple(read("dummies", dummy) for dummy in record["dummies"]),
        pair=tuple(pair) if pair else None,
    )
    # Outer spaces aside: a model answers " sky" as it does "sky".
    shown = {text.strip() for text in (episode.query, *(given for given, _ in episode.demos))}
    if shown & {dummy.strip() for dummy in episode.dummies}:
        raise StudyError(f"{where}: a dummy is the query or a demonstration; θ would know the answer. Replace it.")
    return episode


def _checked_text(where: str, key: str, text: str, lines: bool = True) -> str:
    """A string that a prompt is made of, in normal form; an input may have several lines."""
    text = normal_form(text)
    if not text.strip():
        raise StudyError(f"{where}: {key}: {text!a} is nothing but space. Correct it.")
    if begins_a_demonstration(text):
        raise StudyError(f"{where}: {key}: {text!a} has a line that begins as a demonstration does. Change it.")
    if bad := unseen(text.replace("\t", " ").replace("\n", " ") if lines else text.replace("\t", " ")):
        raise StudyError(f"{where}: {key}: {text!a} holds {bad}, which cannot be seen. Remove it.")
    return text


def by_task(episodes: Iterable[Episode]) -> dict[str, list[Episode]]:
    """Episodes of each task, in the order of their first appearance."""
    tasks: dict[str, list[Episode]] = {}
    for episode in episodes:
        tasks.setdefault(episode.task, []).append(episode)
    return tasks


def first_of_tasks(episodes: Iterable[Episode], split: str, seed: int, count: int) -> list[Episode]:
    """The first episodes of every task in a split of a study seed, so many each."""
    tasks = by_task(episode for episode in episodes if (episode.split, episode.seed) == (split, seed))
    return [episode for of_task in tasks.values() for episode in of_task[:count]]


def answers_by_input(episodes: Iterable[Episode]) -> dict[str, tuple[str, ...]]:
    """The accepted answers of every input that these episodes of a task ask about or show; the first of each is the
    one shown."""
    answers: dict[str, dict[str, None]] = {}
    for episode in episodes:
        for given, accepted in ((episode.query, episode.answers), *((x, (y,)) for x, y in episode.demos)):
            answers.setdefault(given, {}).update(dict.fromkeys(accepted))
    return {given: tuple(accepted) for given, accepted in answers.items()}


def not_showing(episode: Episode, among: Sequence[Episode]) -> list[int]:
    """Places of the other episodes that do not show the query of this one."""
    return [i for i, other in enumerate(among) if other.key != episode.key and episode.query not in other.shown]
