"""θ against gradient descent on a tiny random model: beside plain passes with autograd through it all; controls; bad
input."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from torch.nn.functional import cosine_similarity, cross_entropy, normalize

from prose import prose
from taskvectors.data.episodes import by_task
from taskvectors.data.prompts import prompt, regular_prompt, zero_shot_prompt
from taskvectors.data.sampling import sample_episode, shuffled_answers
from taskvectors.data.tasks import load_task
from taskvectors.data.tokens import answer_ids, decode_answers, prompt_ids
from taskvectors.engine.definition import Intervention, plain_answer, plain_states
from taskvectors.engine.model_check import load_model
from taskvectors.engine.read import mean_theta
from taskvectors.measuring.vectors import of_next_task, random_directions, read_behind
from taskvectors.models.language_model import block_hidden, with_hidden
from taskvectors.models.untrained import untrained
from taskvectors.observations.claims import NO_BASIS, OPEN, REFUTED, SHOWN, TOO_SMALL, Finding, least
from taskvectors.questions.gradient.claims import claims
from taskvectors.questions.gradient.cosines import Moves, centred, cosines
from taskvectors.questions.gradient.measure import (
    chosen_share,
    demonstration_sets,
    gradient,
    without_training,
)
from taskvectors.questions.gradient.names import CONTROLS_OF, COSINES, FEW, GRADIENT_CONTROLS, OF_VECTORS
from taskvectors.questions.gradient.orders import orders_of
from taskvectors.questions.gradient.page import EXPECTED
from taskvectors.questions.gradient.tables import gradient_measures
from taskvectors.questions.main_result.measure import extract

TASKS = {
    name: load_task(name, {"family": "f", "generate": name}) for name in ("next_letter", "to_upper", "prev_letter")
}
PREFIX = dict.fromkeys(TASKS, False)
KINDS = {task: {"family": "f", "role": "main"} for task in TASKS}
SIZES = {"dev": 1, "test": 2, "steps": [1, 2, 5], "shares": [0.25, 0.5], "orders": 3}
LAYER = 1
SEED = 0  # that of the model under test, whose random weights are no control


def drawn(demonstrations: int, tasks=tuple(TASKS), sizes=None):
    sizes = sizes or {"baseline": (1, 0), "dev": (1, demonstrations), "test": (3, demonstrations)}
    return [
        sample_episode(TASKS[task], split, number, demonstrations=shown, dummies=2 * (shown > 0), seed=SEED)
        for task in tasks
        for split, (count, shown) in sizes.items()
        for number in range(count)
    ]


def run(lm, episodes, layer: int = LAYER, answer_tokens: int = 1, **sizes):
    choice = pd.DataFrame({"task": list(TASKS), "layer": layer, "common_layer": layer})
    thetas = extract(lm, episodes, PREFIX, answer_tokens)[0]
    return gradient(lm, episodes, thetas, choice, SIZES | sizes, PREFIX, answer_tokens, SEED)


@pytest.fixture(scope="module")
def episodes(lm):
    """The first test episode of every task asks for what a model without training says with θ: some answers must be
    right."""
    return [as_answered(lm, e) if (e.split, e.episode) == ("test", 0) else e for e in drawn(3)]


def as_answered(lm, episode):
    word = plain_word(lm, episode, plain_theta(lm, episode, episode.demos))
    return replace(episode, answers=(word, "never")) if word else episode


def plain_word(lm, episode, v: torch.Tensor, answer_tokens: int = 1) -> str:
    (ids,) = prompt_ids(lm.tokenizer, [zero_shot_prompt(episode)])
    (answer, _) = plain_answer(lm, ids, answer_tokens, Intervention(LAYER, v[None]))
    (word,) = decode_answers(lm.tokenizer, [answer], lm.ends)
    return word.strip()


@pytest.fixture(scope="module")
def observations(lm, episodes):
    return run(lm, episodes)


@pytest.fixture(scope="module")
def table(observations):
    return gradient_measures(observations, "m", KINDS, 0)


def plain_theta(lm, episode, demos) -> torch.Tensor:
    ids = prompt_ids(lm.tokenizer, [prompt(tuple(demos), x) for x in episode.dummies])
    return mean_theta(torch.stack([plain_states(lm, one)[0] for one in ids])[None])[0, LAYER]


def plain_loss(lm, pairs, v: torch.Tensor) -> torch.Tensor:
    """The mean loss of the answers' first tokens, one pass each through the whole model with autograd."""
    losses = []
    for x, y in pairs:
        text = prompt((), x)
        (ids,), ((first, *_),) = prompt_ids(lm.tokenizer, [text]), answer_ids(lm.tokenizer, [text], [y])

        def patch(block, inputs, output):
            hidden = block_hidden(output)
            return with_hidden(output, torch.cat([hidden[:, :-1], v[None, None]], dim=1))

        with torch.enable_grad():
            hook = lm.blocks[LAYER].register_forward_hook(patch)
            try:
                logits = lm.model(torch.tensor([ids]), use_cache=False).logits[0, -1]
            finally:
                hook.remove()
            losses.append(cross_entropy(logits[None], torch.tensor([first])))
    return torch.stack(losses).mean()


def plain_slope(lm, pairs, v: torch.Tensor) -> torch.Tensor:
    v = v.clone().requires_grad_()
    plain_loss(lm, pairs, v).backward()
    return v.grad


def value(observations, episode, measure, of, step=None, states=None):
    rows = observations[(observations["task"] == episode.task) & (observations["episode"] == episode.episode)]
    rows = rows[(rows["measure"] == measure) & (rows["subject"] == of)]
    rows = rows[rows["step"].isna() if step is None else rows["step"] == step]
    rows = rows[rows["states"].isna() if states is None else rows["states"] == states]
    return rows["value"].item()


def asked_of(episodes):
    return [e for e in episodes if e.split == "test" and e.episode < SIZES["test"]]


def next_of(episode, episodes):
    """The episode of the next task in the same place."""
    tasks = sorted({e.task for e in asked_of(episodes)})
    task = tasks[(tasks.index(episode.task) + 1) % len(tasks)]
    return next(e for e in asked_of(episodes) if (e.task, e.episode) == (task, episode.episode))


def plain_divergence(lm, episode, v: torch.Tensor) -> float:
    """Jensen–Shannon, in bits, of the patched query's next-token distribution from the regular prompt's."""
    regular, bare = prompt_ids(lm.tokenizer, [regular_prompt(episode), zero_shot_prompt(episode)])
    logits = [plain_answer(lm, regular, 1)[1], plain_answer(lm, bare, 1, Intervention(LAYER, v[None]))[1]]
    return jensenshannon(*(one.double().softmax(dim=-1).flatten().numpy() for one in logits), base=2) ** 2


def test_descent_is_that_of_plain_passes(lm, episodes, observations):
    share = observations["share"].iloc[0]
    for episode in asked_of(episodes)[::2]:
        v0, theta = plain_theta(lm, episode, ()), plain_theta(lm, episode, episode.demos)
        length, v, losses = share * (theta - v0).norm(), v0, {}
        for step in range(6):
            losses[step] = float(plain_loss(lm, episode.demos, v))
            if step in (1, 2, FEW, 5):
                asked = plain_loss(lm, [(episode.query, episode.answers[0])], v)
                assert value(observations, episode, "loss", "descent", step) == pytest.approx(losses[step], abs=1e-4)
                assert value(observations, episode, "query_loss", "descent", step) == pytest.approx(
                    float(asked), abs=1e-4
                )
                alike = cosine_similarity(v - v0, theta - v0, dim=0)
                found = value(observations, episode, "cosine_to_theta", "descent", step)
                assert found == pytest.approx(float(alike), abs=1e-3)
                right = plain_word(lm, episode, v) in episode.answers
                assert value(observations, episode, "accuracy", "descent", step) == float(right)
                far = plain_divergence(lm, episode, v)
                assert value(observations, episode, "divergence", "descent", step) == pytest.approx(far, rel=1e-2)
            v = v - length * normalize(plain_slope(lm, episode.demos, v), dim=0)
        at_theta = float(plain_loss(lm, episode.demos, theta))
        other = next_of(episode, episodes)
        at_other = float(plain_loss(lm, episode.demos, plain_theta(lm, other, other.demos)))
        assert value(observations, episode, "loss", "other_theta") == pytest.approx(at_other, abs=1e-4)
        assert value(observations, episode, "loss", "v0", 0) == pytest.approx(losses[0], abs=1e-4)
        assert value(observations, episode, "loss", "theta") == pytest.approx(at_theta, abs=1e-4)
        midway = (losses[0] + min(losses.values())) / 2 - at_theta
        assert value(observations, episode, "below_midway", "theta") == pytest.approx(midway, abs=1e-3)
        online = float(plain_loss(lm, episode.demos, plain_online(lm, v0, episode.demos, length)))
        assert value(observations, episode, "loss", "online") == pytest.approx(online, abs=1e-4)


def test_cosines_are_those_of_plain_gradients(lm, episodes, observations):
    asked = asked_of(episodes)
    others = [next_of(episode, episodes) for episode in asked]
    sets = demonstration_sets(asked, by_task(episodes), None, SEED)
    shuffled, elsewhere = sets["shuffled"], sets["other_inputs"]
    for place in (0, 3):
        episode = asked[place]
        v0, theta = plain_theta(lm, episode, ()), plain_theta(lm, episode, episode.demos)
        for of, pairs in {
            "gradient": episode.demos,
            "shuffled": shuffled[place],
            "other_inputs": elsewhere[place],
            "other_task": others[place].demos,
        }.items():
            expected = cosine_similarity(theta - v0, -plain_slope(lm, pairs, v0), dim=0)
            assert value(observations, episode, "direction", of, None, "raw") == pytest.approx(
                float(expected), abs=1e-4
            )
        for k in (1, 3):
            before, after = (plain_theta(lm, episode, episode.demos[:n]) for n in (k - 1, k))
            for of, pair in {
                "gradient": episode.demos[k - 1], "shuffled": shuffled[place][k - 1],
                "other_inputs": elsewhere[place][k - 1], "other_task": others[place].demos[k - 1],
            }.items():  # fmt: skip
                expected = cosine_similarity(after - before, -plain_slope(lm, [pair], before), dim=0)
                found = value(observations, episode, "increment", of, k, "raw")
                assert found == pytest.approx(float(expected), abs=1e-4)


def test_what_tasks_share_is_taken_from_both(lm, episodes, observations):
    asked = asked_of(episodes)
    ways, changes = [], []
    for episode in asked:
        v0 = plain_theta(lm, episode, ())
        changes.append(normalize(plain_theta(lm, episode, episode.demos) - v0, dim=0))
        ways.append(normalize(-plain_slope(lm, episode.demos, v0), dim=0))
    changes, ways = torch.stack(changes), torch.stack(ways)
    for place, episode in enumerate(asked):
        # Every task has as many episodes, so the mean over tasks is the mean over all.
        expected = cosine_similarity(changes[place] - changes.mean(dim=0), ways[place] - ways.mean(dim=0), dim=0)
        found = value(observations, episode, "direction", "gradient", None, "centred")
        assert found == pytest.approx(float(expected), abs=1e-4)


def test_cosines_are_also_in_units_of_deviation_and_descent_itself_is_the_ceiling(lm, episodes, observations):
    """Changes divided by θ's deviation over test episodes, gradients multiplied by it."""
    asked = asked_of(episodes)
    every = torch.stack([plain_theta(lm, e, e.demos) for e in episodes if e.split == "test"])
    deviation = every.std(dim=0)
    deviation = deviation.clamp_min(1e-3 * float(deviation.mean()))
    v0 = [plain_theta(lm, e, ()) for e in asked]
    changes = [plain_theta(lm, e, e.demos) - start for e, start in zip(asked, v0, strict=True)]
    downhill = [-plain_slope(lm, e.demos, start) for e, start in zip(asked, v0, strict=True)]
    moved = normalize(torch.stack(changes) / deviation, dim=-1)
    down = normalize(torch.stack(downhill) * deviation, dim=-1)
    length = observations["share"].iloc[0]
    for place, episode in enumerate(asked):
        expected = cosine_similarity(moved[place] - moved.mean(dim=0), down[place] - down.mean(dim=0), dim=0)
        found = value(observations, episode, "direction", "gradient", None, "scaled")
        assert found == pytest.approx(float(expected), abs=1e-3)
        v, step = v0[place], length * changes[place].norm()
        for _ in range(2):
            v = v - step * normalize(plain_slope(lm, episode.demos, v), dim=0)
        ceiling = cosine_similarity(v - v0[place], downhill[place], dim=0)
        found = value(observations, episode, "direction", "descent", 2, "raw")
        assert found == pytest.approx(float(ceiling), abs=1e-3)


@given(
    sizes=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    numbers=st.booleans(),
    scale=st.floats(0.01, 100),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40)
def test_centred_vectors_have_no_mean_over_tasks(sizes, numbers, scale, seed):
    tasks = [f"t{task}" for task, size in enumerate(sizes) for _ in range(size)]
    vectors = torch.randn(len(tasks), 7, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    vectors[0] *= scale  # no vector weighs more for its length
    kinds = [row % 2 if numbers else 0 for row in range(len(tasks))]
    less = centred(vectors, tasks, kinds)
    torch.testing.assert_close(less, centred(normalize(vectors, dim=-1), tasks, kinds))
    for kind in set(kinds):
        of_kind = pd.DataFrame(less.numpy()).assign(task=tasks, kind=kinds).query(f"kind == {kind}")
        assert np.abs(of_kind.drop(columns="kind").groupby("task").mean().mean()).max() < 1e-12


def test_orders_differ_and_begin_with_the_episodes_own(lm, episodes, observations):
    for episode in asked_of(episodes):
        orders = orders_of(episode, 3, SEED)
        assert orders[0] == (0, 1, 2) and len(set(orders)) == 3 and orders == orders_of(episode, 3, SEED)
        assert len(orders_of(episode, 100, SEED)) == 6
    episode = asked_of(episodes)[0]
    orders = orders_of(episode, 3, SEED)
    v0 = plain_theta(lm, episode, ())
    thetas = torch.stack([plain_theta(lm, episode, [episode.demos[i] for i in order]) for order in orders])
    away = thetas - thetas.mean(dim=0)
    spread = np.sqrt(thetas.numpy().var(axis=0, ddof=1).sum()) / (thetas.mean(dim=0) - v0).norm()
    assert value(observations, episode, "spread", "theta") == pytest.approx(float(spread), abs=1e-4)
    length = observations["share"].iloc[0] * (plain_theta(lm, episode, episode.demos) - v0).norm()
    other = next_of(episode, episodes)
    for of, (pairs,) in demonstration_sets([episode], by_task(episodes), [other], SEED).items():
        ends = [plain_online(lm, v0, [pairs[i] for i in order], length) for order in orders]
        descended = torch.stack(ends) - torch.stack(ends).mean(dim=0)
        alike = cosine_similarity(away, descended).mean()
        assert value(observations, episode, "order", of) == pytest.approx(float(alike), abs=1e-3)


def test_the_share_is_the_one_of_lowest_loss_of_dev_queries(lm, episodes):
    dev = [e for e in episodes if e.split == "dev"]
    v0 = read_behind(lm, dev, [()] * len(dev), LAYER)
    theta = read_behind(lm, dev, [e.demos for e in dev], LAYER)
    losses = {}
    for share in (0.01, 0.3, 8.0):
        of_share = []
        for place, episode in enumerate(dev):
            v, length = v0[place], share * (theta - v0)[place].norm()
            for _ in range(FEW):
                v = v - length * normalize(plain_slope(lm, episode.demos, v), dim=0)
            of_share.append(float(plain_loss(lm, [(episode.query, episode.answers[0])], v)))
        losses[share] = np.mean(of_share)
    assert chosen_share(lm, dev, theta, LAYER, list(losses), SEED) == min(losses, key=losses.get)


def test_random_weights_are_drawn_once_and_leave_no_trace(lm, observations):
    before = torch.random.get_rng_state()
    one, two = untrained(lm, 3), untrained(lm, 3)
    assert torch.equal(torch.random.get_rng_state(), before)
    own, drawn_weights, again = (dict(model.model.named_parameters()) for model in (lm, one, two))
    assert {name: p.shape for name, p in own.items()} == {name: p.shape for name, p in drawn_weights.items()}
    assert all(torch.equal(p, again[name]) for name, p in drawn_weights.items())
    block = "model.layers.0.mlp.up_proj.weight"
    assert not torch.equal(own[block], drawn_weights[block]) and drawn_weights[block].std() > 0


def test_controls_of_random_weights_are_those_of_plain_passes(lm, episodes, observations):
    control = without_training(lm, SEED)
    share = observations["share"].iloc[0]
    for episode in asked_of(episodes)[::2]:
        thetas = [plain_theta(control, episode, episode.demos[:k]) for k in range(4)]
        slope = plain_slope(control, episode.demos, thetas[0])
        expected = {("direction", None): cosine_similarity(thetas[3] - thetas[0], -slope, dim=0)}
        for k in (1, 2, 3):
            slope = plain_slope(control, [episode.demos[k - 1]], thetas[k - 1])
            expected["increment", k] = cosine_similarity(thetas[k] - thetas[k - 1], -slope, dim=0)
        for (measure, step), alike in expected.items():
            told = value(observations, episode, measure, "random_weights", step, "raw")
            assert abs(told - value(observations, episode, measure, "gradient", step, "raw")) > 1e-2  # another model
            assert told == pytest.approx(float(alike), abs=1e-3)
        length = share * (thetas[3] - thetas[0]).norm()
        away: tuple[list, list] = [], []
        for order in orders_of(episode, 3, SEED):
            shown = [episode.demos[i] for i in order]
            away[0].append(plain_theta(control, episode, shown))
            away[1].append(plain_online(control, thetas[0], shown, length))
        of_theta, of_descent = (torch.stack(ends) - torch.stack(ends).mean(dim=0) for ends in away)
        alike = cosine_similarity(of_theta, of_descent).mean()
        assert value(observations, episode, "order", "random_weights") == pytest.approx(float(alike), abs=5e-3)


def plain_online(lm, v: torch.Tensor, pairs, length: torch.Tensor) -> torch.Tensor:
    for pair in pairs:
        v = v - length * normalize(plain_slope(lm, [pair], v), dim=0)
    return v


def test_random_directions_are_drawn_of_the_episode_and_demonstration(lm, episodes, observations):
    for episode in asked_of(episodes):
        v0 = plain_theta(lm, episode, ())
        change = plain_theta(lm, episode, episode.demos) - v0
        (way,) = random_directions(SEED, [("random direction", episode.task, episode.episode, 0)], change[None])
        told = value(observations, episode, "direction", "random_direction", None, "raw")
        assert told == pytest.approx(float(cosine_similarity(change, way, dim=0)), abs=1e-3)
    drawn_once = observations.query("subject == 'random_direction' and states == 'raw'")["value"]
    assert drawn_once.nunique() == len(drawn_once)  # another for each demonstration


def test_rows_in_small_parts_are_the_same(lm, episodes, observations, monkeypatch):
    monkeypatch.setattr("taskvectors.questions.gradient.descents.PART", 2)
    key = [column for column in observations if column not in ("value", "left_out")]
    small, whole = (table.set_index(key)["value"].sort_index() for table in (run(lm, episodes), observations))
    assert small.index.equals(whole.index) and small.index.is_unique
    np.testing.assert_allclose(small, whole, atol=2e-3)


def test_every_measure_has_its_rows_and_its_reference(observations, table):
    mean = table[table["task"] == "all"]
    assert set(mean["measure"]) == {*OF_VECTORS, *COSINES, "cosine_to_theta", "below_midway", "spread"}
    assert mean[["n", "value"]].notna().all(axis=None)
    keys = ["measure", "subject", "states", "step"]
    spread = observations.groupby([*keys, "task"], dropna=False)["value"].agg(np.ptp).groupby(keys, dropna=False).max()
    for _, row in mean.iterrows():
        # Shares have an interval even where all episodes agree: unlike ones may have gone unseen.
        key = tuple(np.nan if part is None else part for part in row[keys])
        varies = row["measure"] in ("increment", "accuracy") or spread.loc[spread.index == key].max() > 0
        assert pd.notna([row["value_low"], row["value_high"]]).all() == varies, row[keys].tolist()
    compared = mean[
        mean["measure"].isin(OF_VECTORS) & (mean["subject"] != "theta") | mean["subject"].isin(GRADIENT_CONTROLS)
    ]
    assert compared["difference"].notna().all()
    assert mean[mean["subject"].isin(["theta", "gradient"])]["difference"].isna().all()
    assert (mean["n"] == 6).all() and (table[table["task"] != "all"]["n"] == 2).all()
    by_task = table[(table["task"] != "all")]
    keys = ["measure", "subject", "states", "step"]
    for key, rows in by_task.groupby(keys, dropna=False):
        whole = mean.loc[(mean[keys].astype(object).fillna("") == pd.Series(key, keys).fillna("")).all(axis=1), "value"]
        assert rows["value"].mean() == pytest.approx(whole.item())


def test_differences_are_paired(observations, table):
    wide = observations[(observations["measure"] == "accuracy")].assign(step=observations["step"].fillna(-1))
    wide = wide.pivot(index=["task", "episode"], columns=["subject", "step"], values="value")
    row = table.query("task == 'all' and measure == 'accuracy' and subject == 'descent' and step == 2").iloc[0]
    assert row["difference"] == pytest.approx((wide["descent", 2] - wide["theta", -1]).groupby("task").mean().mean())
    cosines = observations[(observations["measure"] == "direction") & (observations["states"] == "centred")]
    wide = cosines.pivot(index=["task", "episode"], columns="subject", values="value")
    row = table.query(
        "task == 'all' and measure == 'direction' and subject == 'random_weights' and states == 'centred'"
    ).iloc[0]
    assert row["difference"] == pytest.approx((wide["random_weights"] - wide["gradient"]).mean(), abs=1e-6)


def test_increments_are_told_of_each_demonstration_and_of_all(observations, table):
    rows = table.query("task == 'all' and measure == 'increment' and subject == 'gradient' and states == 'raw'")
    assert rows["step"].astype(object).where(rows["step"].notna(), None).tolist() == [1, 2, 3, None]
    own = observations.query("measure == 'increment' and subject == 'gradient' and states == 'raw'")
    assert rows["value"].iloc[-1] == pytest.approx(own["value"].mean())
    assert rows["value"].iloc[1] == pytest.approx(own[own["step"] == 2]["value"].mean())


def test_one_demonstration_knows_no_order_and_no_shuffling(lm):
    observations = run(lm, drawn(1))
    assert not observations["measure"].isin(["order", "spread"]).any() and "shuffled" not in set(
        observations["subject"]
    )
    verdicts = verdicts_of(gradient_measures(observations, "m", KINDS, 0))
    for claim in ("along_gradient", "increments_along_gradient", "order_as_online"):
        assert verdicts[claim] == NO_BASIS  # held against all controls, or not at all


def test_an_episode_of_one_demonstration_alone_is_without_shuffled_answers(lm, episodes):
    short = replace(asked_of(episodes)[0], demos=asked_of(episodes)[0].demos[:1])
    observations = run(lm, [short if e.key == short.key else e for e in episodes])
    shuffled = observations[(observations["subject"] == "shuffled") & (observations["states"] == "raw")]
    told = set(zip(shuffled["task"], shuffled["episode"], strict=True))
    assert len(told) == 5 and (short.task, short.episode) not in told
    orders = observations[observations["measure"] == "order"]
    # It is the other task's episode of one, which online descent on a single pair leads to one end in any order.
    of_other = orders["subject"] == "other_task"
    assert set(orders["subject"]) == {"gradient", *CONTROLS_OF["order"]}
    assert of_other.sum() == 4 and (~of_other).sum() == 4 * 5


def test_another_task_is_the_next_by_name_whatever_the_order_of_tasks(episodes):
    test = [e for e in episodes if e.split == "test"]
    tasks = list(dict.fromkeys(e.task for e in test))
    turned = [e for task in reversed(tasks) for e in test if e.task == task]
    others = {e.key: other.key for e, other in zip(test, of_next_task(test), strict=True)}
    assert others == {e.key: other.key for e, other in zip(turned, of_next_task(turned), strict=True)}
    following = {key[0]: other[0] for key, other in others.items()}
    assert sorted(following) == sorted(following.values()) and all(task != other for task, other in following.items())
    assert of_next_task([e for e in test if e.task == tasks[0]]) is None


def test_equal_demonstrations_know_no_order(lm, episodes):
    """What is left of θ's differences over orders is rounding, whose direction means nothing."""
    asked = asked_of(episodes)[0]
    same = replace(asked, demos=(asked.demos[0],) * 3)
    observations = run(lm, [same if e.key == same.key else e for e in episodes])
    orders = observations[observations["measure"] == "order"]
    told = set(zip(orders["task"], orders["episode"], strict=True))
    assert len(orders) == 5 * 5 - 1 and (same.task, same.episode) not in told
    assert value(observations, same, "spread", "theta") < 1e-5


def test_without_room_for_random_weights_cosines_have_no_basis(lm, monkeypatch):
    monkeypatch.setattr("taskvectors.models.untrained.memory_at_hand", lambda: 1000)
    observations = run(lm, drawn(3), test=3)
    assert "random_weights" not in set(observations["subject"]) and "gradient" in set(observations["subject"])
    verdicts = verdicts_of(gradient_measures(observations, "m", KINDS, 0))
    assert all(verdicts[claim] == NO_BASIS for claim in OF_MEASURE) and verdicts["lowers_loss"] != NO_BASIS


def verdicts_of(table) -> dict[str, str]:
    return {name: finding.verdict(claim.threshold) for name, claim, finding in claims({"gradient": table}, {})}


def test_one_episode_is_no_basis(lm, episodes):
    table = gradient_measures(run(lm, episodes, test=1), "m", KINDS, 0)
    assert set(verdicts_of(table).values()) == {NO_BASIS}


def test_one_task_has_no_other_and_nothing_shared(lm):
    sizes = {"baseline": (1, 0), "dev": (1, 3), "test": (8, 3)}
    observations = run(lm, drawn(3, ["to_upper"], sizes), test=8)
    assert "other_task" not in set(observations["subject"]) and "centred" not in set(observations["states"])
    table = gradient_measures(observations, "m", KINDS, 0)
    assert set(verdicts_of(table).values()) == {NO_BASIS}
    assert table.loc[(table["task"] == "all") & (table["measure"] == "loss"), "value_low"].notna().all()


def test_answers_of_several_tokens_count_whole_and_are_learned_by_their_first(lm, episodes, observations):
    several = run(lm, episodes, answer_tokens=3)
    for episode in asked_of(episodes):
        word = plain_word(lm, episode, plain_theta(lm, episode, episode.demos), answer_tokens=3)
        assert value(several, episode, "accuracy", "theta") == float(word in episode.answers)
    same = ["loss", "query_loss", "direction", "order"]
    pd.testing.assert_frame_equal(
        several[several["measure"].isin(same)], observations[observations["measure"].isin(same)], check_exact=False, atol=1e-5
    )  # fmt: skip


@pytest.mark.parametrize("case", ["top block", "bfloat16", "no demonstrations"])
def test_what_cannot_be_measured_is_left_out_and_says_why(lm, episodes, case):
    asked, layer = episodes, LAYER
    if case == "top block":
        layer = lm.layers - 1
    elif case == "no demonstrations":
        asked = [replace(episode, demos=()) for episode in episodes]
    else:
        lm = load_model(Path(lm.model.name_or_path), "bfloat16", "cpu")
    observations = run(lm, asked, layer)
    words = {"top block": "the top block", "bfloat16": "dtype: float32", "no demonstrations": "no demonstrations"}[case]
    assert words in observations["left_out"].item()
    table = gradient_measures(observations, "m", KINDS, 0)
    assert table["left_out"].item() == observations["left_out"].item() and table["n"].item() == 0
    assert list(claims({"gradient": table}, {})) == list(claims({}, {})) == []


def made_up(gain: float, rng, episodes: int = 20) -> pd.DataFrame:
    """Observations in which θ does what the claims say, by so much."""
    rows = []
    for task in TASKS:
        for episode in range(episodes):
            noise = iter(0.02 * rng.standard_normal(60))
            told = [("loss", "theta", None, None, 1.0), ("loss", "other_theta", None, None, 1 + gain + next(noise))]
            told += [("below_midway", "theta", None, None, gain + next(noise))]
            told += [
                ("accuracy", "theta", None, None, float(episode != 1)),
                ("accuracy", "v0", None, 0, float(episode == 2)),
            ]
            told += [("accuracy", "descent", None, FEW, float((episode == 3) != (gain > 0)))]
            for measure, controls in CONTROLS_OF.items():
                step = 1 if measure == "increment" else None
                for states in (None,) if measure == "order" else ("centred", "scaled"):
                    told.append((measure, "gradient", states, step, 0.1 + gain + next(noise)))
                    told += [(measure, of, states, step, 0.1 * (of == "shuffled") + next(noise)) for of in controls]
            rows += [(task, episode, *row) for row in told]
    table = pd.DataFrame(rows, columns=["task", "episode", "measure", "subject", "states", "step", "value"])
    return table.assign(layer=1, share=0.5, left_out=None).astype({"step": "Int64"})


@pytest.mark.parametrize(("gain", "verdict"), [(0.2, SHOWN), (-0.2, REFUTED)])
def test_claims_are_shown_and_refuted(gain, verdict):
    table = gradient_measures(made_up(gain, np.random.default_rng(0)), "m", KINDS, 0)
    verdicts = verdicts_of(table)
    assert len(verdicts) == 5 and set(verdicts.values()) == {verdict}
    # The control that comes nearest counts: 0.1 is the cosine with shuffled answers.
    found = {name: finding.value for name, _, finding in claims({"gradient": table}, {})}
    assert found["along_gradient"] == pytest.approx(gain, abs=0.02)


OF_MEASURE = {"along_gradient": "direction", "increments_along_gradient": "increment", "order_as_online": "order"}


@pytest.mark.parametrize(("claim", "control"), [(c, of) for c, m in OF_MEASURE.items() for of in CONTROLS_OF[m]])
def test_without_one_of_its_controls_a_claim_has_no_basis(claim, control):
    """What remains would show it."""
    rows = made_up(0.2, np.random.default_rng(0))
    without = rows[(rows["measure"] != OF_MEASURE[claim]) | (rows["subject"] != control)]
    verdicts = verdicts_of(gradient_measures(without, "m", KINDS, 0))
    assert verdicts.pop(claim) == NO_BASIS and set(verdicts.values()) == {SHOWN}


@pytest.mark.parametrize(("claim", "control"), [(c, of) for c, m in OF_MEASURE.items() for of in CONTROLS_OF[m]])
def test_a_task_without_a_control_leaves_no_basis(claim, control):
    """The other tasks would show it; this one is unknown."""
    rows = made_up(0.2, np.random.default_rng(0))
    without = rows[(rows["measure"] != OF_MEASURE[claim]) | (rows["subject"] != control) | (rows["task"] != "to_upper")]
    verdicts = verdicts_of(gradient_measures(without, "m", KINDS, 0))
    assert verdicts.pop(claim) == NO_BASIS and set(verdicts.values()) == {SHOWN}


def accuracies(theta, v0, descent) -> pd.DataFrame:
    """Made-up observations in which these are right in so many of 60 episodes a task."""
    rows = made_up(0.2, np.random.default_rng(0), episodes=60)
    for of, count in {"theta": theta, "v0": v0, "descent": descent}.items():
        these = (rows["measure"] == "accuracy") & (rows["subject"] == of)
        rows.loc[these, "value"] = (rows["episode"] < count).astype(float)
    return rows


@pytest.mark.parametrize(
    ("theta", "v0", "descent", "verdict"),
    [
        (30, 30, 29, NO_BASIS),  # θ does nothing
        (30, 28, 29, NO_BASIS),  # v₀, which is no step at all, does nearly as much
        (30, 0, 29, SHOWN),
        (30, 3, 6, REFUTED),
        (60, 0, 59, SHOWN),  # the difference of θ and v₀ is the same in all episodes, and clear
        (60, 0, 60, SHOWN),  # of 120 episodes that all agree few others can have gone unseen
    ],
)
def test_as_much_as_theta_says_something_where_theta_does_more_than_v0(theta, v0, descent, verdict):
    table = gradient_measures(accuracies(theta, v0, descent), "m", KINDS, 0)
    assert verdicts_of(table)["few_steps"] == verdict


def test_answers_that_agree_in_all_episodes_are_not_certain():
    """An interval without width would show anything; of sixteen episodes a fifth may be otherwise."""
    rows = made_up(0.2, np.random.default_rng(0), episodes=8)
    of_descent = (rows["measure"] == "accuracy") & (rows["subject"] == "descent")
    alike = rows.assign(value=rows["value"].mask(of_descent, (rows["episode"] != 1).astype(float)))
    table = gradient_measures(alike, "m", KINDS, 0)
    assert verdicts_of(table)["few_steps"] == OPEN
    of_old = table.assign(difference_low=table["difference"], difference_high=table["difference"])  # in archives
    assert verdicts_of(of_old)["few_steps"] == NO_BASIS


def test_a_task_in_which_a_control_is_of_other_episodes_is_held_against_nothing():
    rows = made_up(0.2, np.random.default_rng(0))
    of = (rows["task"] == "to_upper") & (rows["measure"] == "direction")
    early, late = (
        of & (rows["subject"] == "gradient") & (rows["episode"] < 10),
        of & (rows["subject"] == "shuffled") & (rows["episode"] >= 10),
    )
    apart = rows[~of | ~rows["subject"].isin(["gradient", "shuffled"]) | early | late]
    assert verdicts_of(gradient_measures(apart, "m", KINDS, 0))["along_gradient"] == NO_BASIS


def test_theta_that_any_other_lowers_the_loss_as_well_as_is_no_finding():
    rows = made_up(0.2, np.random.default_rng(0))
    alike = rows.assign(value=rows["value"].where(rows["subject"] != "other_theta", rows["value"] - 0.3))
    assert verdicts_of(gradient_measures(alike, "m", KINDS, 0))["lowers_loss"] == REFUTED
    without = gradient_measures(rows[rows["subject"] != "other_theta"], "m", KINDS, 0)
    assert verdicts_of(without)["lowers_loss"] == NO_BASIS


@pytest.mark.parametrize("claim", OF_MEASURE)
def test_a_claim_needs_episodes_of_its_own(claim):
    """Many in all do not help the claim that few can speak of."""
    rows = made_up(0.2, np.random.default_rng(0))
    few = rows[(rows["measure"] != OF_MEASURE[claim]) | (rows["task"] == "to_upper") & (rows["episode"] < 2)]
    verdicts = verdicts_of(gradient_measures(few, "m", KINDS, 0))
    assert verdicts.pop(claim) == NO_BASIS and set(verdicts.values()) == {SHOWN}
    one = (rows["subject"] == "shuffled") & (rows["measure"] == OF_MEASURE[claim])
    few = rows[~one | (rows["episode"] < 2)]  # a control that is measured in half as many as it takes
    assert verdicts_of(gradient_measures(few, "m", KINDS, 0))[claim] == NO_BASIS


findings = st.builds(
    lambda low, width, n: Finding(low + width / 2, n, low, low + width),
    st.floats(-1, 1), st.floats(0, 1), st.integers(1, 99),
)  # fmt: skip


@given(several=st.lists(findings, min_size=1, max_size=5), threshold=st.floats(-0.5, 0.5), lacking=st.booleans())
def test_findings_that_must_all_reach_a_threshold(several, threshold, lacking):
    """Neither one with a wide interval nor one below can be passed over."""
    verdicts = [finding.verdict(threshold) for finding in several]
    if lacking:
        assert least([*several, Finding(np.nan, 0, basis=False)], threshold).verdict(threshold) == NO_BASIS
    expected = next((v for v in (REFUTED, TOO_SMALL, OPEN, SHOWN) if v in verdicts), None)
    assert least(several, threshold).verdict(threshold) == expected


def test_what_one_task_alone_has_is_not_centred():
    """A mean over tasks of a single one would be its own."""
    asked = [e for e in drawn(3) if e.split == "test"][:4]  # three of one task, one of another
    numbers, change = [1, 2, 2, 1], torch.randn(4, 8)
    rows = pd.concat(
        cosines([Moves("increment", "gradient", asked, numbers, change, torch.randn(4, 8), torch.ones(8))])
    )
    assert rows[rows["states"] == "raw"]["step"].tolist() == numbers
    assert rows[rows["states"] == "centred"]["step"].tolist() == [1, 1]


def test_two_episodes_of_one_task_are_no_basis(lm):
    table = gradient_measures(run(lm, drawn(3, ["to_upper"])), "m", KINDS, 0)
    assert set(verdicts_of(table).values()) == {NO_BASIS}


def test_shuffled_answers_are_the_same_for_all_that_is_compared(episodes):
    asked = asked_of(episodes)
    one = asked[1]
    assert demonstration_sets(asked, by_task(episodes), None, SEED)["shuffled"][1] == shuffled_answers(
        one.demos, SEED, "gradient", one.task, one.episode
    )
    single = replace(one, demos=one.demos[:1])
    assert list(demonstration_sets([single], by_task(episodes), None, SEED)["shuffled"]) == [()]


@pytest.mark.parametrize(
    ("verdicts", "answer"),
    [
        ([SHOWN] * 5, "yes, as far as this tests it."),
        ([SHOWN] * 4 + [REFUTED], "yes, as far as this tests it."),  # of order: descent on all at once has none
        ([SHOWN] * 3 + [REFUTED, SHOWN], "mixed."),
        ([TOO_SMALL, NO_BASIS, OPEN, SHOWN, SHOWN], "open."),  # the loss is not counted
        ([SHOWN, NO_BASIS, TOO_SMALL, SHOWN, SHOWN], "mixed."),
        ([REFUTED, NO_BASIS, OPEN, TOO_SMALL, SHOWN], "no."),
        ([SHOWN] * 3 + [OPEN, SHOWN], "open."),
        ([NO_BASIS] * 5, "open."),
    ],
)
def test_the_paragraph_answers_by_the_verdicts(table, verdicts, answer):
    conclusions = pd.DataFrame({"model": "m", "question": "none", "claim": list(EXPECTED), "verdict": verdicts})
    words = prose("gradient", {"gradient": table, "conclusions": conclusions}, {"models": {"m": {"label": "M"}}})
    words = words[words.index("**M**") :]
    assert words.startswith(
        f"**M**: {answer} If reading demonstrations were gradient descent on θ, 5 things would follow."
    )
    for claim, verdict in zip(EXPECTED, verdicts, strict=True):
        before = words[: words.index(EXPECTED[claim])].lower()
        assert re.findall(f"({REFUTED}|{SHOWN}|{OPEN}|{TOO_SMALL}|{NO_BASIS}): ", before)[-1] == verdict
