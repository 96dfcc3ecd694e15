"""Recognition or learning: vectors and losses beside plain passes; parts that add up; claims."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from test_gradient import KINDS, LAYER, PREFIX, SEED, TASKS, drawn, plain_loss, plain_theta

from taskvectors.data.episodes import TEST, by_task
from taskvectors.data.sampling import shuffled_answers
from taskvectors.measuring.demonstrations import behind_other_inputs
from taskvectors.names import ACCURACY, LOSS, THETA, V0
from taskvectors.observations.claims import NO_BASIS, SHOWN, TOO_SMALL
from taskvectors.questions.main_result.measure import extract
from taskvectors.questions.recognition.claims import CLAIMS, claims
from taskvectors.questions.recognition.measure import in_place, recognition
from taskvectors.questions.recognition.names import LADDER, OTHER_INPUTS, SAME_TASK, SHUFFLED, SUBJECTS
from taskvectors.questions.recognition.tables import parts_of
from taskvectors.questions.recognition.tables import recognition as recognition_table


@pytest.fixture(scope="module")
def measured(lm):
    episodes = drawn(3)
    thetas = extract(lm, episodes, PREFIX, 1)[0]
    choice = pd.DataFrame({"task": list(TASKS), "layer": LAYER, "common_layer": LAYER})
    return episodes, thetas, recognition(lm, episodes, thetas, choice, {"episodes": 2}, PREFIX, 1, SEED)


def test_vectors_are_read_behind_the_demonstrations_that_their_names_say(lm, measured):
    episodes, thetas, table = measured
    test = [e for e in episodes if e.split == TEST and e.episode < 2]
    pools = by_task(episodes)
    vectors = in_place(lm, test, pools, None, thetas, LAYER, SEED)
    loss = table[table["measure"] == LOSS].set_index(["task", "episode", "subject"])["value"]
    for row, episode in enumerate(test):
        demos = {
            V0: (),
            THETA: episode.demos,
            SHUFFLED: shuffled_answers(episode.demos, SEED, "recognition", episode.task, episode.episode),
        }
        tests = [e for e in pools[episode.task] if e.split == TEST]
        following = [tests[(tests.index(episode) + more) % len(tests)] for more in range(1, len(tests))]
        other = next((e for e in following if episode.query not in e.shown), None)
        for subject, shown in demos.items():
            rows, of_rows = vectors[subject]
            expected = plain_theta(lm, episode, shown)
            assert torch.allclose(of_rows[rows.index(row)], expected, atol=1e-5)
            plain = float(plain_loss(lm, episode.demos, expected))
            assert loss[episode.task, episode.episode, subject] == pytest.approx(plain, abs=1e-4)
        if other is not None:
            rows, of_rows = vectors[SAME_TASK]
            assert torch.allclose(of_rows[rows.index(row)], plain_theta(lm, other, other.demos), atol=1e-5)
            assert episode.query not in other.shown


def test_other_inputs_have_other_answers_and_never_the_query():
    episodes = drawn(3)
    pools = by_task(episodes)
    test = [e for e in episodes if e.split == TEST]
    drawn_pairs = behind_other_inputs(test, pools, SEED)
    assert any(drawn_pairs)
    for episode, pairs in zip(test, drawn_pairs, strict=True):
        if not pairs:
            continue
        assert [answer for _, answer in pairs] == [answer for _, answer in episode.demos]
        inputs = [given for given, _ in pairs]
        assert len(set(inputs)) == len(inputs) and episode.query not in inputs
        assert not set(inputs) & {given for given, _ in episode.demos}
        true = {pair.input: set(pair.answers) for pair in TASKS[episode.task].pairs}
        assert all(answer not in true[given] for given, answer in pairs)
    assert behind_other_inputs(test, pools, SEED) == drawn_pairs


def test_a_task_without_other_inputs_has_no_such_control():
    (episode,) = [e for e in drawn(3, ("to_upper",)) if (e.split, e.episode) == (TEST, 0)]
    assert behind_other_inputs([episode], {"to_upper": [episode]}, SEED) == [()]


def made_up(values: dict[str, dict[str, float]], episodes: int = 30) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = [
        (task, episode, measure, subject, value + (0.01 * rng.standard_normal() if measure == LOSS else 0))
        for measure, by_subject in values.items() for subject, value in by_subject.items()
        for task in TASKS for episode in range(episodes)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["task", "episode", "measure", "subject", "value"]).assign(layer=1)


LOSSES = {V0: 5.0, "other_theta": 4.5, SHUFFLED: 2.0, SAME_TASK: 1.2, THETA: 1.0, OTHER_INPUTS: 2.5}
ANSWERS = {V0: 0.0, "other_theta": 0.0, SHUFFLED: 0.0, SAME_TASK: 1.0, THETA: 1.0, OTHER_INPUTS: 0.0}


def test_parts_add_up_to_the_whole_effect():
    table = recognition_table(made_up({LOSS: LOSSES, ACCURACY: ANSWERS}), "m", KINDS, list(TASKS), 0)
    means = table[table["task"] == "all"]
    parts = parts_of(means, LOSS)
    assert list(parts) == list(LADDER[1:]) and sum(parts.values()) == pytest.approx(1)
    by_hand = [(LOSSES[after] - LOSSES[before]) / (LOSSES[THETA] - LOSSES[V0]) for before, after in pairwise(LADDER)]
    assert list(parts.values()) == pytest.approx(by_hand, abs=0.01)
    steps = means[means["measure"] == ACCURACY].set_index("subject")["step"]
    assert steps[SAME_TASK] == 1 and steps[THETA] == 0 and set(table["subject"]) == set(SUBJECTS)
    assert parts_of(means[means["subject"] != SHUFFLED], LOSS) == {}


@pytest.mark.parametrize(("lacking", "verdict"), [(0.2, TOO_SMALL), (2.0, SHOWN)])
def test_a_share_of_the_drop_in_loss_decides_whether_theta_holds_demonstrations(lacking, verdict):
    losses = LOSSES | {SAME_TASK: LOSSES[THETA] + lacking}
    table = recognition_table(made_up({LOSS: losses, ACCURACY: ANSWERS}), "m", KINDS, list(TASKS), 0)
    choice = pd.DataFrame({"task": list(TASKS), "able": True, "role": "main"})
    found = {name: finding for name, _, finding in claims({"recognition": table, "layer_choice": choice}, {})}
    share = found["holds_demonstrations"]
    assert share.value == pytest.approx(lacking / 4, abs=0.02)
    assert share.verdict(CLAIMS["holds_demonstrations"].threshold) == verdict
    assert found["recognises_task"].verdict(CLAIMS["recognises_task"].threshold) == SHOWN
    assert found["pairing_matters"].verdict(CLAIMS["pairing_matters"].threshold) == SHOWN
    for answers, able in ((ANSWERS, []), (dict.fromkeys(ANSWERS, 0.0), list(TASKS))):  # below the floor; θ does nothing
        table = recognition_table(made_up({LOSS: losses, ACCURACY: answers}), "m", KINDS, able, 0)
        tables = {"recognition": table, "layer_choice": choice.assign(able=bool(able))}
        found = {name: finding for name, _, finding in claims(tables, {})}
        assert found["recognises_task"].verdict(CLAIMS["recognises_task"].threshold) == NO_BASIS
