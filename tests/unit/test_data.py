"""Task tables, the filter of answer lengths, episodes, prompts and scoring."""

import csv
import hashlib
import json
import re
import tempfile
import unicodedata
from collections import Counter
from dataclasses import replace
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import yaml
from hypothesis import strategies as st
from lemminflect import getAllLemmas

from taskvectors.data.episodes import Episode, read_episodes, write_episodes
from taskvectors.data.guessing import best_constant, given_queries, sampled_queries
from taskvectors.data.items import fetch_items
from taskvectors.data.pairs import Pair, read_table
from taskvectors.data.prompts import (
    dummy_prompts,
    growing_prompts,
    regular_prompt,
    unanswered_prompts,
    zero_shot_prompt,
)
from taskvectors.data.sampling import disputed, sample_conflict, sample_episode
from taskvectors.data.scoring import is_correct
from taskvectors.data.tasks import Task, inverse, load_task, one_to_one
from taskvectors.data.text import normal_form, unseen
from taskvectors.data.tokens import shared_spelling, short_answers
from taskvectors.errors import StudyError

ROOT = Path(__file__).parents[2]
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


# The last is the table of animal_tool, which is as long as its two classes have common words.
AMPLE = {"country_capital": 182, "country_currency": 190, "animal_tool_fixed": 130}


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_ample_and_no_output_equals_its_input(name):
    pairs = read_table(ENTRIES[name]["table"])
    assert len(pairs) >= AMPLE.get(name, 250)
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
        (b"input,answer\na,b\n", "line 1: no column output"),
        (b"input,output,also_accepted\n", "no rows"),
        (b"", "line 1: no column input, output"),
        (b"input,output,also_accepted,output\na,b,,c\n", "line 1: the column output is there 2 times"),
        (
            b"input,output,also_accepted\na,b,\na,c,\n",
            "line 3: input 'a' has the answer 'c', but 'b' in line 2. Delete one",
        ),
        (b"input,output,also_accepted\na,,\n", "line 2, column output: an empty text"),
        (b"input,output,also_accepted\n,b,\n", "line 2, column input: an empty text"),
        (b"input,output,also_accepted\na\n", "line 2: 3 cells expected, 1 found. Add what is missing"),
        (b"input,output,note\na,b\n", "line 2: 3 cells expected, 2 found. Add what is missing"),
        (b"input,output,also_accepted\na,b,c,d\n", "line 2: 3 cells expected, 4 found. Quote cells that hold a comma"),
        (b"input,output,also_acceptd\na,b,c\n", "line 1: the column 'also_acceptd' would be left out"),
        (b"\nsep=;\n\ninput;output\na;b\na;c\n", "line 6: input 'a' has the answer 'c', but 'b' in line 5"),
        (
            b"input;output;also_accepted\na;b;;c\n",
            "line 2: 3 cells expected, 4 found. Quote cells that hold a semicolon",
        ),
        (b"input,output,also_accepted,\na,b,,lost\n", "line 2: 'lost' is in a column without a name"),
        (b'input,output,also_accepted\na,"b\nc",\n', "line 3, column output: .* has a line break inside"),
        (b'input,output,also_accepted\na,b,"c\nd"\n', "line 3, column also_accepted: .* has a line break inside"),
        (b'input,output\n"a\nexample:b",c\n', "line 3, column input: .* begins as a demonstration does"),
        (b'input,output\n"a\n  example:b->c",c\n', "line 3, column input: .* begins as a demonstration does"),
        (b'input,output,also_accepted\na,"b,\nc,d,\n', "line 3: not CSV"),
        (b'input,output,also_accepted\na,"b"c,\n', "line 2: not CSV"),
        (b"input,output,also_accepted\na,little|small,\n", "line 2, column output: .* which separates other answers"),
        ("input,output,also_accepted\nx,y,\né,b,\n".encode("latin-1"), "line 3: not UTF-8 at byte"),
        ("input,output,also_accepted\nx,y,\n".encode("utf-16-le"), "line 1: a NUL byte, as in UTF-16 without"),
        (b"\xff\xfei\x00n", "line 1: not UTF-16 at byte 4"),
        (
            "input,output,also_accepted\napple,b,\napple\u200b,c,\n".encode(),
            r"line 3, column input: .*U.200B .zero width space",
        ),
        ("input,output,also_accepted\napple\u2028pie,b,\n".encode(), r"line 2, column input: .*U.2028 .line separator"),
        ("input,output,also_accepted\napple\x85pie,b,\n".encode(), r"line 2, column input: .*U.0085"),
        ("input,output,also_accepted\nap\u00adple,b,\n".encode(), r"line 2, column input: .*U.00AD .soft hyphen"),
        ("input,output,also_accepted\nfranc\ufffdais,b,\n".encode(), r"line 2, column input: .*U.FFFD .replacement"),
        ("input,output,also_accepted\na,\u202eb,\n".encode(), r"line 2, column output: .*U.202E"),
        ("input,output,also_accepted\na,b\ufe0f,\n".encode(), r"line 2, column output: .*U.FE0F"),
        (b"input,output,also_accepted\na,b\x00,\n", r"line 2: a NUL byte"),
        (
            "input,output,also_accepted\né,b,\ne\u0301,c,\n".encode(),
            "line 3: input 'é' has the answer 'c', but 'b' in line 2",
        ),
        (
            "input,output,also_accepted\nNew York,b,\nNew\u00a0York,c,\n".encode(),
            "line 3: input 'New York' has the answer 'c', but 'b' in line 2",
        ),
    ],
)
def test_bad_tables_are_refused_with_file_and_line(tmp_path, content, message):
    table = tmp_path / "bad.csv"
    table.write_bytes(content)
    with pytest.raises(StudyError, match=message) as error:
        read_table(table)
    assert "bad.csv" in str(error.value)


TABLE = (Pair("été", ("summer", "summertime")), Pair("New York", ("city",)))
TEXT = "input,output,also_accepted\nété,summer,summertime\nNew York,city,\n"
SPREADSHEETS = {
    "as it should be": TEXT.encode(),
    "a byte order mark": TEXT.encode("utf-8-sig"),
    "UTF-16 with a mark": TEXT.encode("utf-16"),
    "UTF-16, big end first": b"\xfe\xff" + TEXT.encode("utf-16-be"),
    "CR LF": TEXT.replace("\n", "\r\n").encode(),
    "CR alone": TEXT.replace("\n", "\r").encode(),
    "line ends of several kinds": TEXT.replace("\n", "\r\n", 1).encode(),
    "no end of line": TEXT.rstrip("\n").encode(),
    "semicolons": TEXT.replace(",", ";").encode(),
    "tabs": TEXT.replace(",", "\t").encode(),
    "quotes": ('"input","output","also_accepted"\n"été","summer","summertime"\n"New York","city",""\n').encode(),
    "rows of empty cells": (TEXT + ",,\n , ,\n\n").encode(),
    "empty columns at the end": "".join(f"{line},,\n" for line in TEXT.splitlines()).encode(),
    "another column": "note,input,output,also_accepted\nx,été,summer,summertime\n,New York,city,\n".encode(),
    "decomposed accents": TEXT.replace("é", "e\u0301").encode(),
    "a no-break space": TEXT.replace("New York", "New\u00a0York").encode(),
    "spaces around alternatives": TEXT.replace("summertime", "summertime | |summer").encode(),
}


@pytest.mark.parametrize("kind", SPREADSHEETS)
def test_what_spreadsheets_and_editors_write_is_read_as_it_is_meant(tmp_path, kind):
    (tmp_path / "t.csv").write_bytes(SPREADSHEETS[kind])
    assert read_table(tmp_path / "t.csv") == TABLE


ANYTHING = st.text(st.characters(), min_size=1, max_size=12)


@hypothesis.given(st.lists(st.tuples(ANYTHING, ANYTHING, st.lists(ANYTHING, max_size=2)), min_size=1, max_size=5))
@hypothesis.example([("0\u0338", "a", [])])
def test_any_text_in_a_table_is_read_as_it_stands_or_refused_by_line(rows):
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, "t.csv")
        with table.open("w", encoding="utf-8", errors="surrogatepass", newline="") as file:
            writer = csv.writer(file, quoting=csv.QUOTE_ALL)
            writer.writerow(["input", "output", "also_accepted"])
            writer.writerows([given, output, "|".join(others)] for given, output, others in rows)
        try:
            pairs = read_table(table)
        except StudyError as error:
            for fault in str(error).split("\n  ")[1:] or [str(error)]:
                assert re.match(rf"{re.escape(str(table))}(, line \d+|: the table has no rows)", fault)
            return
    kept = [row for row in rows if any(cell.strip() for cell in (row[0], row[1], "|".join(row[2])))]
    said: dict[str, str] = {}
    for given, output, _ in kept:  # of rows that say the same, one is read
        said.setdefault(normal_form(given).strip(), normal_form(output).strip())
    assert {pair.input: pair.answers[0] for pair in pairs} == said and len(said) == len(pairs)
    for pair in pairs:
        for text in (pair.input, *pair.answers):
            assert unicodedata.is_normalized("NFC", text) and text == text.strip()
            assert not unseen(text.replace("\n", " ").replace("\t", " "))
        assert not any("\n" in answer for answer in pair.answers)


@hypothesis.given(ANYTHING)
def test_the_normal_form_is_reached_at_once_and_looks_the_same(text):
    once = normal_form(text)
    assert normal_form(once) == once and unicodedata.is_normalized("NFC", once)
    assert unicodedata.normalize("NFKC", once) == unicodedata.normalize("NFKC", text)


@pytest.mark.parametrize(
    "text",
    [
        "می‌خواهم",
        "क्‍ष",
        "👩‍🔧",
        "❤️",
        "日本",
        "ÅÄÖ",
        "1️⃣",
        "#️⃣",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "a b",
        "naïve",
        "ﬁ",
        "↔️",
        "‼️",
        "ℹ️",
        "◾️",
        "〰️",
        "\U0001fae9",
    ],
)
def test_what_scripts_and_emoji_are_made_of_is_no_unseen_character(text):
    assert unseen(text) is None


@pytest.mark.parametrize("text", ["a\ufe0f", "a\U000e0067", "\ufe0f1", "\U000e0067", "1\u200d", "1\U000e0067"])
def test_the_same_characters_after_others_are_unseen(text):
    assert unseen(text)


def test_a_link_in_a_circle_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "t.csv").symlink_to(tmp_path / "t.csv")
    with pytest.raises(StudyError, match=r"t.csv: cannot be read \(.*\)\. Add the table"):
        read_table(tmp_path / "t.csv")


def test_missing_table_and_unknown_generator_name_the_remedy(tmp_path):
    with pytest.raises(StudyError, match=r"config/tasks.yaml"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(StudyError, match="sorted is not one of"):
        load_task("x", {"family": "algorithmic", "generate": "sorted"})


class Bytes:
    """A tokenizer of bytes, which is quick."""

    all_special_ids = (256,)

    def __call__(self, text, *, add_special_tokens):
        return {"input_ids": [list(one.encode()) for one in text]}

    def batch_decode(self, ids, clean_up_tokenization_spaces):
        return [bytes(of_text).decode() for of_text in ids]


class Words:
    """A tokenizer of letters that knows some words; a word begins where another token ends, spaces being its own."""

    all_special_ids = (0,)

    def __init__(self, *known):
        self.known = sorted(known, key=len, reverse=True)
        self.tokens = ["<end>", *self.known, *map(chr, range(256))]

    def __call__(self, text, *, add_special_tokens):
        return {"input_ids": [self.ids(one) for one in text]}

    def ids(self, text):
        head, arrow, answer = text.partition("->")
        tokens = [*head, *([arrow] if arrow in self.known else arrow)]
        tokens += [answer] if answer in self.known else answer
        return [self.tokens.index(token) for token in tokens]

    def batch_decode(self, ids, clean_up_tokenization_spaces):
        return ["".join(self.tokens[token] for token in of_text) for of_text in ids]


def test_filter_uses_the_spelling_that_keeps_more():
    task = Task("t", "f", (Pair("a", ("one", "uno")), Pair("b", ("two",)), Pair("c", ("three",))))
    spaced = short_answers(Words("one", " one", " two"), task)
    assert (spaced.kept, spaced.total, spaced.leading_space) == (2, 3, True)
    assert spaced.task.pairs[0] == Pair(" a", (" one", " uno"))
    tie = short_answers(Words("one", " two"), task)
    assert (tie.kept, tie.leading_space) == (1, False)
    longer = short_answers(Words("one"), task, answer_tokens=3)
    assert [pair.answers[0] for pair in longer.task.pairs] == ["one", "two"]


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
    return sample_episode(LETTERS, "test", number, **options)


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
        sample_episode(task, "test", n, demonstrations=demonstrations, dummies=2, seed=0) for n in range(count)
    ]


def resolved(name):
    entry = dict(ENTRIES[name])
    for how in ("inverse_of", "copy_of", "bijection_of", "other_direction"):
        if how in entry:
            entry[how] = ENTRIES[entry[how]]
    if "composed_of" in entry:
        entry["composed_of"] = [ENTRIES[other] for other in entry["composed_of"]]
    return entry


def test_tasks_of_limits_have_the_answers_that_their_rules_give():
    for pair in load_task("list_reversed", resolved("list_reversed")).pairs:
        assert pair.answers == (",".join(pair.input.split(",")[::-1]),)
    for pair in load_task("list_kth", resolved("list_kth")).pairs:
        place, letters = pair.input.split(":")
        assert pair.answers == (letters.split(",")[int(place) - 1],) and len(set(letters.split(","))) == 4
    counts = load_task("list_count", resolved("list_count"))
    assert all(pair.answers == (str(len(pair.input.split(","))),) for pair in counts.pairs)
    assert set(counts.by_answer) == set("123456") and len({pair.input for pair in counts.pairs}) == len(counts.pairs)
    classes = {pair.input: pair.answers[0] for pair in load_task("animal_tool", resolved("animal_tool")).pairs}
    places = set()
    for pair in load_task("choose_animal", resolved("choose_animal")).pairs:
        words = pair.input.split(", ")
        assert [word for word in words if classes[word] == "animal"] == [*pair.answers] and len(set(words)) == 3
        places.add(words.index(pair.answers[0]))
    assert places == {0, 1, 2}


def test_two_tasks_one_after_the_other():
    then = {pair.input: pair.answers for pair in load_task("next_upper", resolved("next_upper")).pairs}
    assert then["a"] == ("B",) and len(then) == 25
    first = {pair.input: pair.answers[0] for pair in load_task("es_en", resolved("es_en")).pairs}
    second = {pair.input: pair.answers for pair in load_task("antonyms", resolved("antonyms")).pairs}
    both = load_task("spanish_antonym", resolved("spanish_antonym")).pairs
    assert len(both) > 50 and all(pair.answers == second[first[pair.input]] for pair in both)
    back = {"family": "f", "composed_of": [{"generate": "to_upper"}, {"generate": "to_lower"}]}
    assert load_task("back", back).pairs == (), "an answer that is the input again is left out"


def test_renamed_outputs_are_those_of_the_table():
    kind = {pair.input: pair.answers[0] for pair in load_task("animal_tool", resolved("animal_tool")).pairs}
    entry = resolved("animal_tool_fixed")
    for pair in load_task("animal_tool_fixed", entry).pairs:
        assert pair.answers == (entry["renamed"][kind[pair.input]],)
    for renamed, said in (
        ({"animal": "x"}, "'tool' is not renamed"),
        ({"animal": "x", "tool": "y", "z": "q"}, "'z' is no output"),
    ):
        with pytest.raises(StudyError, match=f"renamed: {said}"):
            load_task("animal_tool_fixed", entry | {"renamed": renamed})


def test_a_choice_of_a_class_that_the_table_lacks_is_refused():
    with pytest.raises(StudyError, match="tasks: mine: wanted: 'plant' must be the class"):
        load_task("mine", resolved("choose_animal") | {"wanted": "plant"})


def test_copies_and_inverses():
    singular = {pair.input: pair.answers for pair in load_task("singular_plural", resolved("singular_plural")).pairs}
    assert singular["child"] == ("children",)
    assert all(pair.answers == (pair.input,) for pair in load_task("copy", resolved("copy")).pairs)


@pytest.mark.parametrize("name", ["upper_lower", "present_gerund", "english_french", "spanish_english"])
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
    with pytest.raises(StudyError, match=r"1 demonstrations cannot show the labels of 2 classes; it takes 2"):
        sample_episode(task, "test", 0, demonstrations=1, dummies=2, seed=0)
    assert sample_episode(task, "baseline", 0, demonstrations=0, dummies=0, seed=0).demos == ()
    assert len({e.answers for e in episodes}) > 5
    assert 10 < sum(kind[e.query] == "tool" for e in episodes) < 50
    few = Task("few", "limits", task.pairs, task.kind, ("foo",))
    with pytest.raises(StudyError, match=r"2 classes need as many labels, but only 1"):
        sample_episode(few, "test", 0, demonstrations=2, dummies=1, seed=0)


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
        sample_conflict(LETTERS, words, 0, demonstrations=2, dummies=1, seed=0)


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


def lopsided(counts):
    """A task of so many pairs an answer, as the filter may leave them."""
    pairs = [
        Pair(f"{'Ax'[i % 2]}{answer}{i}", (answer,)) for answer, count in counts.items() for i in range(count)
    ]  # half of the inputs begin with the letter of two continents
    return Task("t", "f", tuple(pairs))


def test_few_answers_are_sampled_evenly():
    task = lopsided({"Africa": 60, "Asia": 30, "Europe": 10})
    episodes = [sample_episode(task, "test", n, demonstrations=4, dummies=2, seed=0) for n in range(1500)]
    for drawn in ([e.answers[0] for e in episodes], [y for e in episodes for _, y in e.demos]):
        shares = np.array([count / len(drawn) for count in Counter(drawn).values()])
        assert len(shares) == 3 and abs(shares - 1 / 3).max() < 0.04
    inputs = [[e.query, *(x for x, _ in e.demos), *e.dummies] for e in episodes]
    assert all(len(set(of_episode)) == 7 for of_episode in inputs)
    scarce = lopsided({"a": 1, "b": 8})  # what is used up is drawn no more
    assert len({x for x, _ in sample_episode(scarce, "test", 0, demonstrations=6, dummies=1, seed=0).demos}) == 6


def test_of_many_answers_every_pair_is_as_likely():
    task = lopsided({"common": 50} | {f"rare {i}": 1 for i in range(50)})
    drawn = [sample_episode(task, "test", n, demonstrations=1, dummies=1, seed=0).answers[0] for n in range(1500)]
    assert abs(drawn.count("common") / 1500 - 0.5) < 0.05


@pytest.mark.parametrize("prefix", [False, True])
def test_of_equally_good_constant_answers_the_first_is_taken(prefix):
    """Not one that hashes of strings choose, which are others in every process."""
    words = [f"{letter}word" for letter in "qwertyuiopasdfghjklzxcvbnm"]
    assert best_constant([("", tuple(words), 0.5), ("", tuple(reversed(words)), 0.5)], prefix_scored=prefix)[0] == (
        "q" if prefix else "qword"
    )


@hypothesis.given(
    st.dictionaries(
        st.sampled_from(["Africa", "Asia", "Europe", "Oceania", "Ant", "Antarctica"]), st.integers(1, 20), min_size=1
    )
)
def test_the_best_constant_answer_is_that_of_all_that_could_be_tried(counts):
    task = lopsided(counts)
    queries = sampled_queries(task)
    assert sum(share for *_, share in queries) == pytest.approx(1)
    tried = {text[:length] for _, answers, _ in queries for text in answers for length in range(1, len(text) + 1)}
    for prefix in (False, True):
        shares = {
            t: sum(p for query, answers, p in queries if is_correct(t, answers, prefix_scored=prefix, query=query))
            for t in tried
        }
        best, share = best_constant(queries, prefix_scored=prefix)
        assert share == pytest.approx(max(shares.values())) == pytest.approx(shares[best])


def test_a_constant_answer_that_another_one_begins_is_right_for_both():
    queries = [("x", ("a",), 0.5), ("apple", ("ab",), 0.5)]  # a bare `a` may be a copy of apple
    assert best_constant(queries, prefix_scored=True) == ("ab", 1.0)
    assert best_constant(queries, prefix_scored=False) == ("a", 0.5)


def test_what_the_filter_leaves_is_judged_as_it_is_sampled():
    """Three continents of SmolLM2's: a third each, but a bare A is right by prefix in two thirds."""
    queries = sampled_queries(lopsided({"Africa": 60, "Asia": 30, "Europe": 10}))
    assert best_constant(queries, prefix_scored=False)[1] == pytest.approx(1 / 3)
    # Where the input begins with A, too, a bare A may be a copy of it, and is not right: in half of the queries here.
    assert best_constant(queries, prefix_scored=True) == ("A", pytest.approx(1 / 3))
    plain = [("x", answers, share) for _, answers, share in queries]
    assert best_constant(plain, prefix_scored=True) == ("A", pytest.approx(2 / 3))
    halves = sampled_queries(Task("t", "limits", (Pair("a", ("b",), ("a",)),), "bijection"))
    assert best_constant(halves, prefix_scored=False)[1] == 0.5
    assert best_constant(sampled_queries(Task("t", "limits", (), "labels", ("x", "y"))), prefix_scored=False)[1] == 0.5
    given = [replace(sample(demonstrations=2), answers=(a,), split="test") for a in "aab"]
    assert best_constant(given_queries(given), prefix_scored=False) == ("a", pytest.approx(2 / 3))


def test_an_inverse_accepts_every_input_that_leads_there():
    pairs = (
        Pair("stone", ("pierre",)),
        Pair("rock", ("roche", "pierre")),
        Pair("night", ("nuit", "soir")),
        Pair("evening", ("soir",)),
    )
    assert inverse(pairs) == (
        Pair("pierre", ("stone", "rock")),
        Pair("roche", ("rock",)),
        Pair("nuit", ("night",)),
        Pair("soir", ("evening", "night")),
    )
    (stone, *_) = one_to_one(pairs)
    assert stone.backward == ("stone", "rock")
    assert [pair.input for pair in one_to_one(pairs, ambiguous=("pierre", "night"))] == ["rock", "evening"]


def test_words_of_both_languages_stay_out_of_the_bijection():
    entry = resolved("english_french")
    pairs = load_task("english_french", entry).pairs
    assert len(pairs) > 200
    # An English dictionary has none of the French words, and no word stands on both sides.
    assert [pair.answers[0] for pair in pairs if getAllLemmas(pair.answers[0])] == []
    assert not {"pain", "chat", "main", "four", "son"} & {
        text for pair in pairs for text in (pair.input, pair.answers[0])
    }
    with pytest.raises(
        StudyError, match=r"english_french: ambiguous: chien is in no pair|ambiguous: zebra is in no pair"
    ):
        load_task("english_french", entry | {"ambiguous": ["zebra"]})


def test_too_few_pairs_are_refused_with_the_numbers():
    with pytest.raises(StudyError, match=r"needs 33 different inputs, but only 25 pairs"):
        sample(demonstrations=30)


def test_conflicting_episodes_share_the_query_and_hide_it_from_task_b():
    upper = load_task("to_upper", ENTRIES["to_upper"])
    for number in range(100):
        a, b = sample_conflict(LETTERS, upper, number, demonstrations=4, dummies=2, seed=0)
        assert a.pair == b.pair == ("next_letter", "to_upper") and a.split == b.split == "conflict"
        assert a.query == b.query
        assert not set(a.answers) & set(b.answers)
        for side in (a, b):
            inputs = [x for x, _ in side.demos]
            assert side.query not in {*inputs, *side.dummies}
            assert len({*inputs, *side.dummies}) == 6


def test_disputed_inputs_are_shared_and_answered_differently():
    a = Task("a", "f", (Pair("x", ("one",)), Pair("y", ("two", "deux")), Pair("z", ("three",))))
    b = Task("b", "f", (Pair("x", ("uno",)), Pair("y", ("deux",)), Pair("w", ("four",))))
    assert [pair.input for pair in disputed(a, b)] == ["x"] == [pair.input for pair in disputed(b, a)]


def test_tasks_without_shared_inputs_cannot_conflict():
    capitals = load_task("country_capital", ENTRIES["country_capital"])
    with pytest.raises(StudyError, match="share no input"):
        sample_conflict(LETTERS, capitals, 0, demonstrations=2, dummies=1, seed=0)


def test_episodes_survive_writing_and_reading(tmp_path):
    episodes = [sample(number) for number in range(3)]
    write_episodes(tmp_path / "e.jsonl", episodes)
    assert read_episodes(tmp_path / "e.jsonl") == episodes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answers": []}, "answers is empty"),
        ({"query": ""}, "query must be strings that are not empty"),
        ({"demos": [["a"]]}, "demos must be a list of"),
        ({"dummies": ["q"]}, "a dummy is the query"),
        ({"dummies": [" q"]}, "a dummy is the query"),
        ({"surplus": 1}, "an episode is an object with the keys"),
        ({"query": "q\u200b"}, "query: .*U.200B"),
        ({"query": "q\nexample:x->y"}, "query: .* begins as a demonstration does"),
        ({"dummies": ["d\n example:"]}, "dummies: .* begins as a demonstration does"),
        ({"answers": ["a\nb"]}, "answers: .*U.000A .line break"),
        ({"demos": [["c", "d\n"]]}, "demos: .*U.000A .line break"),
        ({"query": "\ud800"}, "query: .*U.D800"),
        ({"query": " "}, "query: ' ' is nothing but space"),
        ({"answers": ["r\r"]}, "answers: .*U.000D"),
        ({"demos": [["a", "b\x00"]]}, "demos: .*U.0000"),
        ({"episode": True}, "episode must be a whole number"),
        ({"episode": 1.0}, "episode must be a whole number"),
        ({"episode": -1}, "episode must be a whole number"),
        ({"episode": 10**30}, "episode must be a whole number"),
        ({"seed": "1"}, "seed must be a whole number"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"seed": 2**32}, "seed must be a whole number"),
        ({"pair": ["a"]}, "pair must be null or two names"),
        ({"pair": "a>b"}, "pair must be null or two names"),
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
        read_episodes(path)
    assert "line 2" in str(error.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"task": "t", "task": "u"}', "the key 'task' is there twice"),
        ("x", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("NaN", "an episode is an object"),
    ],
)
def test_lines_that_are_no_episodes_are_refused_by_number(tmp_path, line, message):
    path = tmp_path / "e.jsonl"
    write_episodes(path, [sample(0)])
    path.write_text(f"{path.read_text(encoding='utf-8')}{line}\n", encoding="utf-8")
    with pytest.raises(StudyError, match=rf"e.jsonl, line 2: {message}"):
        read_episodes(path)


def test_an_episode_without_a_seed_is_of_the_first(tmp_path):
    given = {
        "task": "t",
        "split": "test",
        "episode": 0,
        "demos": [["a", "b"]],
        "query": "q",
        "answers": ["r"],
        "dummies": ["z"],
    }
    path = tmp_path / "e.jsonl"
    path.write_text(json.dumps(given) + "\n", encoding="utf-8")
    (episode,) = read_episodes(path, 7)
    assert (episode.split, episode.seed, episode.pair) == ("test", 7, None)


@pytest.mark.parametrize("kind", ["as it should be", "mark", "utf-16", "CR LF", "decomposed", "no last line end"])
def test_given_episodes_are_read_as_editors_write_them(tmp_path, kind):
    episode = Episode("t", "test", 0, 0, (("été", "b"),), "où", ("né",), ("x",))
    path = tmp_path / "e.jsonl"
    write_episodes(path, [episode, episode])
    text = path.read_text(encoding="utf-8")
    text = {"CR LF": text.replace("\n", "\r\n"), "decomposed": unicodedata.normalize("NFD", text)}.get(kind, text)
    text = text.rstrip("\n") if kind == "no last line end" else text
    path.write_bytes(text.encode({"mark": "utf-8-sig", "utf-16": "utf-16"}.get(kind, "utf-8")))
    assert read_episodes(path) == [episode, episode]


@hypothesis.given(st.lists(ANYTHING, min_size=5, max_size=5))
def test_any_text_in_an_episode_survives_or_is_refused_by_line(texts):
    demo, output, query, answer, dummy = texts
    record = {"task": "t", "split": "dev", "episode": 0, "demos": [[demo, output]], "query": query}
    record |= {"answers": [answer], "dummies": [dummy]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "e.jsonl")
        path.write_text(
            json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8", errors="surrogatepass", newline=""
        )
        try:
            (episode,) = read_episodes(path)
        except StudyError as error:
            assert re.match(rf"{re.escape(str(path))}, line 1: ", str(error))
            return
        found = (*episode.demos[0], episode.query, *episode.answers, *episode.dummies)
        assert list(found) == [normal_form(text) for text in (demo, output, query, answer, dummy)]
        write_episodes(path, [episode])
        assert read_episodes(path) == [episode]


def test_growing_prompts_end_at_every_arrow():
    episode = Episode("t", "test", 0, 0, (("a", "b"), ("c", "d")), "q", ("r",), ("x", "y"))
    assert growing_prompts(episode) == [
        "example:a->",
        "example:a->b\nexample:c->",
        "example:a->b\nexample:c->d\nexample:x->",
    ]


def test_prompts_follow_the_template():
    episode = Episode("t", "dev", 0, 0, (("a", "b"), ("c", "d")), "x", ("y",), ("p", "q"))
    assert regular_prompt(episode) == "example:a->b\nexample:c->d\nexample:x->"
    assert dummy_prompts(episode)[1] == "example:a->b\nexample:c->d\nexample:q->"
    assert zero_shot_prompt(episode) == "example:x->"
    assert unanswered_prompts(["x", "y"]) == ["example:x->", "example:x->\nexample:y->"]


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
    assert is_correct(predicted, answers, prefix_scored=prefix) is expected
