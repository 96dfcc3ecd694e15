"""Tables as the field has them: two columns, TSV, JSON; rows that repeat; all faults at once; copies of inputs."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from taskvectors.data.pairs import MOST_FAULTS, Pair, faults_of_tables, load_table, place_of, read_table
from taskvectors.data.scoring import is_correct
from taskvectors.data.tasks import load_task
from taskvectors.errors import StudyError
from taskvectors.study import study_of

ROOT = Path(__file__).parents[2]
ENTRIES = yaml.safe_load((ROOT / "config/tasks.yaml").read_text(encoding="utf-8"))["tasks"]
TABLE = (Pair("sky", ("blue",)), Pair("blood", ("red", "crimson")))
FORMS = {
    "two columns.csv": "input,output\nsky,blue\nblood,red\n",
    "columns in any order and case.csv": "Output, INPUT ,note\nblue,sky,x\nred,blood,\n",
    "tabs.tsv": "input\toutput\talso_accepted\nsky\tblue\t\nblood\tred\tcrimson\n",
    "list.json": '[{"input": "sky", "output": "blue"}, {"input": "blood", "output": "red", "also_accepted": "crimson"}]',
    "lists of answers.JSON": '[{"output": ["blue"], "input": "sky"}, {"input": "blood", "output": ["red", "crimson"]}]',
    "mapping.json": '{"sky": "blue", "blood": ["red", "crimson"]}',
    "with a mark.json": '\ufeff{\n\t"sky": "blue",\n\t"blood": "red"\n}',
    "outer blanks.csv": 'input,output\n sky,"blue\n"\nblood\t,"\n\u00a0red "\n',
    "rows twice.csv": "input,output,also_accepted\nsky,blue,\nblood,red,\nsky, blue,\nblood,red,crimson\n",
    "an accepted answer first.json": '[{"input": "blood", "output": "red"}, {"input": "sky", "output": "blue"},'
    ' {"input": "blood", "output": "crimson", "also_accepted": "red"}]',
    "quotes behind blanks.csv": 'input, output\nsky, "blue"\n"blood", "red"\n',
    "names with blanks.csv": "Input;Output;Also accepted\nsky;blue;\nblood;red;crimson\n",
    "names with hyphens.tsv": "input\toutput\talso-accepted\nsky\tblue\nblood\tred\tcrimson\n",
    "as Excel marks it.csv": "sep=;\ninput;output\nsky;blue\nblood;red\n",
    "blank lines and empty cells.csv": "\n \ninput,output\nsky,blue,\n,,\nblood,red,,\n",
    "an accepted answer again.json": '{"sky": "blue", "blood": ["red", "crimson"], "blood ": "crimson"}',
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_a_table_is_read(name, tmp_path):
    file = tmp_path / name
    file.write_text(FORMS[name], encoding="utf-8")
    assert {pair.input: pair.answers[0] for pair in read_table(file)} == {"sky": "blue", "blood": "red"}
    if "crimson" in FORMS[name]:
        assert {pair.input: pair.answers for pair in read_table(file)} == {pair.input: pair.answers for pair in TABLE}


def test_numbers_without_quotes_are_read_as_they_stand(tmp_path):
    (tmp_path / "t.json").write_text('{"one": 1, "two": [2, "zwei"]}')
    assert read_table(tmp_path / "t.json") == (Pair("one", ("1",)), Pair("two", ("2", "zwei")))
    (tmp_path / "t.json").write_text('[{"input": "none", "output": "zero", "also_accepted": 0}]')
    assert read_table(tmp_path / "t.json") == (Pair("none", ("zero", "0")),)


def test_what_was_merged_and_dropped_is_counted(tmp_path):
    (tmp_path / "a.csv").write_text(FORMS["rows twice.csv"])
    (tmp_path / "b.csv").write_text(FORMS["outer blanks.csv"], encoding="utf-8")
    once, trimmed = load_table(tmp_path / "a.csv"), load_table(tmp_path / "b.csv")
    # A blank behind a comma is the writer's way to set cells apart.
    assert (once.repeated, once.trimmed, trimmed.repeated, trimmed.trimmed) == (2, 0, 0, 3)
    assert place_of(tmp_path / "a.csv", "blood") == "line 3" and place_of(tmp_path / "a.csv", "none") is None


def test_an_input_may_have_several_lines_and_tabs(tmp_path):
    rows = [{"input": "a\nb\tc", "output": "d\te"}, {"input": "an example:\nexample", "output": "f"}]
    (tmp_path / "t.json").write_text(json.dumps(rows))
    assert [pair.input for pair in read_table(tmp_path / "t.json")] == ["a\nb\tc", "an example:\nexample"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[1]", "entry 1: an entry is an object with input and output"),
        ('[{"input": "a"}]', "entry 1: an entry is an object with input and output"),
        ('[{"input": "a", "input": "b", "output": "c"}]', "entry 1: .* each once"),
        ('[{"input": "a", "output": null}]', "entry 1: inputs and outputs are strings"),
        ('[{"input": "a", "output": []}]', "entry 1: inputs and outputs are strings"),
        ('[{"input": "a", "output": {"b": "c"}}]', "entry 1: inputs and outputs are strings"),
        ('[{"input": "a", "output": "b|c"}]', "entry 1, column output: .* holds ., which separates other answers"),
        ('[{"input": "a", "output": "b", "also_accepted": false}]', "entry 1: inputs and outputs are strings"),
        ('[{"input": "a", "output": "b", "also_accepted": {}}]', "entry 1: inputs and outputs are strings"),
        ('{"input": ["a", "c"], "output": ["b", "d"]}', "one entry, or whole columns"),
        ('{"input": "a", "output": "b"}', "one entry, or whole columns"),
        ('{"a": true}', "entry 1: inputs and outputs are strings"),
        ('{"a": 1.5}', "entry 1: inputs and outputs are strings"),
        ('{"a": "b", "a": "c"}', "entry 2: input 'a' has the answer 'c', but 'b' in entry 1"),
        ('{"a": " "}', "entry 1, column output: an empty text"),
        ('{"a": "b\\nc"}', "entry 1, column output: .* has a line break inside"),
        ('{"a\\nexample:b": "c"}', "entry 1, column input: .* begins as a demonstration does"),
        ('{"a\\u200b": "c"}', "entry 1, column input: .*U.200B"),
        ('"a"', "neither a list of"),
        ("[]", "the table has no rows"),
        ("{}", "the table has no rows"),
        ('{"a": "b"', "line 1: not JSON"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_bad_json_is_refused_by_entry(text, fault, tmp_path):
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(StudyError, match=rf"t\.json(, |: ){fault}"):
        read_table(tmp_path / "t.json")


def test_a_long_text_is_read_and_quotes_that_stay_open_are_seen(tmp_path):
    (tmp_path / "t.csv").write_text(f"input,output\n{'a ' * 100_000}b,c\n")
    assert len(read_table(tmp_path / "t.csv")[0].input) == 200_001
    (tmp_path / "t.csv").write_text('input,output\n"a,b\n' + "c,d\n" * 50_000)
    with pytest.raises(StudyError, match=r"not CSV .*Close and double the quotes"):
        read_table(tmp_path / "t.csv")


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fifty").mkdir()
    for number in range(50):
        rows = [{"input": f"{letter}{number}", "output": letter} for letter in "abcdefghij"]
        (tmp_path / f"fifty/set_{number}.json").write_text(json.dumps(rows))
    return tmp_path / "fifty"


def test_a_folder_of_fifty_tables_of_other_people_is_read(folder):
    for name in ("._set_1.json", ".hidden.csv", "notes.txt", "README.md"):
        (folder / name).write_bytes(b"\0\0\0")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints/x.csv").write_text("input,output\n")
    study = study_of({"task_folders": [{"folder": "fifty"}], "study": {"tasks": ["own"]}})
    assert len(study.tasks) == 50


def test_all_faults_of_all_tables_are_one_message(folder):
    (folder / "set_3.json").write_text(
        '[{"input": "a"}, {"input": "b", "output": "c\\nd"}, {"input": "e", "output": "f"}]'
    )
    (folder / "set_4.json").unlink()
    (folder / "set_4.csv").write_text("input,output\na,b\na,c\nd\n")
    (folder / "set_5.json").write_text("{")
    with pytest.raises(StudyError) as error:
        study_of({"task_folders": [{"folder": "fifty"}], "study": {"tasks": ["own"]}})
    heading, *faults = str(error.value).split("\n  ")
    assert heading == "5 faults in tables:" and len(faults) == 5
    parts = ["set_3.json, entry 1:", "set_3.json, entry 2, column output:", "set_4.csv, line 3: input 'a'"]
    for part in [*parts, "set_4.csv, line 4: 2 cells", "set_5.json, line 1: not JSON"]:
        assert sum(part in fault for fault in faults) == 1, part
    # Once, when the study is planned: not again in every job.
    assert study_of({"task_folders": [{"folder": "fifty"}], "study": {"tasks": ["own"]}}, rows=False).tasks


def test_hundreds_of_faults_are_shown_in_part(tmp_path):
    (tmp_path / "t.csv").write_text("input,output\n" + ",b\n" * 100)
    assert len(faults_of_tables([tmp_path / "t.csv"])) == 100
    with pytest.raises(StudyError, match=rf"100 faults in tables:[\s\S]*… and {100 - MOST_FAULTS} more"):
        read_table(tmp_path / "t.csv")


# --- copies


@given(query=st.text("abc ", max_size=6), answer=st.text("abc", min_size=1, max_size=6), length=st.integers(1, 6))
def test_by_prefix_no_beginning_of_the_query_is_right_unless_it_is_the_answer(query, answer, length):
    copied = query.strip()[:length].strip()
    assert is_correct(copied, [answer], prefix_scored=True, query=query) == (copied == answer)


@pytest.mark.parametrize("name", [name for name, entry in ENTRIES.items() if entry.get("scoring") == "prefix"])
def test_a_copied_input_is_never_right_by_prefix(name):
    """Nor its first words: `Sri` behind Sri Lanka."""
    for pair in read_table(ROOT / ENTRIES[name]["table"]):
        words = pair.input.split(" ")
        for count in range(1, len(words) + 1):
            copied = " ".join(words[:count])
            assert not is_correct(copied, pair.answers, prefix_scored=True, query=pair.input), (pair, copied)
        assert not is_correct(pair.input, pair.answers, prefix_scored=True), pair  # whatever the query is taken for


def test_a_copy_of_the_query_with_something_behind_it_is_a_copy():
    assert not is_correct("Nigeria->", ["Niger"], prefix_scored=True, query="Nigeria")
    assert is_correct("Nigerian", ["Niger"], prefix_scored=True, query="Niamey") and is_correct(
        "S", ["Spanish"], prefix_scored=True, query="Cervantes"
    )
    assert is_correct("Spanish", ["Spanish"], prefix_scored=True, query="Spanish Harlem")


def test_continents_are_scored_whole():
    """By prefix a bare A would be Africa and Asia."""
    assert ENTRIES["location_continent"]["scoring"] == "exact"
    pairs = read_table(ROOT / "data/tasks/location_continent.csv")
    assert len({pair.answers[0][0] for pair in pairs}) < 6
    # Of three continents that a tokenizer leaves, each is right in a third: no place is in two.
    assert {answer for pair in pairs for answer in pair.answers[1:]} <= {"Australia"}


def test_a_bijection_accepts_on_the_way_back_what_the_table_of_that_direction_accepts():
    """*home, kid, dad, town* behind French words."""
    entry = ENTRIES["english_french"]
    made = entry | {
        key: {"table": str(ROOT / ENTRIES[entry[key]]["table"])} for key in ("bijection_of", "other_direction")
    }
    pairs = load_task("english_french", made).pairs
    back = {pair.input: set(pair.answers) for pair in read_table(ROOT / ENTRIES["fr_en"]["table"])}
    assert [p for p in pairs if not back.get(p.answers[0], set()) <= set(p.backward)] == []
    assert all(pair.backward[0] == pair.input for pair in pairs)
    less = load_task("english_french", {key: value for key, value in made.items() if key != "other_direction"}).pairs
    assert sum(set(one.backward) != set(other.backward) for one, other in zip(pairs, less, strict=True)) > 50
    inverse = load_task(
        "t", {"family": "f", "inverse_of": made["bijection_of"], "other_direction": made["other_direction"]}
    )
    assert {"home", "house"} <= set(next(p.answers for p in inverse.pairs if p.input == "maison"))
