"""Ready-made episodes of the user's: taken as they are, or refused by file and line."""

import json
import re

import pytest

from taskvectors.data.episodes import write_episodes
from taskvectors.data.family_episodes import sampled
from taskvectors.data.given import given
from taskvectors.data.tasks import load_task
from taskvectors.errors import StudyError

TASK = load_task("next_letter", {"family": "f", "generate": "next_letter"})
SIZES = {"demonstrations": 3, "dummies": 2, "baseline": 2, "dev": 2, "test": 2}
SIZES |= {"repeats": {"baseline": 1, "dev": 1, "test": 1}}


@pytest.fixture
def file(tmp_path):
    SIZES["source"] = str(tmp_path)
    path = tmp_path / "next_letter.jsonl"
    write_episodes(path, sampled(TASK, SIZES, [0, 1]))
    return path


def test_sampled_episodes_are_taken_back_in_any_order(file):
    lines = file.read_text(encoding="utf-8").splitlines()
    expected = given(TASK, SIZES, [0, 1])
    file.write_text("\n".join(reversed(lines)) + "\n", encoding="utf-8")
    assert given(TASK, SIZES, [0, 1]) == expected[::-1]
    assert {episode.seed for episode in expected} == {0, 1} and len(expected) == 9


def changed(**changes):
    return lambda lines: [json.dumps(json.loads(lines[0]) | changes), *lines[1:]]


def last(**changes):
    return lambda lines: [*lines[:-1], json.dumps(json.loads(lines[-1]) | changes)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: [*lines, lines[0]], r"line 10: baseline episode 0 of seed 0 is already in line 1"),
        (lambda lines: [lines[0], "{}"], r"line 2: an episode is an object with the keys"),
        (lambda lines: lines[:1], r"next_letter.jsonl: no episodes of split dev, test at seed 0. Add them"),
        (
            lambda lines: [line for line in lines if '"dev", "seed": 1' not in line],
            r"no episodes of split dev at seed 1",
        ),
        (changed(split="test@x"), r"line 1: task must be next_letter, split one of baseline, dev, test"),
        (changed(split="test@0"), r"line 1: task must be next_letter"),
        (changed(task="to_upper"), r"line 1: task must be next_letter"),
        (changed(seed=5), r"line 1: task must be next_letter.*seed one of 0, 1 \(`study: seeds`\)"),
        (changed(pair=["a", "b"]), r"line 1: task must be next_letter.*pair null"),
        (last(demos=[["a", "b"]]), r"line 9: 1 demonstrations, but `episodes: demonstrations` asks for 3"),
        (last(dummies=["é"]), r"line 9: 1 dummies, but `episodes: dummies` asks for 2"),
    ],
)
def test_what_is_wrong_is_refused_by_file_and_line(file, change, message):
    lines = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join(change(lines)) + "\n", encoding="utf-8")
    with pytest.raises(StudyError) as error:
        given(TASK, SIZES, [0, 1])
    assert re.search(message, str(error.value)), str(error.value)


def test_a_further_seed_may_be_left_out_altogether(file):
    lines = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join(line for line in lines if '"seed": 1' not in line) + "\n", encoding="utf-8")
    assert {episode.seed for episode in given(TASK, SIZES, [0, 1])} == {0}
