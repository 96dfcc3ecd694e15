"""From one vector to a map: fits beside scikit-learn and plain least squares, rungs beside plain passes, the tables by
hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from test_gradient import KINDS, LAYER, PREFIX, SEED, TASKS, drawn

from taskvectors.data.episodes import DEV, TEST
from taskvectors.data.prompts import prompt, regular_prompt, zero_shot_prompt
from taskvectors.data.tokens import prompt_ids
from taskvectors.drawing.style import Labels
from taskvectors.engine.definition import Intervention, plain_answer, plain_states
from taskvectors.measuring.maps import (
    RIDGES,
    Pairs,
    best_penalty,
    fitted,
    full_map,
    joined,
    pairs_in,
    read_pairs,
    table_of,
)
from taskvectors.names import THETA
from taskvectors.observations.claims import NO_BASIS, SHOWN
from taskvectors.questions.ladder.claims import CLAIMS, claims
from taskvectors.questions.ladder.figures.ladder import draw
from taskvectors.questions.ladder.measure import DRAWN_ANEW, ladder, of_another_rule, read, rungs
from taskvectors.questions.ladder.names import (
    ALL_TASKS,
    BARE,
    CONSTANT,
    FULL,
    MAP,
    OFFSET,
    OTHER_TASK,
    RANDOM,
    REGULAR,
    SHUFFLED,
    STATE,
)
from taskvectors.questions.ladder.tables import ladder as ladder_table
from taskvectors.questions.ladder.tables import ranks
from taskvectors.questions.main_result.measure import extract

SOURCES = {task: [task] for task in TASKS}
SETTINGS = {"dev": 4, "test": 2, "ranks": [1, 3, 50]}


def made_up(prompts: int, width: int, seed: int = 0, rank: int | None = None) -> Pairs:
    """Random states; with a rank, those behind demonstrations are a map of it of the bare ones."""
    rng = np.random.default_rng(seed)
    bare = rng.normal(size=(prompts, width))
    weights = rng.normal(size=(width, rank or width)) @ rng.normal(size=(rank or width, width))
    shown = bare @ weights + rng.normal(size=width) + (0 if rank else rng.normal(size=(prompts, width)))
    inputs = [{f"x{place % 5}"} for place in range(prompts)]
    queries = [f"q{place // 3}" for place in range(prompts)]
    return Pairs(torch.tensor(bare), torch.tensor(shown), inputs, queries, [place // 3 for place in range(prompts)])


@given(st.integers(3, 14), st.integers(1, 9), st.floats(0.01, 100), st.integers(0, 1000))
def test_the_full_map_is_ridge_regression(prompts, width, penalty, seed):
    pairs = made_up(prompts, width, seed)
    asked = np.random.default_rng(seed + 1).normal(size=(4, width))
    expected = Ridge(alpha=penalty).fit(pairs.bare.numpy(), pairs.shown.numpy()).predict(asked)
    assert full_map(pairs, penalty).of(torch.tensor(asked)).numpy() == pytest.approx(
        expected.reshape(4, width), abs=1e-6
    )
    assert fitted(pairs, penalty).of(torch.tensor(asked)).numpy() == pytest.approx(expected.reshape(4, width), abs=1e-6)


@given(st.integers(1, 4), st.integers(0, 1000))
def test_a_map_of_a_rank_is_found_again_and_no_lower_rank_is_enough(rank, seed):
    pairs = made_up(40, 6, seed, rank)
    linear = fitted(pairs, 1e-9)
    assert torch.allclose(linear.of(pairs.bare, rank), pairs.shown, atol=1e-5)
    if rank > 1:
        assert not torch.allclose(linear.of(pairs.bare, rank - 1), pairs.shown, atol=1e-2)
    assert torch.equal(linear.of(pairs.bare, 0), pairs.shown.mean(dim=0).expand(40, -1))


@given(st.integers(1, 3), st.floats(0.1, 30), st.integers(0, 50))
def test_no_map_of_the_rank_has_a_smaller_penalized_error(rank, penalty, seed):
    """Beside maps that are near it, along directions near its own."""
    pairs = made_up(12, 5, seed)
    linear = fitted(pairs, penalty)
    x, y = pairs.bare - pairs.bare.mean(dim=0), pairs.shown - pairs.shown.mean(dim=0)

    def error(weights):
        return float((y - x @ weights).square().sum() + penalty * weights.square().sum())

    best = error(linear.left[:, :rank] @ linear.directions[:rank])
    rng = torch.Generator().manual_seed(seed)
    for size in (1e-3, 0.1, 1.0):
        left = linear.left[:, :rank] + size * torch.randn(5, rank, generator=rng, dtype=torch.double)
        right = linear.directions[:rank] + size * torch.randn(rank, 5, generator=rng, dtype=torch.double)
        assert error(left @ right) >= best - 1e-9


def test_the_penalty_has_the_smallest_error_on_queries_left_out():
    """Every query left out in turn, with scikit-learn."""
    pairs = made_up(21, 30, 3)
    x, y = pairs.bare.numpy(), pairs.shown.numpy()
    scale = float(np.square(x - x.mean(axis=0)).sum()) / 20
    errors = {
        share: np.square(
            y - cross_val_predict(Ridge(alpha=share * scale), x, y, groups=pairs.queries, cv=LeaveOneGroupOut())
        ).sum()
        for share in RIDGES
    }
    assert best_penalty(pairs) == pytest.approx(scale * min(errors, key=errors.__getitem__))


def test_pairs_are_states_of_plain_passes(lm):
    episodes = [e for e in drawn(3) if e.split == TEST][:2]
    pairs = read_pairs(lm, episodes, LAYER)
    assert pairs.episodes == [0, 0, 0, 1, 1, 1]
    place = 0
    for episode in episodes:
        for query in (episode.query, *episode.dummies):
            for text, states in ((prompt((), query), pairs.bare), (prompt(episode.demos, query), pairs.shown)):
                (ids,) = prompt_ids(lm.tokenizer, [text])
                assert torch.allclose(states[place].float(), plain_states(lm, ids)[0][LAYER].float(), atol=2e-4)
            assert pairs.inputs[place] == {query, *(x for x, _ in episode.demos)}
            place += 1
    two = joined([pairs, pairs])
    assert two.episodes == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert torch.equal(pairs.first_of_episodes().bare, pairs.bare[[0, 3]])


def test_no_prompt_of_a_fit_shows_the_query():
    """What is fitted does not change with the states of prompts that show it."""
    episode = next(e for e in drawn(3) if e.split == TEST)
    pairs = made_up(15, 6)
    named = replace(pairs, inputs=[{episode.query} if place < 5 else {"other"} for place in range(15)])
    nine = torch.full((5, 6), 9.0, dtype=torch.double)
    changed = replace(named, bare=torch.cat([nine, pairs.bare[5:]]))
    state = torch.ones(6, dtype=torch.double)
    first, second = (rungs(episode, state, state, (fit, 1.0), (fit, 1.0), [1, 2], 0) for fit in (named, changed))
    assert first.keys() == second.keys() > {(OTHER_TASK, None), (SHUFFLED, None), (RANDOM, 2)}
    assert all(torch.equal(first[at], second[at]) for at in first)
    assert torch.allclose(first[CONSTANT, None], pairs.shown[5:].mean(dim=0))
    assert torch.allclose(first[OFFSET, None], state + (pairs.shown - pairs.bare)[5:].mean(dim=0))
    none = replace(pairs, inputs=[{episode.query}] * 15)
    assert set(rungs(episode, state, state, (none, 1.0), None, [1], 0)) == {(BARE, None), (STATE, None)}


@pytest.fixture(scope="module")
def measured(lm):
    sizes = {"baseline": (1, 0), "dev": (4, 3), "test": (2, 3)}
    episodes = drawn(3, sizes=sizes)
    thetas = extract(lm, episodes, PREFIX, 1)[0]
    choice = pd.DataFrame({"task": list(TASKS), "layer": LAYER, "common_layer": LAYER})
    tokens, anew = dict.fromkeys(TASKS, 1), [list(TASKS)[-1]]
    fits = pairs_in(table_of(read(lm, episodes, choice, SETTINGS["dev"], anew, SEED)))
    table = ladder(lm, episodes, thetas, choice, fits, SETTINGS, [*TASKS], anew, SOURCES, PREFIX, tokens, SEED)
    return episodes, thetas, table, anew[0]


def test_rungs_are_put_in_as_in_plain_passes(lm, measured):
    episodes, thetas, table, anew = measured
    rows = table[table["left_out"].isna()].set_index(["task", "episode", "subject", "measure"])["value"]
    for episode in (e for e in episodes if e.split == TEST and e.task != anew):
        (bare,), (whole,) = (
            prompt_ids(lm.tokenizer, [text]) for text in (zero_shot_prompt(episode), regular_prompt(episode))
        )
        regular = plain_states(lm, whole)
        dev = [e for e in episodes if e.split == DEV and e.task == episode.task]
        pairs = read_pairs(lm, dev, LAYER).not_showing(episode.query)
        vectors = {
            STATE: regular[0][LAYER],
            THETA: torch.from_numpy(thetas.of_episodes([episode.key])[0, LAYER].copy()),
            CONSTANT: pairs.shown.mean(dim=0).float(),
        }
        for rung, vector in vectors.items():
            logits = plain_answer(lm, bare, change=Intervention(LAYER, vector.to(lm.dtype)[None]))[1]
            far = jensenshannon(logits.softmax(-1).numpy(), regular[2].softmax(-1).numpy(), base=2) ** 2
            assert rows[episode.task, episode.episode, rung, "divergence"] == pytest.approx(far, abs=2e-5)
        unpatched = plain_answer(lm, bare)[1]
        far = jensenshannon(unpatched.softmax(-1).numpy(), regular[2].softmax(-1).numpy(), base=2) ** 2
        assert rows[episode.task, episode.episode, BARE, "divergence"] == pytest.approx(far, abs=2e-5)


def test_what_cannot_be_fitted_is_left_out_by_name(measured):
    _, _, table, anew = measured
    reasons = table[table["left_out"].notna()].set_index("task")
    assert reasons.loc[anew, "left_out"] == DRAWN_ANEW
    others = reasons.drop(index=anew)
    assert set(others["step"]) == {50}, "four episodes have twelve prompts"
    assert others["left_out"].str.contains("12 prompts").all()
    assert {ALL_TASKS, OTHER_TASK, SHUFFLED} <= set(table["subject"])


def observations(answers: dict, tasks=tuple(TASKS)) -> pd.DataFrame:
    """Answers of rungs to as many episodes of every task."""
    rows = [
        {"task": task, "episode": episode, "subject": rung, "step": rank, "measure": measure, "value": float(hit)}
        for task in tasks for (rung, rank), hits in answers.items() for episode, hit in enumerate(hits)
        for measure in ("accuracy", "divergence")
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(layer=1, left_out=None).astype({"step": "Int64"})


def choice_of(tasks=tuple(TASKS)):
    return pd.DataFrame({"task": list(tasks), "able": True, "common_layer": 1, "role": "main"})


def needed(answers: dict, regular: list[int]) -> pd.DataFrame:
    table = observations(answers)
    index = pd.MultiIndex.from_product([list(TASKS), range(len(regular))], names=["task", "episode"])
    return ranks(table, pd.Series(regular * len(TASKS), index=index, dtype=float), "m", KINDS, 0)


def test_the_rank_is_the_lowest_that_is_near_the_state():
    yes, half, no = [1] * 20, [1, 0] * 10, [0] * 20
    answers = {(BARE, None): no, (STATE, None): yes, (THETA, None): no, (CONSTANT, None): half, (MAP, 1): half}
    answers |= {(MAP, 4): yes, (FULL, None): yes, (SHUFFLED, None): no, (OFFSET, None): no}
    written = needed(answers, yes)
    assert set(written["rank"]) == {"4"} and set(written["state"]) == {1}
    assert set(written["rank_low"]) == set(written["rank_high"]) == {"4"}
    near = needed(answers | {(MAP, 1): [1] * 18 + [0] * 2}, yes)
    assert set(near["rank"]) == {"1"} and set(near["rank_high"]) == {"4"}, "exactly 0.10 below; others may be more"
    assert set(needed(answers | {(MAP, 4): half, (FULL, None): half}, yes)["rank"]) == {"none"}
    assert set(needed(answers | {(CONSTANT, None): yes}, yes)["rank"]) == {"0"}


def test_where_the_state_itself_does_less_than_the_demonstrations_no_rank_is_needed():
    """Also where it does nothing, to which every constant is near."""
    yes, no = [1] * 20, [0] * 20
    nothing = {(at, None): no for at in (BARE, STATE, THETA, CONSTANT, FULL, SHUFFLED, OFFSET)} | {(MAP, 1): no}
    written = needed(nothing, yes)
    assert set(written["rank"]) == set(written["rank_low"]) == {"elsewhere"} and set(written["regular"]) == {1}
    assert set(needed(nothing, no)["rank"]) == {"0"}, "of a task that nobody does, and which no page counts"


def test_a_task_without_maps_needs_no_rank():
    yes = [1] * 20
    assert needed({(BARE, None): yes, (STATE, None): yes}, yes).empty


def test_the_control_is_of_another_rule():
    sources = {"en_fr": ["en_fr"], "english_french": ["en_fr", "fr_en"], "fr_en": ["fr_en"], "to_upper": ["to_upper"]}
    main = ["fr_en", "en_fr", "to_upper"]
    assert of_another_rule("english_french", main, sources) == "to_upper"
    assert of_another_rule("to_upper", main, sources) == "en_fr"
    assert of_another_rule("en_fr", ["en_fr"], sources) is None


def test_directions_are_as_many_as_there_are_different_states():
    pairs = made_up(6, 30)
    again = joined([pairs, pairs])
    assert fitted(pairs, 0.1).rank == fitted(again, 0.1).rank == 5


def test_a_study_without_rules_that_last_has_an_empty_ladder(lm):
    episodes = drawn(3)
    thetas = extract(lm, episodes, PREFIX, 1)[0]
    choice = pd.DataFrame({"task": list(TASKS), "layer": LAYER, "common_layer": LAYER})
    tokens = dict.fromkeys(TASKS, 1)
    for tasks in ([*TASKS], []):
        some = [episode for episode in episodes if tasks]
        table = ladder(lm, some, thetas, choice, {}, SETTINGS, tasks, tasks, SOURCES, PREFIX, tokens, SEED)
        nothing = pd.Series(dtype=float)
        written = ladder_table(table, nothing, "m", KINDS, 1, [], 0)
        assert len(written) == len(tasks) and (written["n"] == 0).all()
        assert ranks(table, nothing, "m", KINDS, 0).empty
        assert draw({"ladder": written, "layer_choice": choice_of()}, Labels({"m": "M"}, {})) is not None


def test_the_table_pairs_rungs_and_claims_are_about_able_tasks():
    yes, half, no = [1] * 20, [1, 0] * 10, [0] * 20
    answers = {(BARE, None): no, (STATE, None): yes, (THETA, None): half, (CONSTANT, None): half, (OFFSET, None): yes}
    answers |= {(MAP, 1): yes, (FULL, None): yes, (SHUFFLED, None): no}
    rows = observations(answers)
    more = pd.Series(0.0, index=pd.MultiIndex.from_tuples([("to_upper", 99)], names=["task", "episode"]))
    regular = rows[(rows["subject"] == STATE) & (rows["measure"] == "accuracy")].set_index(["task", "episode"])["value"]
    table = ladder_table(rows, pd.concat([regular, more]), "m", KINDS, 1, list(TASKS), 0)
    at = table.set_index(["task", "rung"])
    assert at.loc[("able", FULL), ["to_constant", "to_state", "to_shuffled"]].tolist() == [0.5, 0, 1]
    assert at.loc[("to_upper", STATE), "to_regular"] == 0 and at.loc[("all", REGULAR), "accuracy"] == 1
    found = {name: finding for name, _, finding in claims({"ladder": table, "layer_choice": choice_of()}, {})}
    verdicts = {name: found[name].verdict(claim.threshold, claim.no_effect) for name, claim in CLAIMS.items()}
    assert verdicts["map_does_more"] == verdicts["map_is_enough"] == SHOWN
    assert verdicts["constant_is_enough"] == "refuted" or verdicts["constant_is_enough"] == "too small"
    nothing = observations(answers | {(STATE, None): no, (CONSTANT, None): no, (FULL, None): no})
    table = ladder_table(nothing, regular * 0, "m", KINDS, 1, list(TASKS), 0)
    found = {name: finding for name, _, finding in claims({"ladder": table, "layer_choice": choice_of()}, {})}
    assert found["constant_is_enough"].verdict(-0.1) == NO_BASIS, "as much as a state that does nothing"
    assert not list(claims({"layer_choice": choice_of()}, {}))  # an archive of before
