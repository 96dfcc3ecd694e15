"""Ranks of tokens and the paper's filter of them."""

import torch

from taskvectors.questions.decoding.measure import Ranks, filtered_ranks, task_words


def test_the_filter_keeps_alphabetic_tokens_once():
    assert filtered_ranks([" Upper", "upper", "->", "\n", "7", " été", "UPPER ", "x1", "up"]) == [
        1, None, None, None, None, 2, None, None, 3,
    ]  # fmt: skip
    assert filtered_ranks([]) == []


def test_ranks_are_places_in_the_order_of_logits():
    logits = torch.randn(500, generator=torch.Generator().manual_seed(0))
    order = logits.argsort(descending=True)
    assert Ranks(logits).of(order[[0, 1, 250, 499]].tolist()).tolist() == [1, 2, 251, 500]
    assert Ranks(torch.tensor([1.0, 3.0, 3.0, 2.0])).of([0, 1, 2, 3]).tolist() == [4, 1, 1, 3]


def test_words_of_a_name_are_looked_up_in_every_spelling_of_one_token():
    arrow = "example:->"
    vocabulary = {"upper": [5], " Upper": [6], " upper": [5]}

    def tokenizer(texts, add_special_tokens):
        assert all(text.startswith(arrow) for text in texts)
        behind = [text.removeprefix(arrow) for text in texts]
        return {"input_ids": [[0, *(vocabulary.get(word, [1, 2]) if word else [])] for word in behind]}

    assert task_words(tokenizer, "To upper: Upper") == {"upper": [5, 6]}
    assert task_words(tokenizer, "To (a)") == {}
    assert task_words(tokenizer, "Gerund") == {"gerund": []}
