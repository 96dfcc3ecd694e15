"""Answers counted in their place behind the arrow, on real tokenizers: bytes (BPE) and SentencePiece with a dummy
prefix."""

import copy
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from taskvectors.data.episodes import Episode
from taskvectors.data.given import _fault, check_given
from taskvectors.data.pairs import Pair, read_table
from taskvectors.data.prompts import prompt
from taskvectors.data.tasks import Task
from taskvectors.data.tokens import (
    FITS,
    LOST,
    MERGED,
    TOO_LONG,
    added_tokens,
    answer_ids,
    check_tokenizer,
    decode_answers,
    prompt_ids,
    shared_spelling,
    short_answers,
)
from taskvectors.errors import StudyError
from taskvectors.models.random_weights import random_model
from taskvectors.questions.decoding.measure import task_words

ROOT = Path(__file__).parents[2]
LLAMA = {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": False}
LLAMA |= {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}


def sentencepiece(file: Path, folder: Path, **settings):
    folder.mkdir(exist_ok=True)
    shutil.copy(file, folder / "tokenizer.model")
    (folder / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(LLAMA | settings), encoding="utf-8")
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="session")
def llama(sentencepiece_file, tmp_path_factory):
    return sentencepiece(sentencepiece_file, tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="session")
def bpe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bpe")
    shape = {
        "model_type": "llama",
        "vocab_size": 3000,
        "hidden_size": 8,
        "intermediate_size": 8,
        "num_hidden_layers": 1,
    }
    random_model(shape | {"num_attention_heads": 1}, sorted((ROOT / "data/tasks").glob("*.csv")), folder)
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(params=["llama", "bpe"])
def tokenizer(request):
    return request.getfixturevalue(request.param)


def test_the_dummy_prefix_does_not_shorten_answers(llama):
    """Alone, `Paris` is one token, ▁Paris; behind the arrow it is two."""
    assert len(llama(["Paris"], add_special_tokens=False)["input_ids"][0]) == 1
    assert [len(ids) for ids in answer_ids(llama, ["example:France->"] * 2, ["Paris", " Paris"])] == [2, 1]
    pair = Task("t", "f", (Pair("France", ("Paris",)), Pair("Italy", ("Rome",))))
    filtered = short_answers(llama, pair)
    assert filtered.leading_space and filtered.counts[FITS] == 2
    assert filtered.task.pairs[0] == Pair(" France", (" Paris",))


def test_what_is_kept_is_short_in_its_place_and_nothing_else_is(tokenizer):
    for table in ("present_simple_gerund", "country_capital", "en_fr"):
        pairs = read_table(ROOT / f"data/tasks/{table}.csv")
        filtered = short_answers(tokenizer, Task(table, "f", pairs))
        space = " " if filtered.leading_space else ""
        short = set()
        for pair in pairs:  # one by one, as plainly as can be
            text = prompt((), space + pair.input)
            before, both = (
                tokenizer(part, add_special_tokens=False)["input_ids"]
                for part in (text, text + space + pair.answers[0])
            )
            if both[: len(before)] == before and len(both) == len(before) + 1:
                short.add(space + pair.input)
        assert {pair.input for pair in filtered.task.pairs} == short
        assert filtered.total == len(pairs) and filtered.counts[FITS] == filtered.kept


def test_first_tokens_and_names_are_those_behind_the_arrow(llama):
    words = task_words(llama, "Country capital")
    spelled = {llama.convert_ids_to_tokens(token) for ids in words.values() for token in ids}
    assert "▁capital" in spelled and "▁Country" in spelled
    # Without a space before it, a word begins in the middle of a text: no token of its own with a space serves.
    (inside,) = answer_ids(llama, [prompt((), "")], ["capital"])
    assert not llama.convert_ids_to_tokens(inside)[0].startswith("▁")


def test_an_answer_that_joins_the_arrow_is_dropped_and_counted():
    characters = [*sorted({*"example:->abcdefgB. "}), "<end>"]
    vocabulary = {token: place for place, token in enumerate([*characters, "->", "->."])}
    backend = Tokenizer(models.BPE(vocabulary, [("-", ">"), ("->", ".")]))
    backend.decoder = decoders.Fuse()
    joining = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<end>")
    task = Task("t", "f", (Pair("a", (".",)), Pair("b", ("B",)), Pair("c", ("abc",)), Pair("d", ("Z",))))
    assert joining.convert_ids_to_tokens(joining(["a->."])["input_ids"][0]) == ["a", "->."]
    assert answer_ids(joining, ["example:a->", "example:b->"], [".", "B"]) == [[], [vocabulary["B"]]]
    filtered = short_answers(joining, task)
    assert filtered.counts == {MERGED: 1, FITS: 1, TOO_LONG: 1, LOST: 1} and not filtered.leading_space
    assert [pair.input for pair in filtered.task.pairs] == ["b"]


@pytest.mark.parametrize("kind", ["llama", "bpe"])
def test_text_that_is_a_special_token_is_no_data(kind, request):
    tokenizer = request.getfixturevalue(kind)
    end = tokenizer.eos_token
    task = Task("t", "f", (Pair("a", (end,)), Pair(f"x{end}", ("b",)), Pair("c", ("d",))))
    assert short_answers(tokenizer, task).counts[LOST] == 2
    with pytest.raises(StudyError, match=rf"holds what the tokenizer reads as its special token '{re.escape(end)}'"):
        prompt_ids(tokenizer, [f"example:x{end}->"])


def test_tokens_flagged_as_special_are_no_text_whatever_their_role(bpe):
    """As Llama 3 has them: <|eot_id|> has no role that transformers knows of."""
    flagged = copy.deepcopy(bpe)
    flagged.backend_tokenizer.add_special_tokens([AddedToken("<|eot|>", special=True)])
    turn = flagged.convert_tokens_to_ids("<|eot|>")
    assert turn not in flagged.all_special_ids
    h = answer_ids(flagged, ["example:x->"], ["h"])[0]
    assert [text.strip() for text in decode_answers(flagged, [[*h, turn, turn]], {0})] == ["h"]
    assert short_answers(flagged, Task("t", "f", (Pair("a", ("<|eot|>",)), Pair("c", ("d",))))).counts[LOST] == 1
    with pytest.raises(StudyError, match=r"reads as its special token '<\|eot\|>'"):
        prompt_ids(flagged, ["example:<|eot|>->"])


def test_a_space_put_before_every_text_is_no_loss(bpe):
    """As RoBERTa's tokenizer does, and SentencePiece."""
    prefixed = copy.deepcopy(bpe)
    prefixed.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    assert prefixed.decode(prefixed(["a"])["input_ids"][0]) == " a"
    assert check_tokenizer(prefixed, 10_000) == ""
    pairs = (Pair("happy", ("sad",)), Pair("big", ("small",)), Pair("long", ("short",)))
    assert (
        short_answers(prefixed, Task("t", "f", pairs), 3).counts == short_answers(bpe, Task("t", "f", pairs), 3).counts
    )


LOSSY = {
    "accents": (normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()]), "été"),
    "ligatures": (normalizers.NFKC(), "ﬁ"),
    "double spaces": (normalizers.Replace("  ", " "), "a  b"),
    "apostrophes": (normalizers.Replace("’", "'"), "l’eau"),
    "case": (normalizers.Lowercase(), "Paris"),
}


@pytest.mark.parametrize("kind", LOSSY)
@pytest.mark.parametrize("place", ["query", "demonstration", "dummy", "answer"])
def test_given_episodes_that_the_tokenizer_would_change_are_refused_by_line(bpe, kind, place):
    lossy = copy.deepcopy(bpe)
    lossy.backend_tokenizer.normalizer, text = LOSSY[kind]
    at = {"query": "q", "demonstration": "x", "dummy": "d", "answer": "a"}
    good = Episode("t", "test", 0, 0, (("x", "y"),), "q", ("a",), ("d",))
    texts = at | {place: text}
    bad = Episode(
        "t", "test", 0, 1, ((texts["demonstration"], "y"),), texts["query"], (texts["answer"],), (texts["dummy"],)
    )
    check_given(lossy, Path("t.jsonl"), [good], 9, False)
    check_given(bpe, Path("t.jsonl"), [good, bad], 20, False)
    with pytest.raises(StudyError, match=r"t.jsonl, line 2: the tokenizer of the model does not give the text back"):
        check_given(lossy, Path("t.jsonl"), [good, bad], 20, False)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"demos": (("a", "b"), ("a", "z"))}, "input of the demonstrations 'a' is there twice"),
        ({"demos": (("a", "b"), (" a", "b"))}, "input of the demonstrations 'a' is there twice"),
        ({"dummies": ("d", "d")}, "dummy 'd' is there twice"),
        ({"demos": (("a", "b"),)}, "1 demonstrations, but `episodes: demonstrations` asks for 2"),
        ({"query": "a"}, "the query is among the demonstrations"),
        ({"seed": 2}, "seed one of 0, 1 (`study: seeds`)"),
        ({"pair": ("t", "u")}, "pair null, but they are t, test, 0 and ('t', 'u')"),
        ({"split": "conflict"}, "split one of baseline, dev, test"),
    ],
)
def test_given_episodes_show_nothing_twice(change, fault):
    episode = Episode("t", "test", 0, 0, (("a", "b"), ("c", "d")), "q", ("r",), ("d", "e"))
    sizes = {"demonstrations": 2, "dummies": 2}
    task = Task("t", "f", ())
    assert _fault(task, episode, [0, 1], sizes) == ""
    assert fault in _fault(task, replace(episode, **change), [0, 1], sizes)


def test_a_task_may_ask_for_a_number_of_demonstrations_of_its_own():
    episode = Episode("t", "test", 0, 0, (("a", "b"), ("c", "d")), "q", ("r",), ("d", "e"))
    sizes = {"demonstrations": 5, "dummies": 2}
    assert _fault(Task("t", "f", (), demonstrations=2), episode, [0], sizes) == ""
    assert "asks for 5" in _fault(Task("t", "f", ()), episode, [0], sizes)


def test_given_answers_longer_than_what_is_compared_are_refused_unless_by_prefix(bpe):
    long = Episode("t", "test", 0, 0, (), "q", ("certainly a long answer of many tokens",), ("d",))
    with pytest.raises(StudyError, match=r"t.jsonl, line 1: the reference answer has more tokens than are compared"):
        check_given(bpe, Path("t.jsonl"), [long], 1, False)
    check_given(bpe, Path("t.jsonl"), [long], 1, True)
    check_given(bpe, Path("t.jsonl"), [long], 30, False)


def test_special_tokens_at_the_end_are_left_out_and_said(sentencepiece_file, llama, tmp_path):
    appending = sentencepiece(sentencepiece_file, tmp_path / "appending", add_eos_token=True)
    assert added_tokens(llama) == ([1], []) and added_tokens(appending) == ([1], [2])
    assert check_tokenizer(llama, 32000) == "" and check_tokenizer(appending, 32000) == "'</s>'"
    assert prompt_ids(appending, ["example:a->"]) == prompt_ids(llama, ["example:a->"])
    with pytest.raises(StudyError, match=r"its tokenizer has token 31999 .*vocabulary ends at 31998"):
        check_tokenizer(llama, 31999)


def test_an_answer_ends_where_the_model_ends_its_text(tokenizer):
    def ids(text):
        return answer_ids(tokenizer, ["example:x->"], [text])[0]

    end = tokenizer.eos_token_id
    answers = [
        [*ids("h"), end, end],
        [end, *ids("h")],
        [*ids("Paris"), *ids("\nexample")],
        [*ids(" h"), end, *ids("x")],
    ]
    assert [text.strip() for text in decode_answers(tokenizer, answers, {end})] == ["h", "", "Paris", "h"]
    assert decode_answers(tokenizer, [ids("h")], {ids("h")[0]}) == [""]  # whatever ends a text of this model's
    assert decode_answers(tokenizer, [ids("\n")], {end})[0].strip() == ""


def test_conflicting_tasks_share_one_spelling(llama):
    a = Task("a", "f", (Pair("France", ("Paris",)), Pair("Italy", ("Rome",))))
    b = Task("b", "f", (Pair("France", ("French",)),))
    assert [side.leading_space for side in shared_spelling(llama, a, b)] == [True, True]


@given(data=st.data())
def test_any_words_are_kept_whole_or_dropped(bpe, llama, data):
    tokenizer = data.draw(st.sampled_from([bpe, llama]))
    word = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=8)
    pairs = tuple(
        Pair(given, (output,))
        for given, output in data.draw(st.dictionaries(word, word, min_size=1, max_size=4)).items()
    )
    filtered = short_answers(tokenizer, Task("t", "f", pairs), answer_tokens=3)
    assert filtered.total == len(pairs) and sum(filtered.counts.values()) == len(pairs)
    for pair in filtered.task.pairs:
        text = prompt((), pair.input)
        ((*shown,), (*answer,)) = prompt_ids(tokenizer, [text])[0], answer_ids(tokenizer, [text], [pair.answers[0]])[0]
        assert prompt_ids(tokenizer, [text + pair.answers[0]]) == [shown + answer] and 0 < len(answer) <= 3
        assert decode_answers(tokenizer, [answer], set())[0].strip() == pair.answers[0].strip()


def test_of_no_texts_there_are_no_tokens(llama):
    """A study without conflicting pairs, or without transfer, asks for none."""
    assert prompt_ids(llama, []) == []
