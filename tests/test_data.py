"""Task tables, the filter of answer lengths, episodes, prompts and scoring."""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest
import yaml

from taskvectors import episodes as ep
from taskvectors.errors import StudyError
from taskvectors.prompts import dummy_prompts, regular_prompt, zero_shot_prompt
from taskvectors.scoring import is_correct
from taskvectors.tasks import Pair, Task, load_task, read_table
from taskvectors.tokens import decode_answers, shared_spelling, short_answers

ROOT = Path(__file__).parents[1]
ENTRIES = yaml.safe_load((ROOT / "config/tasks.yaml").read_text(encoding="utf-8"))["tasks"]
TABLES = [name for name, entry in ENTRIES.items() if "table" in entry]
PAPER = {row["task"] for row in csv.DictReader((ROOT / "data/paper/main_results.csv").open(encoding="utf-8"))}


@pytest.fixture(autouse=True)
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_all_tasks_of_the_paper_are_there():
    assert set(ENTRIES) >= PAPER
    assert len(PAPER) == 18


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_ample_and_no_output_equals_its_input(name):
    pairs = read_table(ENTRIES[name]["table"])
    assert len(pairs) >= 120
    assert not [pair for pair in pairs if pair.answers[0] == pair.input]
    assert f"`{name}.csv` | {len(pairs)} |" in (ROOT / "data/README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in TABLES if ENTRIES[name]["family"] == "knowledge"])
def test_no_constant_answer_is_right_more_often_than_35_percent(name):
    answers = Counter(pair.answers[0] for pair in read_table(ENTRIES[name]["table"]))
    assert max(answers.values()) / answers.total() <= 0.35


@pytest.mark.parametrize(
    ("name", "given", "wanted"),
    [
        ("next_letter", "a", "b"),
        ("prev_letter", "b", "a"),
        ("to_upper", "q", "Q"),
        ("to_lower", "Q", "q"),
    ],
)
def test_letter_tasks(name, given, wanted):
    answers = {pair.input: pair.answers for pair in load_task(name, ENTRIES[name]).pairs}
    assert answers[given] == (wanted,)


def test_list_tasks_share_their_inputs():
    first, last = (load_task(name, ENTRIES[name]).pairs for name in ("list_first", "list_last"))
    assert [pair.input for pair in first] == [pair.input for pair in last]
    assert {len(pair.input.split(",")) for pair in first} == {2, 3, 4}
    assert all(a.answers == (a.input[0],) and z.answers == (z.input[-1],) for a, z in zip(first, last, strict=True))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"input,output\na,b\n", "line 1: no column also_accepted"),
        (b"input,output,also_accepted\n", "no rows"),
        (b"input,output,also_accepted\na,b,\na,c,\n", "line 3: input 'a' stands already in line 2"),
        (b"input,output,also_accepted\na,,\n", "line 2, column output: empty cell"),
        (b"input,output,also_accepted\n,b,\n", "line 2, column input: empty cell"),
        (b"input,output,also_accepted\na,b\n", "line 2: 3 cells expected"),
        (b'input,output,also_accepted\na,"b\tc",\n', "line 2, column output: 'b.*tab"),
        ("input,output,also_accepted\né,b,\n".encode("latin-1"), "not UTF-8 at byte"),
    ],
)
def test_bad_tables_are_refused_with_file_and_line(tmp_path, content, message):
    table = tmp_path / "bad.csv"
    table.write_bytes(content)
    with pytest.raises(StudyError, match=message) as error:
        read_table(table)
    assert "bad.csv" in str(error.value)


def test_missing_table_and_unknown_generator_name_the_remedy(tmp_path):
    with pytest.raises(StudyError, match=r"config/tasks.yaml"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(StudyError, match="sorted is not one of"):
        load_task("x", {"family": "algorithmic", "generate": "sorted"})


class Words:
    """A tokenizer that knows some words; everything else falls into letters."""

    def __init__(self, *known):
        self.known = known

    def __call__(self, text, *, add_special_tokens):
        return {"input_ids": [[1] if word in self.known else [2] * len(word) for word in text]}


def test_filter_uses_the_spelling_that_keeps_more():
    task = Task("t", "f", (Pair("a", ("one", "uno")), Pair("b", ("two",)), Pair("c", ("three",))))
    spaced = short_answers(Words("one", " one", " two"), task)
    assert (spaced.kept, spaced.total, spaced.leading_space) == (2, 3, True)
    assert spaced.task.pairs[0] == Pair(" a", (" one", " uno"))
    tie = short_answers(Words("one", " two"), task)
    assert (tie.kept, tie.leading_space) == (1, False)
    longer = short_answers(Words("one"), task, answer_tokens=3)
    assert [pair.answers[0] for pair in longer.task.pairs] == ["one", "two"]


def test_answers_of_several_tokens_end_with_the_line():
    class Letters:
        def batch_decode(self, answers, clean_up_tokenization_spaces):
            return ["".join(map(chr, answer)) for answer in answers]

    assert decode_answers(Letters(), [[*map(ord, "Paris\nex")], [10, 65], [10]]) == ["Paris", "", "\n"]


def test_conflicting_tasks_are_filtered_in_one_spelling():
    a = Task("a", "f", (Pair("x", ("one",)), Pair("y", ("two",))))
    b = Task("b", "f", (Pair("x", ("uno",)), Pair("y", ("dos",))))
    words = Words("one", "two", " one", " uno", " dos")  # alone, A would take no space and B one
    both = shared_spelling(words, a, b)
    assert [side.leading_space for side in both] == [True, True]
    assert [side.kept for side in both] == [1, 2]


LETTERS = load_task("next_letter", ENTRIES["next_letter"])


def sample(number=0, **changes):
    options = {"demonstrations": 5, "dummies": 2, "seed": 0} | changes
    return ep.sample_episode(LETTERS, "test", number, **options)


def test_demonstrations_query_and_dummies_are_different_inputs():
    for number in range(200):
        episode = sample(number)
        inputs = [episode.query, *episode.dummies, *(x for x, _ in episode.demos)]
        assert len(inputs) == len(set(inputs)) == 8


def test_an_episode_depends_on_its_own_key_alone():
    assert sample(3) == sample(3)
    assert sample(3) != sample(4)
    assert sample(3, seed=1) != sample(3)
    # Stable over processes and versions: these very episodes are published.
    assert (sample(0).query, sample(1).query) == ("q", "g")


def test_too_few_pairs_are_refused_with_the_numbers():
    with pytest.raises(StudyError, match=r"needs 33 different inputs, but only 25 pairs"):
        sample(demonstrations=30)


def test_conflicting_episodes_share_the_query_and_hide_it_from_task_b():
    upper = load_task("to_upper", ENTRIES["to_upper"])
    for number in range(100):
        a, b = ep.sample_conflict(LETTERS, upper, number, demonstrations=4, dummies=2, seed=0)
        assert a.query == b.query
        assert not set(a.answers) & set(b.answers)
        for side in (a, b):
            inputs = [x for x, _ in side.demos]
            assert side.query not in {*inputs, *side.dummies}
            assert len({*inputs, *side.dummies}) == 6


def test_tasks_without_shared_inputs_cannot_conflict():
    capitals = load_task("country_capital", ENTRIES["country_capital"])
    with pytest.raises(StudyError, match="share no input"):
        ep.sample_conflict(LETTERS, capitals, 0, demonstrations=2, dummies=1, seed=0)


def test_episodes_survive_writing_and_reading(tmp_path):
    episodes = [sample(number) for number in range(3)]
    ep.write_episodes(tmp_path / "e.jsonl", episodes)
    assert ep.read_episodes(tmp_path / "e.jsonl") == episodes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answers": []}, "answers is empty"),
        ({"query": ""}, "query must be strings that are not empty"),
        ({"demos": [["a"]]}, "demos must be a list of"),
        ({"dummies": ["q"]}, "a dummy is the query"),
        ({"surplus": 1}, "an episode is an object with the keys"),
    ],
)
def test_bad_episode_lines_are_refused_by_number(tmp_path, change, message):
    good = {
        "task": "t",
        "split": "dev",
        "episode": 0,
        "demos": [["a", "b"]],
        "query": "q",
        "answers": ["r"],
        "dummies": ["z"],
    }
    path = tmp_path / "e.jsonl"
    path.write_text(f"{json.dumps(good)}\n{json.dumps(good | change)}\n", encoding="utf-8")
    with pytest.raises(StudyError, match=message) as error:
        ep.read_episodes(path)
    assert "line 2" in str(error.value)


def test_prompts_follow_the_template():
    episode = ep.Episode("t", "dev", 0, (("a", "b"), ("c", "d")), "x", ("y",), ("p", "q"))
    assert regular_prompt(episode) == "example:a->b\nexample:c->d\nexample:x->"
    assert dummy_prompts(episode)[1] == "example:a->b\nexample:c->d\nexample:q->"
    assert zero_shot_prompt(episode) == "example:x->"


@pytest.mark.parametrize(
    ("predicted", "answers", "prefix", "expected"),
    [
        (" Paris", ["Paris"], False, True),
        ("Par", ["Paris"], False, False),
        ("Par", ["Paris"], True, True),
        ("Parisian", ["Paris"], True, True),
        ("", ["Paris"], True, False),
        (" \n", ["Paris"], True, False),
        ("big", ["large", " big"], False, True),
        ("paris", ["Paris"], True, False),
    ],
)
def test_scoring(predicted, answers, prefix, expected):
    assert is_correct(predicted, answers, prefix=prefix) is expected
