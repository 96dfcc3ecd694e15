"""Task tables, the filter of answer lengths, episodes, prompts and scoring."""

import csv
import hashlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from taskvectors import episodes as ep
from taskvectors.errors import StudyError
from taskvectors.items import fetch_items
from taskvectors.prompts import dummy_prompts, growing_prompts, regular_prompt, zero_shot_prompt
from taskvectors.scoring import is_correct
from taskvectors.tasks import Pair, Task, load_task, read_table
from taskvectors.tokens import decode_answers, shared_spelling, short_answers

ROOT = Path(__file__).parents[1]
ENTRIES = yaml.safe_load((ROOT / "config/tasks.yaml").read_text(encoding="utf-8"))["tasks"]
TABLES = [name for name, entry in ENTRIES.items() if "table" in entry]
SOURCES = {
    name: entry[key] for name, entry in ENTRIES.items() for key in ("table", "lookup", "classes") if key in entry
}
PAPER = {row["task"] for row in csv.DictReader((ROOT / "data/paper/main_results.csv").open(encoding="utf-8"))}


@pytest.fixture(autouse=True)
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_all_tasks_of_the_paper_are_there():
    assert {name for name, entry in ENTRIES.items() if not entry.get("ours")} == PAPER
    assert len(PAPER) == 18
    assert {Path(path).stem for path in SOURCES.values()} == {path.stem for path in Path("data/tasks").glob("*.csv")}


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_ample_and_no_output_equals_its_input(name):
    pairs = read_table(ENTRIES[name]["table"])
    assert len(pairs) >= {"country_capital": 190, "country_currency": 190}.get(name, 250)
    assert not [pair for pair in pairs if pair.answers[0] == pair.input]


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


def many(name, demonstrations=4, count=60):
    task = load_task(name, resolved(name))
    return task, [
        ep.sample_episode(task, "test", n, demonstrations=demonstrations, dummies=2, seed=0) for n in range(count)
    ]


def resolved(name):
    entry = dict(ENTRIES[name])
    for how in ("inverse_of", "copy_of", "bijection_of"):
        if how in entry:
            entry[how] = ENTRIES[entry[how]]
    return entry


def test_copies_and_inverses():
    singular = {pair.input: pair.answers for pair in load_task("singular_plural", resolved("singular_plural")).pairs}
    assert singular["child"] == ("children",)
    assert all(pair.answers == (pair.input,) for pair in load_task("copy", resolved("copy")).pairs)


@pytest.mark.parametrize("name", ["upper_lower", "present_gerund", "english_french"])
def test_bijections_use_both_directions_and_never_give_the_answer_away(name):
    task, episodes = many(name)
    there = {pair.input: pair.answers[0] for pair in task.pairs}
    back = {output: given for given, output in there.items()}
    assert len(task.pairs) >= 20 and not set(there) & set(back)  # each input has one direction
    for episode in episodes:
        shown = [episode.query, *episode.dummies, *(x for x, _ in episode.demos)]
        assert len({there.get(x, x) for x in shown}) == len(shown) == 7
        for given, output in [*episode.demos, (episode.query, episode.answers[0])]:
            assert (there | back)[given] == output
    assert 10 < sum(episode.query in there for episode in episodes) < 50


def test_a_lookup_asks_for_a_demonstrated_key_whose_word_changes_from_episode_to_episode():
    _, episodes = many("letter_word")
    for episode in episodes:
        shown = dict(episode.demos)
        assert (shown[episode.query],) == episode.answers
        assert len(shown) == len(set(shown.values())) == 4 and not set(shown) & set(episode.dummies)
    answers = {e.answers for e in episodes if e.query == episodes[0].query}
    assert len(answers) > 1 or sum(e.query == episodes[0].query for e in episodes) == 1
    assert many("letter_word", demonstrations=0, count=1)[1][0].demos == ()  # a baseline episode


def test_labels_of_classes_change_from_episode_to_episode_and_are_both_demonstrated():
    task, episodes = many("animal_tool")
    kind = {pair.input: pair.answers[0] for pair in task.pairs}
    for episode in episodes:
        label = {kind[x]: y for x, y in episode.demos}
        assert len(set(label.values())) == 2 and set(label.values()) <= set(task.labels)
        assert all(label[kind[x]] == y for x, y in episode.demos) and episode.answers == (label[kind[episode.query]],)
        inputs = [episode.query, *episode.dummies, *(x for x, _ in episode.demos)]
        assert len(set(inputs)) == 7
    assert len({e.answers for e in episodes}) > 5
    assert 10 < sum(kind[e.query] == "tool" for e in episodes) < 50
    few = Task("few", "limits", task.pairs, task.kind, ("foo",))
    with pytest.raises(StudyError, match=r"2 classes need as many labels, but only 1"):
        ep.sample_episode(few, "test", 0, demonstrations=2, dummies=1, seed=0)


def test_the_filter_looks_at_both_sides_of_bijections_and_at_labels():
    both = Task("b", "limits", (Pair("x", ("one",)), Pair("yy", ("one",))), kind="bijection")
    assert short_answers(Words("x", "one"), both).task.pairs == (Pair("x", ("one",)),)
    labelled = Task("l", "limits", (Pair("cat", ("animal",)),), kind="labels", labels=("foo", "xyzzy", "bar"))
    spaced = short_answers(Words(" foo", " bar"), labelled)
    assert spaced.task.labels == (" foo", " bar") and spaced.task.pairs == (Pair(" cat", (" animal",)),)
    assert (spaced.kept, spaced.total) == (1, 1)


def test_tasks_without_a_fixed_answer_cannot_conflict():
    words = load_task("letter_word", resolved("letter_word"))
    with pytest.raises(StudyError, match="letter_word has no fixed answer"):
        ep.sample_conflict(LETTERS, words, 0, demonstrations=2, dummies=1, seed=0)


def test_the_papers_items_are_fetched_checked_and_turned_into_tables(tmp_path):
    items = tmp_path / "repository/data/knowledge/some task.json"
    items.parent.mkdir(parents=True)
    items.write_text(json.dumps({"France": "Paris", "a, b": "c"}), encoding="utf-8")
    checksum = hashlib.sha256(items.read_bytes()).hexdigest()
    fetch_items(items.as_uri(), checksum, tmp_path / "t.csv")
    assert read_table(tmp_path / "t.csv") == (Pair("France", ("Paris",)), Pair("a, b", ("c",)))
    with pytest.raises(StudyError, match=r"sha256 is .*, expected 000"):
        fetch_items(items.as_uri(), "0" * 64, tmp_path / "u.csv")
    with pytest.raises(StudyError, match=r"cannot download file:.*items: base_url"):
        fetch_items((tmp_path / "none.json").as_uri(), checksum, tmp_path / "u.csv")
    items.write_text("[1]")
    with pytest.raises(StudyError, match="not a JSON object of strings"):
        fetch_items(items.as_uri(), hashlib.sha256(b"[1]").hexdigest(), tmp_path / "u.csv")
    assert not (tmp_path / "u.csv").exists()


def test_a_million_rows_stay_under_a_gigabyte(tmp_path):
    """Reading, filtering and sampling, in a process of its own to see its peak."""
    table = tmp_path / "million.csv"
    with table.open("w", encoding="utf-8") as file:
        file.write("input,output,also_accepted\n")
        file.writelines(f"input number {i},output{i % 1000},\n" for i in range(1_000_000))
    code = f"""
import resource, sys
sys.path[:0] = ["workflow/scripts", "tests"]
from test_data import Words
from taskvectors.episodes import sample_episode
from taskvectors.tasks import load_task
from taskvectors.tokens import short_answers
task = load_task("million", {{"family": "own", "table": {str(table)!r}}})
kept = short_answers(Words(*(f" output{{i}}" for i in range(900))), task)
for number in range(200):
    sample_episode(kept.task, "test", number, demonstrations=5, dummies=2, seed=0)
print(kept.total, kept.kept, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    total, kept, megabytes = map(int, result.stdout.split())
    assert (total, kept) == (1_000_000, 900_000)
    assert megabytes < 1000


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


def test_disputed_inputs_are_shared_and_answered_differently():
    a = Task("a", "f", (Pair("x", ("one",)), Pair("y", ("two", "deux")), Pair("z", ("three",))))
    b = Task("b", "f", (Pair("x", ("uno",)), Pair("y", ("deux",)), Pair("w", ("four",))))
    assert [pair.input for pair in ep.disputed(a, b)] == ["x"] == [pair.input for pair in ep.disputed(b, a)]


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


def test_growing_prompts_end_at_every_arrow():
    episode = ep.Episode("t", "test", 0, (("a", "b"), ("c", "d")), "q", ("r",), ("x", "y"))
    assert growing_prompts(episode) == [
        "example:a->",
        "example:a->b\nexample:c->",
        "example:a->b\nexample:c->d\nexample:x->",
    ]


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
