"""What θ says when it is unembedded: the paper's filter of tokens, and where given words stand (paper, section 5.2)."""

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from taskvectors.prompts import prompt
from taskvectors.tokens import answer_ids

SHORTEST_WORD = 3  # of a task's name: "to" says nothing


def filtered_ranks(tokens: Sequence[str]) -> list[int | None]:
    """Ranks among the tokens that the paper shows: alphabetic ones, each once whatever its case and outer spaces."""
    seen: set[str] = set()
    found: list[int | None] = []
    for token in tokens:
        word = token.strip().lower()
        shown = word.isalpha() and word not in seen
        if shown:
            seen.add(word)
        found.append(len(seen) if shown else None)
    return found


def ranks(logits: Tensor, ids: Sequence[int]) -> Tensor:
    """The rank, from 1, of each token among all by its logit `[vocabulary]`; equal logits share the better rank."""
    ordered = logits.sort().values
    return 1 + len(ordered) - torch.searchsorted(ordered, logits[list(ids)], right=True)


def task_words(tokenizer: Any, name: str) -> dict[str, list[int]]:
    """The words of a task's name, and the single tokens that spell each behind an arrow, in any case, with or without a space."""
    found = {}
    for word in dict.fromkeys(re.findall(r"[^\W\d_]+", name.lower())):
        if len(word) < SHORTEST_WORD:
            continue
        spellings = [f"{space}{its}" for its in (word, word.capitalize(), word.upper()) for space in ("", " ")]
        ids = answer_ids(tokenizer, [prompt((), "")] * len(spellings), spellings)
        found[word] = list({tokens[0]: None for tokens in ids if len(tokens) == 1})
    return found
