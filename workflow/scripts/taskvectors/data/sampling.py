"""Drawing episodes: demonstrations, a query and dummy queries, from a seed and a name alone."""

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import replace

from taskvectors.data.episodes import CONFLICT, Episode
from taskvectors.data.pairs import Pair
from taskvectors.data.tasks import BIJECTION, FUNCTION, LABELS, LOOKUP, Task
from taskvectors.errors import StudyError
from taskvectors.names import FEW_ANSWERS


class TooFewPairsError(StudyError):
    """A task has too few pairs, or labels, for an episode: in its table, or after a tokenizer's filter."""


def episode_rng(seed: int, *names: str | int) -> random.Random:
    """A generator whose stream depends on `seed` and `names` alone: not on other episodes, order or process."""
    key = json.dumps([seed, *names]).encode()
    return random.Random(int.from_bytes(hashlib.sha256(key).digest()[:8], "big"))


def sample_episode(task: Task, split: str, episode: int, *, demonstrations: int, dummies: int, seed: int) -> Episode:
    """Draw demonstrations, query and dummies with different inputs (paper, section 3.1).

    Of a task with at most `FEW_ANSWERS` answers, each of these has every answer with the same probability. Tasks whose
    rule is drawn anew in every episode differ in this: a lookup's query is among its demonstrations.

    Raises:
        TooFewPairsError: if the task has too few pairs, or too few labels.
    """
    rng = episode_rng(seed, task.name, split, episode)
    query, demos, others = DRAWS[task.kind](rng, task, demonstrations, dummies)
    return _episode(task, split, seed, episode, query, demos, others)


Drawn = tuple[Pair, list[Pair], list[Pair]]  # query, demonstrations, dummies


def _draw_function(rng: random.Random, task: Task, demonstrations: int, dummies: int) -> Drawn:
    needed = demonstrations + dummies + 1
    _refuse_if_too_few(task, len(task.pairs), needed)
    drawn = draw_pairs(rng, task, needed)
    return drawn[0], drawn[1 : 1 + demonstrations], drawn[1 + demonstrations :]


def evenly(task: Task) -> bool:
    """Whether pairs are drawn evenly over their answers."""
    return task.kind == FUNCTION and 1 < len(task.by_answer) <= FEW_ANSWERS


def draw_pairs(rng: random.Random, task: Task, count: int) -> list[Pair]:
    """Different pairs; with few answers, each pair has one of the answers that still have pairs, drawn evenly."""
    if not evenly(task):
        return rng.sample(task.pairs, count)
    left = [rng.sample(pairs, min(count, len(pairs))) for pairs in task.by_answer.values()]
    drawn: list[Pair] = []
    while len(drawn) < count:
        pairs = rng.choice([pairs for pairs in left if pairs])
        drawn.append(pairs.pop())
    return drawn


def _draw_bijection(rng: random.Random, task: Task, demonstrations: int, dummies: int) -> Drawn:
    """Each pair in a direction of its own; no pair occurs twice, so that no demonstration gives the answer away."""
    query, demos, others = _draw_function(rng, task, demonstrations, dummies)
    turned = [Pair(p.answers[0], p.backward) if rng.random() < 0.5 else p for p in (query, *demos, *others)]
    return turned[0], turned[1 : 1 + demonstrations], turned[1 + demonstrations :]


def _draw_lookup(rng: random.Random, task: Task, demonstrations: int, dummies: int) -> Drawn:
    """Outputs dealt anew to inputs; the query is one of the demonstrated inputs, the dummies are not."""
    shown = max(demonstrations, 1)
    _refuse_if_too_few(task, len(task.pairs), shown + dummies)
    inputs = [pair.input for pair in rng.sample(task.pairs, shown + dummies)]
    outputs = [pair.answers for pair in rng.sample(task.pairs, shown + dummies)]
    dealt = [Pair(*both) for both in zip(inputs, outputs, strict=True)]
    return rng.choice(dealt[:shown]), dealt[:demonstrations], dealt[shown:]


def _draw_labels(rng: random.Random, task: Task, demonstrations: int, dummies: int) -> Drawn:
    """New labels for the classes; every class is demonstrated, if there are demonstrations at all."""
    classes = list(dict.fromkeys(pair.answers[0] for pair in task.pairs))
    if len(task.labels) < len(classes):
        raise TooFewPairsError(
            f"task {task.name}: {len(classes)} classes need as many labels, but only {len(task.labels)} of the entry's `labels` "
            "are short enough for this tokenizer (`scoring: answer_tokens`). Add labels in config/tasks.yaml."
        )
    if 0 < demonstrations < len(classes):
        raise StudyError(
            f"task {task.name}: {demonstrations} demonstrations cannot show the labels of {len(classes)} classes; it takes "
            f"{len(classes)} (`episodes: demonstrations`). Raise the number, or leave the task out."
        )
    needed = demonstrations + dummies + 1
    _refuse_if_too_few(task, len(task.pairs), needed)
    label = dict(zip(classes, rng.sample(task.labels, len(classes)), strict=True))
    pairs = rng.sample(task.pairs, len(task.pairs))
    # One of each class first, then any.
    firsts = [next(pair for pair in pairs if pair.answers[0] == name) for name in rng.sample(classes, len(classes))]
    demos = firsts[:demonstrations]
    rest = [pair for pair in pairs if pair not in demos]
    demos += rest[: demonstrations - len(demos)]
    rest = [pair for pair in rest if pair not in demos]
    rng.shuffle(demos)
    labelled = [Pair(pair.input, (label[pair.answers[0]],)) for pair in (rest[0], *demos, *rest[1 : 1 + dummies])]
    return labelled[0], labelled[1 : 1 + demonstrations], labelled[1 + demonstrations :]


def shuffled_answers(pairs: Sequence[tuple[str, str]], seed: int, *names: str | int) -> list[tuple[str, str]]:
    """The same inputs, each with the answer of another pair, which may be the same answer; a single pair keeps its
    own."""
    order = list(range(len(pairs)))
    episode_rng(seed, "shuffled answers", *names).shuffle(order)
    answer_of = dict(zip(order, [*order[1:], *order[:1]], strict=True))
    return [(x, pairs[answer_of[place]][1]) for place, (x, _) in enumerate(pairs)]


DRAWS = {FUNCTION: _draw_function, BIJECTION: _draw_bijection, LOOKUP: _draw_lookup, LABELS: _draw_labels}


def disputed(task_a: Task, task_b: Task) -> list[Pair]:
    """The pairs of A whose input is one of B's, too, with another answer."""
    answers_b = {pair.input: set(pair.answers) for pair in task_b.pairs}
    return [pair for pair in task_a.pairs if not set(pair.answers) & answers_b.get(pair.input, set(pair.answers))]


def sample_conflict(
    task_a: Task, task_b: Task, episode: int, *, demonstrations: int, dummies: int, seed: int
) -> tuple[Episode, Episode]:
    """Draw an episode of A and one of B on the same query (paper, section 4.2).

    The query is an input of both tasks on which they disagree; it is neither among B's demonstrations nor its dummies.

    Raises:
        StudyError: if the tasks share no such input, or one of them has too few pairs.
    """
    called = f"{task_a.name}>{task_b.name}"  # part of the hash: another word would draw other episodes
    for task in (task_a, task_b):
        if task.kind != FUNCTION:
            raise StudyError(
                f"conflict {called}: {task.name} has no fixed answer to an input. Remove the pair from `conflict: pairs`."
            )
    shared = disputed(task_a, task_b)
    if not shared:
        raise TooFewPairsError(
            f"conflict {called}: the tasks share no input with different answers. Remove the pair from `conflict: pairs`."
        )
    rng = episode_rng(seed, called, episode)
    (query,) = draw_pairs(rng, replace(task_a, pairs=tuple(shared)), 1)
    sides = []
    for task, pair in ((task_a, query), (task_b, next(p for p in task_b.pairs if p.input == query.input))):
        others = replace(task, pairs=tuple(other for other in task.pairs if other.input != query.input))
        _refuse_if_too_few(task, len(others.pairs), demonstrations + dummies)
        drawn = draw_pairs(rng, others, demonstrations + dummies)
        side = _episode(task, CONFLICT, seed, episode, pair, drawn[:demonstrations], drawn[demonstrations:])
        sides.append(replace(side, pair=(task_a.name, task_b.name)))
    return sides[0], sides[1]


def _refuse_if_too_few(task: Task, have: int, needed: int) -> None:
    if have < needed:
        raise TooFewPairsError(
            f"task {task.name}: an episode needs {needed} different inputs, but only {have} pairs have an answer "
            "short enough for this tokenizer (`scoring: answer_tokens`). Add pairs to the table, ask for fewer demonstrations, "
            "or leave the task out."
        )


def _episode(
    task: Task, split: str, seed: int, number: int, query: Pair, demos: list[Pair], dummies: list[Pair]
) -> Episode:
    return Episode(
        task=task.name,
        split=split,
        seed=seed,
        episode=number,
        demos=tuple((demo.input, demo.answers[0]) for demo in demos),
        query=query.input,
        answers=query.answers,
        dummies=tuple(dummy.input for dummy in dummies),
    )
