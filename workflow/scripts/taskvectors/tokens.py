"""From strings to token ids and back, and the filter by answer length (paper, appendix A.1)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from taskvectors.tasks import Pair, Task


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

    Whichever spelling keeps more pairs is used for the whole task; on a tie, the one without a space.
    """
    plain, spaced = (_filtered(tokenizer, task, leading_space, answer_tokens) for leading_space in (False, True))
    return spaced if spaced.kept > plain.kept else plain


def shared_spelling(
    tokenizer: Tokenizer, task_a: Task, task_b: Task, answer_tokens: int = 1
) -> tuple[Filtered, Filtered]:
    """Filter two tasks in one spelling, so that their inputs compare: the one that keeps more pairs of both together."""
    plain, spaced = (
        tuple(_filtered(tokenizer, task, leading_space, answer_tokens) for task in (task_a, task_b))
        for leading_space in (False, True)
    )
    return max(plain, spaced, key=lambda both: both[0].kept + both[1].kept)


def _filtered(tokenizer: Tokenizer, task: Task, leading_space: bool, answer_tokens: int) -> Filtered:
    pairs = tuple(map(_with_space, task.pairs)) if leading_space else task.pairs
    return Filtered(replace(task, pairs=_kept(tokenizer, pairs, answer_tokens)), len(task.pairs), leading_space)


def _with_space(pair: Pair) -> Pair:
    return Pair(f" {pair.input}", tuple(f" {answer}" for answer in pair.answers))


def _kept(tokenizer: Tokenizer, pairs: tuple[Pair, ...], answer_tokens: int) -> tuple[Pair, ...]:
    ids = tokenizer([pair.answers[0] for pair in pairs], add_special_tokens=False)["input_ids"]
    return tuple(pair for pair, tokens in zip(pairs, ids, strict=True) if len(tokens) <= answer_tokens)


def decode(tokenizer: Any, ids: Iterable[int]) -> list[str]:
    """The text of each token by itself."""
    return decode_answers(tokenizer, [[token] for token in ids])


def decode_answers(tokenizer: Any, answers: list[list[int]]) -> list[str]:
    """The text of each answer; of several tokens, up to the line's end, where the next demonstration would begin."""
    texts = tokenizer.batch_decode(answers, clean_up_tokenization_spaces=False)
    return [text.split("\n")[0] if len(tokens) > 1 else text for text, tokens in zip(texts, answers, strict=True)]
