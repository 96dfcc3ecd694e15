"""From strings to token ids and back, and the filter by answer length (paper, appendix A.1)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any, Protocol

from taskvectors.tasks import BIJECTION, LABELS, Pair, Task

PORTION = 10_000  # texts tokenized at once


class Tokenizer(Protocol):
    """What we need of a Hugging Face tokenizer."""

    def __call__(self, text: list[str], *, add_special_tokens: bool) -> dict[str, list[list[int]]]: ...


@dataclass(frozen=True)
class Filtered:
    """A task as one tokenizer sees it: pairs whose reference answer is short enough."""

    task: Task
    total: int
    leading_space: bool

    @property
    def kept(self) -> int:
        return len(self.task.pairs)


def prompt_ids(tokenizer: Tokenizer, prompts: list[str]) -> list[list[int]]:
    """Token ids of whole prompts, with the special tokens (BOS) the tokenizer itself puts at the start."""
    return tokenizer(prompts, add_special_tokens=True)["input_ids"]


def short_answers(tokenizer: Tokenizer, task: Task, answer_tokens: int = 1) -> Filtered:
    """Keep the pairs whose reference answer has at most so many tokens, with or without a leading space on both sides.

    Whichever spelling keeps more pairs is used for the whole task; on a tie, the one without a space. Where pairs are used
    in both directions both sides must be short; where classes get labels, the labels must be.
    """
    plain, spaced = (_kept(tokenizer, task, leading_space, answer_tokens) for leading_space in (False, True))
    return _filtered(task, spaced, True) if sum(spaced) > sum(plain) else _filtered(task, plain, False)


def shared_spelling(
    tokenizer: Tokenizer, task_a: Task, task_b: Task, answer_tokens: int = 1
) -> tuple[Filtered, Filtered]:
    """Filter two tasks in one spelling, so that their inputs compare: the one that keeps more pairs of both together."""
    tasks = (task_a, task_b)
    plain, spaced = (
        [_kept(tokenizer, task, leading_space, answer_tokens) for task in tasks] for leading_space in (False, True)
    )
    leading_space = sum(map(sum, spaced)) > sum(map(sum, plain))
    kept = spaced if leading_space else plain
    return _filtered(task_a, kept[0], leading_space), _filtered(task_b, kept[1], leading_space)


def _kept(tokenizer: Tokenizer, task: Task, leading_space: bool, answer_tokens: int) -> list[bool]:
    """For each pair, or each label of a task with labels: is it short enough in this spelling?"""
    space = " " if leading_space else ""
    if task.kind == LABELS:
        return _short(tokenizer, [f"{space}{label}" for label in task.labels], answer_tokens)
    kept = _short(tokenizer, [f"{space}{pair.answers[0]}" for pair in task.pairs], answer_tokens)
    if task.kind == BIJECTION:
        inputs = _short(tokenizer, [f"{space}{pair.input}" for pair in task.pairs], answer_tokens)
        kept = list(map(all, zip(kept, inputs, strict=True)))
    return kept


def _short(tokenizer: Tokenizer, texts: list[str], answer_tokens: int) -> list[bool]:
    """In portions: a tokenizer holds a kilobyte for every text it is given at once."""
    short = []
    for start in range(0, len(texts), PORTION):
        ids = tokenizer(texts[start : start + PORTION], add_special_tokens=False)["input_ids"]
        short += [len(tokens) <= answer_tokens for tokens in ids]
    return short


def _filtered(task: Task, kept: list[bool], leading_space: bool) -> Filtered:
    if task.kind == LABELS:
        space = " " if leading_space else ""
        labels = tuple(f"{space}{label}" for label in compress(task.labels, kept))
        pairs = tuple(map(_with_space, task.pairs)) if leading_space else task.pairs
        return Filtered(replace(task, pairs=pairs, labels=labels), len(task.pairs), leading_space)
    pairs = compress(task.pairs, kept)
    return Filtered(
        replace(task, pairs=tuple(map(_with_space, pairs) if leading_space else pairs)), len(task.pairs), leading_space
    )


def _with_space(pair: Pair) -> Pair:
    return Pair(f" {pair.input}", tuple(f" {answer}" for answer in pair.answers))


def decode(tokenizer: Any, ids: Iterable[int]) -> list[str]:
    """The text of each token by itself."""
    return decode_answers(tokenizer, [[token] for token in ids])


def decode_answers(tokenizer: Any, answers: list[list[int]]) -> list[str]:
    """The text of each answer; of several tokens, up to the line's end, where the next demonstration would begin."""
    texts = tokenizer.batch_decode(answers, clean_up_tokenization_spaces=False)
    return [text.split("\n")[0] if len(tokens) > 1 else text for text, tokens in zip(texts, answers, strict=True)]
