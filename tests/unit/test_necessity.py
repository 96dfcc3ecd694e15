"""Is θ necessary: changes of the last token beside plain passes, the table by hand, and its claims."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from test_gradient import KINDS, LAYER, PREFIX, SEED, TASKS, drawn

from taskvectors.data.episodes import DEV, TEST
from taskvectors.data.prompts import regular_prompt
from taskvectors.data.scoring import is_correct
from taskvectors.data.tokens import decode_answers, prompt_ids
from taskvectors.engine.definition import Intervention, plain_answer, plain_states
from taskvectors.measuring.vectors import random_directions, v0_of
from taskvectors.models.language_model import block_hidden, temporary_hooks, with_hidden
from taskvectors.names import THETA, V0
from taskvectors.observations.claims import NO_BASIS, SHOWN, TOO_SMALL
from taskvectors.questions.main_result.measure import extract
from taskvectors.questions.necessity.claims import CLAIMS, claims
from taskvectors.questions.necessity.measure import means_of_tasks, necessity
from taskvectors.questions.necessity.names import MEAN, OTHER_PART, RANDOM_PART, REGULAR, REMOVED, TASK_PART, ZERO_SHOT
from taskvectors.questions.necessity.page import numbers
from taskvectors.questions.necessity.tables import necessity as necessity_table

CHOICE = pd.DataFrame({"task": list(TASKS), "common_layer": LAYER})


@pytest.fixture(scope="module")
def measured(lm):
    episodes = drawn(3)
    thetas = extract(lm, episodes, PREFIX, 1)[0]
    return episodes, thetas, necessity(lm, episodes, thetas, CHOICE, {"episodes": 2, "layer_step": 1}, PREFIX, 1, SEED)


@pytest.mark.parametrize("base", [False, True])
def test_a_projection_replaces_the_component_along_a_vector_and_nothing_else(base):
    rng = np.random.default_rng(0)
    states, vector, mean = rng.normal(size=(2, 3, 5)), rng.normal(size=(2, 5)), rng.normal(size=(2, 5))
    change = Intervention(0, torch.tensor(vector), "project", base=torch.tensor(mean) if base else None)
    new = change.applied(torch.tensor(states)).numpy()
    assert np.array_equal(new[:, :-1], states[:, :-1])
    for row in range(2):
        unit = vector[row] / np.linalg.norm(vector[row])
        assert new[row, -1] @ unit == pytest.approx(mean[row] @ unit if base else 0)
        across = np.eye(5) - np.outer(unit, unit)
        assert across @ new[row, -1] == pytest.approx(across @ states[row, -1])
    nothing = Intervention(0, torch.zeros(2, 5, dtype=torch.double), "project").applied(torch.tensor(states))
    assert np.array_equal(nothing.numpy(), states)


def test_every_change_is_that_of_a_plain_pass(lm, measured):
    """The last token's state by hand, in a forward hook of the model itself."""
    episodes, thetas, table = measured
    test = [e for e in episodes if e.split == TEST and e.episode < 2]
    means = means_of_tasks(thetas, dict.fromkeys(TASKS), SEED)
    over_tasks = torch.stack(list(means.values())).mean(dim=0)[LAYER]
    following = dict(zip(sorted(TASKS), [*sorted(TASKS)[1:], min(TASKS)], strict=True))
    rows = table.set_index(["task", "episode", "subject", "step", "measure"])["value"]
    for episode in test:
        (ids,) = prompt_ids(lm.tokenizer, [regular_prompt(episode)])
        unchanged = plain_states(lm, ids)[2].softmax(-1)
        v0 = v0_of(lm, [episode])[0, LAYER]
        theta = torch.from_numpy(thetas.of_episodes([episode.key])[0, LAYER].copy())
        wanted = {
            V0: lambda h, v0=v0: v0,
            THETA: lambda h, theta=theta: theta,
            MEAN: lambda h: over_tasks,
            RANDOM_PART: lambda h, e=episode: h + random_part(e, means[e.task][LAYER] - over_tasks),
            TASK_PART: lambda h, task=episode.task: moved(h, means[task][LAYER] - over_tasks, over_tasks),
            OTHER_PART: lambda h, task=following[episode.task]: moved(h, means[task][LAYER] - over_tasks, over_tasks),
        }
        for name, change in wanted.items():
            logits = changed_logits(lm, ids, change)
            word = decode_answers(lm.tokenizer, [[int(logits.argmax())]], lm.ends)[0]
            correct = is_correct(word, episode.answers, prefix_scored=False, query=episode.query)
            at = (episode.task, episode.episode, name, LAYER)
            assert rows[*at, "accuracy"] == correct
            distance = jensenshannon(logits.softmax(-1).numpy(), unchanged.numpy(), base=2) ** 2
            assert rows[*at, "divergence"] == pytest.approx(distance, abs=1e-5)
        answer = plain_answer(lm, ids)[0]
        word = decode_answers(lm.tokenizer, [answer], lm.ends)[0]
        own = table[(table["task"] == episode.task) & (table["episode"] == episode.episode)]
        regular = own[(own["subject"] == REGULAR) & (own["measure"] == "accuracy")]["value"]
        assert regular.tolist() == [is_correct(word, episode.answers, prefix_scored=False, query=episode.query)]


def moved(state, direction, base):
    unit = direction / direction.norm()
    return state - (state @ unit) * unit + (base @ unit) * unit


def random_part(episode, part):
    (drawn,) = random_directions(SEED, [("random part", episode.task, episode.episode, LAYER)], part[None])
    assert drawn.norm() == pytest.approx(float(part.norm()), rel=1e-5)
    return drawn


def changed_logits(lm, ids, change) -> torch.Tensor:
    def hook(block, inputs, output):
        hidden = block_hidden(output).clone()
        hidden[0, -1] = change(hidden[0, -1])
        return with_hidden(output, hidden)

    with torch.no_grad(), temporary_hooks([lm.blocks[LAYER].register_forward_hook(hook)]):
        return lm.model(torch.tensor([ids]), use_cache=False).logits[0, -1]


def test_means_come_from_dev_episodes_and_layers_below_the_top(lm, measured):
    _, thetas, table = measured
    expected = thetas.of("to_upper", DEV, SEED).theta.mean(axis=0)
    assert means_of_tasks(thetas, {"to_upper": None}, SEED)["to_upper"].numpy() == pytest.approx(expected, abs=1e-6)
    assert set(table["step"].dropna()) == set(range(lm.layers - 1))
    assert set(table["subject"]) >= {REGULAR, ZERO_SHOT, V0, THETA, MEAN, *REMOVED}


def test_a_single_task_has_no_part_of_its_own(lm):
    episodes = drawn(2, ("to_upper",))
    table = necessity(
        lm, episodes, extract(lm, episodes, PREFIX, 1)[0], CHOICE, {"episodes": 1, "layer_step": 2}, PREFIX, 1, SEED
    )
    assert set(table["subject"]) == {ZERO_SHOT, REGULAR, THETA, V0}
    assert set(table["step"].dropna()) == set(range(LAYER % 2, lm.layers - 1, 2)) and LAYER in set(table["step"])
    written = necessity_table(table, "m", KINDS, LAYER, [], 0)
    assert written["to_random"].isna().all() and written["lost"].notna().any()


def made_up(correct: dict[str, list[int]], task: str) -> pd.DataFrame:
    """Answers of one task under changes at the common layer, and of unchanged prompts."""
    rows = [
        (task, episode, name, None if name in (REGULAR, ZERO_SHOT) else 1, measure, float(hit) if measure == "accuracy" else 0.1 * hit)
        for name, hits in correct.items() for episode, hit in enumerate(hits) for measure in ("accuracy", "divergence")
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["task", "episode", "subject", "step", "measure", "value"]).astype(
        {"step": "Int64"}
    )


@pytest.mark.parametrize(
    ("left", "with_theta", "verdict"),
    [
        (0, 20, SHOWN),
        (20, 20, TOO_SMALL),  # nothing is; of twenty episodes others may
        (14, 20, TOO_SMALL),  # of twenty answers with demonstrations; six are lost
        (0, 2, TOO_SMALL),  # with θ in the place hardly more is left: it is not θ that is missed
    ],
)
def test_the_verdict_is_about_half_of_what_demonstrations_add(left, with_theta, verdict):
    every = {REGULAR: [1] * 20, ZERO_SHOT: [0] * 20, RANDOM_PART: [1] * 20, OTHER_PART: [1] * 20, TASK_PART: [0] * 20}
    every |= {V0: [1] * left + [0] * (20 - left), THETA: [1] * with_theta + [0] * (20 - with_theta)}
    observations = pd.concat([made_up(every, task) for task in TASKS], ignore_index=True)
    table = necessity_table(observations, "m", KINDS, 1, list(TASKS), 0)
    at = table.set_index(["task", "change"])
    assert at.loc[("to_upper", V0), "lost"] == pytest.approx((20 - left) / 20)
    assert at.loc[("to_upper", V0), "to_theta"] == pytest.approx((left - with_theta) / 20)
    assert at.loc[("to_upper", TASK_PART), ["to_random", "to_other"]].tolist() == [-1, -1]
    assert at.loc[("able", ZERO_SHOT), "lost"] == 1
    choice = pd.DataFrame({"task": list(TASKS), "able": True, "common_layer": 1, "role": "main"})
    found = {name: finding for name, _, finding in claims({"necessity": table, "layer_choice": choice}, {})}
    assert found["necessary"].verdict(CLAIMS["necessary"].threshold) == verdict
    assert found["task_part_necessary"].verdict(CLAIMS["task_part_necessary"].threshold) == SHOWN
    assert not list(claims({"layer_choice": choice}, {}))  # an archive of before


def test_where_demonstrations_add_nothing_there_is_no_basis():
    every = {REGULAR: [1, 0] * 10, ZERO_SHOT: [1] * 20, V0: [0] * 20, THETA: [1] * 20}
    observations = pd.concat([made_up(every, task) for task in TASKS], ignore_index=True)
    table = necessity_table(observations, "m", KINDS, 1, list(TASKS), 0)
    choice = pd.DataFrame({"task": list(TASKS), "able": True, "common_layer": 1, "role": "main"})
    found = {name: finding for name, _, finding in claims({"necessity": table, "layer_choice": choice}, {})}
    assert found["necessary"].verdict(CLAIMS["necessary"].threshold) == NO_BASIS
    none = necessity_table(observations, "m", KINDS, 1, [], 0)
    found = {name: finding for name, _, finding in claims({"necessity": none, "layer_choice": choice}, {})}
    assert found["necessary"].verdict(CLAIMS["necessary"].threshold) == NO_BASIS


@pytest.mark.parametrize(("random_part", "harms"), [(0, True), (11, False), (12, False), (20, False)])
def test_the_page_says_where_a_random_change_harms_more(random_part, harms):
    every = {REGULAR: [1] * 20, ZERO_SHOT: [0] * 20, V0: [0] * 20, THETA: [1] * 20, OTHER_PART: [1] * 20}
    every |= {TASK_PART: [1] * 12 + [0] * 8, RANDOM_PART: [1] * random_part + [0] * (20 - random_part)}
    observations = pd.concat([made_up(every, task) for task in TASKS], ignore_index=True)
    table = necessity_table(observations, "m", KINDS, 1, list(TASKS), 0)
    choice = pd.DataFrame({"model": "m", "task": list(TASKS), "able": True, "common_layer": 1, "role": "main"})
    conclusions = pd.DataFrame({"model": ["m"], "claim": ["necessary"], "verdict": [SHOWN]})
    tables = {"necessity": table, "layer_choice": choice, "conclusions": conclusions}
    (model,) = numbers(tables, {"models": {"m": {"label": "M"}}})["models"]
    assert bool(model["random_harms"]) is harms
    assert model["other_part"]["accuracy"] == 1 and model["task_part"]["accuracy"] == pytest.approx(0.6)
