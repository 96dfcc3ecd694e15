"""From strings to token ids, and the single-token filter (paper, appendix A.1)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from taskvectors.tasks import Pair, Task


class Tokenizer(Protocol):
    """What we need of a Hugging Face tokenizer."""

    def __call__(self, text: list[str], *, add_special_tokens: bool) -> dict[str, list[list[int]]]: ...


@dataclass(frozen=True)
class Filtered:
    """A task as one tokenizer sees it: pairs whose reference answer is a single token."""

    task: Task
    total: int
    leading_space: bool

    @property
    def kept(self) -> int:
        return len(self.task.pairs)


def prompt_ids(tokenizer: Tokenizer, prompts: list[str]) -> list[list[int]]:
    """Token ids of whole prompts, with the special tokens (BOS) the tokenizer itself puts at the start."""
    return tokenizer(prompts, add_special_tokens=True)["input_ids"]


def single_token_pairs(tokenizer: Tokenizer, task: Task) -> Filtered:
    """Keep the pairs whose reference answer is one token, with or without a leading space on both sides.

    Whichever spelling keeps more pairs is used for the whole task; on a tie, the one without a space.
    """
    plain = _kept(tokenizer, task.pairs)
    spaced = _kept(tokenizer, tuple(_with_space(pair) for pair in task.pairs))
    leading_space = len(spaced) > len(plain)
    pairs = spaced if leading_space else plain
    return Filtered(replace(task, pairs=pairs), total=len(task.pairs), leading_space=leading_space)


def _with_space(pair: Pair) -> Pair:
    return Pair(f" {pair.input}", tuple(f" {answer}" for answer in pair.answers))


def _kept(tokenizer: Tokenizer, pairs: tuple[Pair, ...]) -> tuple[Pair, ...]:
    ids = tokenizer([pair.answers[0] for pair in pairs], add_special_tokens=False)["input_ids"]
    return tuple(pair for pair, tokens in zip(pairs, ids, strict=True) if len(tokens) == 1)


def decode(tokenizer: Any, ids: Iterable[int]) -> list[str]:
    """The text of each token by itself."""
    return tokenizer.batch_decode([[token] for token in ids], clean_up_tokenization_spaces=False)
