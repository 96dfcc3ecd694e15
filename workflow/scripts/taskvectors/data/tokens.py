"""From strings to token ids and back, and the filter by answer length (paper, appendix A.1)."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress, islice
from typing import Any

from taskvectors.data.pairs import Pair
from taskvectors.data.prompts import prompt
from taskvectors.data.tasks import BIJECTION, LABELS, Task
from taskvectors.data.text import normal_form
from taskvectors.errors import StudyError

Ids = list[int]
Tokenizer = Any  # of Hugging Face's transformers
PORTION = 10_000  # texts tokenized at once: a tokenizer holds a kilobyte for every one
# What every prompt is made of: letters of both cases, the template, the arrow, and the line's end.
PROBE = prompt((("a", "B"), ("c", "D")), "e")
# What becomes of a pair in the filter:
FITS = "kept"
TOO_LONG = "too_long"  # its answer has more tokens than are compared
MERGED = "merged"  # its answer has no tokens of its own: the tokenizer joins it with the arrow
LOST = "lost"  # the tokenizer does not give its text back: unknown or special tokens, or another spelling


@dataclass(frozen=True)
class Filtered:
    """A task as one tokenizer sees it: the pairs whose reference answer is short enough; and how many pairs fared
    how."""

    task: Task
    leading_space: bool
    counts: Counter[str]  # of FITS, TOO_LONG, MERGED and LOST

    @property
    def kept(self) -> int:
        return len(self.task.pairs)

    @property
    def total(self) -> int:
        return self.counts.total()


def prompt_ids(tokenizer: Tokenizer, prompts: list[str]) -> list[Ids]:
    """Token ids of whole prompts: what the tokenizer puts in front (BOS), then the text; the last token is the
    arrow's.

    What a tokenizer would append (an end of text, a separator) is left out: θ would be read there.

    Raises:
        StudyError: if the text of a prompt becomes a special or unknown token, or the tokenizer is not one that only
            adds special tokens to those of the text (see `check_tokenizer`).
    """
    begin, special = added_tokens(tokenizer)[0], special_ids(tokenizer)
    ids = _text_ids(tokenizer, prompts)
    for text, tokens in zip(prompts, ids, strict=True):
        if bad := special.intersection(tokens):
            token = tokenizer.convert_ids_to_tokens(min(bad))
            raise StudyError(
                f"the prompt {text!r} holds what the tokenizer reads as its special token {token!r}. Take it out of the task's "
                "table or episodes."
            )
    return [begin + tokens for tokens in ids]


def prompt_ids_of_each(tokenizer: Tokenizer, prompts: Sequence[Sequence[str]]) -> list[list[Ids]]:
    """Token ids of the prompts of every episode (`prompt_ids`), all tokenized together."""
    ids = iter(prompt_ids(tokenizer, [text for episode in prompts for text in episode]))
    return [list(islice(ids, len(episode))) for episode in prompts]


def special_ids(tokenizer: Tokenizer) -> set[int]:
    """The tokens that are no text: those with a role (BOS, end, padding) and all that are flagged as special."""
    flagged = getattr(tokenizer, "added_tokens_decoder", {}).items()
    return {*tokenizer.all_special_ids, *(token for token, added in flagged if added.special)}


def added_tokens(tokenizer: Tokenizer) -> tuple[Ids, Ids]:
    """The special tokens that a tokenizer puts before and after a text.

    Raises:
        StudyError: if what it adds changes the tokens of the text itself.
    """
    (whole,) = tokenizer([PROBE], add_special_tokens=True)["input_ids"]
    (text,) = _text_ids(tokenizer, [PROBE])
    for start in range(len(whole) - len(text) + 1):
        end = start + len(text)
        if whole[start:end] == text:
            return whole[:start], whole[end:]
    raise StudyError(
        "its special tokens change the tokens of the text beside them, so that prompts cannot end at the arrow. Use the "
        "tokenizer that the model was trained with."
    )


def check_tokenizer(tokenizer: Tokenizer, rows: int) -> str:
    """Refuse a tokenizer with which no study is right.

    Args:
        rows: of the model's embedding.

    Returns:
        What is left out of every prompt, in words; empty if nothing is.

    Raises:
        StudyError: if prompts do not survive it (letters, case, arrow, line ends), or it has tokens that the model
            lacks.
    """
    begin, end = added_tokens(tokenizer)
    (ids,) = _text_ids(tokenizer, [PROBE])
    if not _given_back(PROBE, back := _decoded(tokenizer, [ids])[0]):
        raise StudyError(
            f"its tokenizer does not give a prompt back: {PROBE!r} becomes {back!r}. Letters, their case, the arrow and line "
            "ends must survive; use a tokenizer that keeps them, or another model."
        )
    special = special_ids(tokenizer)
    highest = max([*begin, *(token for token in tokenizer.get_vocab().values() if token not in special)])
    if highest >= rows:
        raise StudyError(
            f"its tokenizer has token {highest} ({tokenizer.convert_ids_to_tokens(highest)!r}), but the model's vocabulary ends "
            f"at {rows - 1}: they do not belong together. Put model and tokenizer of one source into the folder."
        )
    return ", ".join(map(repr, tokenizer.convert_ids_to_tokens(end)))


def _given_back(text: str, decoded: str) -> bool:
    """Whether the tokens of a text give it back; a space that the tokenizer puts before any text is no loss."""
    return decoded in (text, f" {text}")


def answer_ids(tokenizer: Tokenizer, prompts: list[str], answers: list[str]) -> list[Ids]:
    """The tokens that each answer has behind its prompt: those of both together, less those of the prompt.

    Counted alone an answer may have others: SentencePiece puts a space before any text. An answer that the tokenizer
    joins with the end of the prompt has none.
    """
    before = _text_ids(tokenizer, prompts)
    together = _text_ids(tokenizer, [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)])
    return [both[len(ids) :] if both[: len(ids)] == ids else [] for ids, both in zip(before, together, strict=True)]


def first_answer_ids(tokenizer: Tokenizer, prompts: list[str], answers: list[str], names: Sequence[str]) -> Ids:
    """The first token of each answer behind its prompt.

    Args:
        names: of their episodes, for error messages.

    Raises:
        StudyError: for an answer that the tokenizer joins with the end of its prompt.
    """
    ids = answer_ids(tokenizer, prompts, answers)
    for text, answer, tokens, name in zip(prompts, answers, ids, names, strict=True):
        if not tokens:
            raise StudyError(
                f"{name}: the tokenizer of the model joins the answer {answer!a} with the arrow before it ({text + answer!a}): it "
                "has no token of its own. Replace the answer in the task's table or episodes."
            )
    return [tokens[0] for tokens in ids]


def _text_ids(tokenizer: Tokenizer, texts: list[str]) -> list[Ids]:
    # Tokenizers fail at no texts at all.
    return tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []


def short_answers(tokenizer: Tokenizer, task: Task, answer_tokens: int = 1) -> Filtered:
    """Keep the pairs whose reference answer has at most so many tokens, with or without a leading space on both sides.

    Whichever spelling keeps more pairs is used for the whole task; on a tie, the one without a space. Where pairs are
    used in both directions both sides must be short; where classes get labels, the labels must be.
    """
    plain, spaced = (_filtered(tokenizer, task, leading_space, answer_tokens) for leading_space in (False, True))
    return spaced if _usable(spaced) > _usable(plain) else plain


def shared_spelling(
    tokenizer: Tokenizer, task_a: Task, task_b: Task, answer_tokens: int = 1
) -> tuple[Filtered, Filtered]:
    """Filter two tasks in one spelling, so that their inputs compare: the one that keeps more pairs of both
    together."""
    plain, spaced = (
        (
            _filtered(tokenizer, task_a, leading_space, answer_tokens),
            _filtered(tokenizer, task_b, leading_space, answer_tokens),
        )
        for leading_space in (False, True)
    )
    return spaced if sum(map(_usable, spaced)) > sum(map(_usable, plain)) else plain


def _usable(filtered: Filtered) -> int:
    """What a spelling is judged by: how many labels are short enough, of tasks with labels; else how many pairs
    are."""
    return len(filtered.task.labels) if filtered.task.kind == LABELS else filtered.kept


def _filtered(tokenizer: Tokenizer, task: Task, leading_space: bool, answer_tokens: int) -> Filtered:
    """The task in one spelling."""
    pairs = tuple(map(_with_space, task.pairs)) if leading_space else task.pairs
    labels = tuple(f" {label}" for label in task.labels) if leading_space else task.labels
    if task.kind == LABELS:
        # Labels take the place of answers: any of them may follow any input.
        shortest = min((pair.input for pair in pairs), key=len)
        outcomes = [*_outcomes(tokenizer, [(shortest, label) for label in labels], answer_tokens)]
        labels = tuple(compress(labels, [outcome == FITS for outcome in outcomes]))
        fates = [LOST if fate == LOST else FITS for fate in _outcomes(tokenizer, _sides(pairs), answer_tokens)]
    else:
        fates = [*_outcomes(tokenizer, _sides(pairs), answer_tokens)]
    if task.kind == BIJECTION:
        back = _outcomes(tokenizer, [(output, given) for given, output in _sides(pairs)], answer_tokens)
        fates = [other if fate == FITS else fate for fate, other in zip(fates, back, strict=True)]
    kept = tuple(compress(pairs, [fate == FITS for fate in fates]))
    return Filtered(replace(task, pairs=kept, labels=labels), leading_space, Counter(fates))


def _sides(pairs: Sequence[Pair]) -> list[tuple[str, str]]:
    return [(pair.input, pair.answers[0]) for pair in pairs]


def _outcomes(tokenizer: Tokenizer, sides: list[tuple[str, str]], answer_tokens: int) -> Iterator[str]:
    """What becomes of each input and answer, the answer behind the prompt of its input."""
    return fates(tokenizer, [(prompt((), given), answer) for given, answer in sides], answer_tokens)


def fates(tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]], answer_tokens: int) -> Iterator[str]:
    """What becomes of each prompt and answer: FITS, TOO_LONG, MERGED or LOST."""
    special = special_ids(tokenizer)
    for start in range(0, len(pairs), PORTION):
        portion = pairs[start : start + PORTION]
        prompts = [text for text, _ in portion]
        whole = [text + answer for text, (_, answer) in zip(prompts, portion, strict=True)]
        before, together = _text_ids(tokenizer, prompts), _text_ids(tokenizer, whole)
        back = _decoded(tokenizer, together)
        for text, ids, both, returned in zip(whole, before, together, back, strict=True):
            own = len(both) - len(ids)
            if not _given_back(text, returned) or special.intersection(both):
                yield LOST
            elif both[: len(ids)] != ids or own == 0:
                yield MERGED
            else:
                yield FITS if own <= answer_tokens else TOO_LONG


def _with_space(pair: Pair) -> Pair:
    return Pair(f" {pair.input}", *(tuple(f" {text}" for text in side) for side in (pair.answers, pair.backward)))


def decode(tokenizer: Tokenizer, ids: Iterable[int]) -> list[str]:
    """The text of each token by itself; special ones by their names."""
    return _decoded(tokenizer, [[token] for token in ids])


def _decoded(tokenizer: Tokenizer, ids: list[Ids]) -> list[str]:
    # Of no tokens at all it would make one text.
    return tokenizer.batch_decode(ids, clean_up_tokenization_spaces=False) if ids else []


def decode_answers(tokenizer: Tokenizer, answers: list[Ids], ends: Collection[int]) -> list[str]:
    """The text of each answer, in normal form: up to the token that ends it, and without special tokens.

    One of several tokens also ends with the line, where the next demonstration would begin.

    Args:
        ends: the tokens with which the model ends a text.
    """
    special = special_ids(tokenizer)
    spoken = []
    for answer in answers:
        end = next((place for place, token in enumerate(answer) if token in ends), len(answer))
        spoken.append([token for token in answer[:end] if token not in special])
    texts = map(normal_form, _decoded(tokenizer, spoken))
    return [text.split("\n")[0] if len(tokens) > 1 else text for text, tokens in zip(texts, spoken, strict=True)]
