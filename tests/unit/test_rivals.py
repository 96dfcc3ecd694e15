"""Representations and heads on a tiny random model: what is put in, what is chosen, what is counted, and who is left
out."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from reference import tiny
from scipy.spatial.distance import jensenshannon

from prose import prose
from taskvectors.data.prompts import dummy_prompts, prompt, regular_prompt, zero_shot_prompt
from taskvectors.data.sampling import sample_episode, shuffled_answers
from taskvectors.data.scoring import is_correct
from taskvectors.data.tasks import load_task
from taskvectors.data.tokens import answer_ids, decode_answers, prompt_ids
from taskvectors.engine.costs import counted_passes
from taskvectors.engine.definition import Intervention, plain_answer, plain_states
from taskvectors.engine.heads import head_mask, norm_follows, read_heads
from taskvectors.errors import StudyError
from taskvectors.questions.ladder.measure import ladder
from taskvectors.questions.ladder.measure import read as read_pairs_of_tasks
from taskvectors.questions.main_result.measure import extract
from taskvectors.questions.rivals.claims import claims
from taskvectors.questions.rivals.context import CORRECT, SHUFFLED, Setting, TaskContext, representation_of
from taskvectors.questions.rivals.doses import doses
from taskvectors.questions.rivals.heads import INTACT, RANDOM, TOP, heads_of, measure
from taskvectors.questions.rivals.learning import learned
from taskvectors.questions.rivals.measure import best, rivals, tried_layers
from taskvectors.questions.rivals.representations import random_heads, theta_per_arrow
from taskvectors.questions.rivals.representations.learned_many import training_pairs
from taskvectors.questions.rivals.tables import TOP_HEADS, ablation, head_effects
from taskvectors.questions.rivals.tables import doses as dose_table
from taskvectors.questions.rivals.tables import rivals as rivals_table
from taskvectors.study import read_study

TASKS = {name: load_task(name, {"family": "f", "generate": name}) for name in ("next_letter", "to_upper")}
PREFIX = dict.fromkeys(TASKS, False)
SIZES = {"dev": 2, "test": 3, "layer_step": 1, "strengths": [1, 2], "heads": [1, 3], "draws": 2, "trials": 2,
         "ablated": {"heads": 3, "episodes": 2}, "learning": {"pairs": 4, "steps": 3, "rate": 0.1}}  # fmt: skip
STUDY = read_study()
REPRESENTATIONS = {name: representation_of(file) for name, file in STUDY.representations.items()}
NAMES = list(REPRESENTATIONS)
KINDS = {task: {"family": "f", "role": "main"} for task in TASKS}


@pytest.fixture(scope="module")
def episodes():
    return [
        sample_episode(task, split, number, demonstrations=0 if split == "baseline" else 3, dummies=0 if split == "baseline" else 2,
                       seed=0)
        for task in TASKS.values() for split, count in (("baseline", 1), ("dev", 4), ("test", 4)) for number in range(count)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def thetas(lm, episodes):
    return extract(lm, episodes, PREFIX, 1)[0]


@pytest.fixture(scope="module")
def measured(lm, episodes):
    return measure(lm, episodes, SIZES, PREFIX, 1, 0)


@pytest.fixture(scope="module")
def context(lm, episodes, thetas, measured):
    pools = {task: [e for e in episodes if e.task == task and e.split != "baseline"] for task in TASKS}
    heads = {task: heads_of(*measured[:2], task) for task in TASKS}
    return TaskContext(lm, pools, thetas, tried_layers(lm.layers, 1, 1), 1, heads, SIZES, 0)


@pytest.fixture(scope="module")
def table(lm, episodes, thetas, measured):
    choice = pd.DataFrame({"task": list(TASKS), "layer": 1, "common_layer": 1})
    pairs = read_pairs_of_tasks(lm, episodes, choice, 50, [], 0)
    return rivals(lm, episodes, thetas, choice, *measured[:2], REPRESENTATIONS, SIZES, PREFIX, 1, 0, pairs)


def test_maps_of_the_querys_state_are_those_of_the_ladder(lm, episodes, thetas, table):
    """Fitted on the same pairs, without the prompts that show the query."""
    choice = pd.DataFrame({"task": list(TASKS), "layer": 1, "common_layer": 1})
    pairs = read_pairs_of_tasks(lm, episodes, choice, 50, [], 0)
    sizes, tokens = {"test": 3, "dev": 50, "ranks": [1]}, dict.fromkeys(TASKS, 1)
    rungs = ladder(
        lm, episodes, thetas, choice, pairs, sizes, list(TASKS), [], {task: [task] for task in TASKS}, PREFIX, tokens, 0
    )
    rows = rungs[rungs["measure"] == "divergence"].set_index(["subject", "task", "episode"])["value"]
    test = table[table["split"] == "test"].set_index(["method", "task", "episode"])["divergence"]
    for method, rung in (("state_offset", "offset"), ("linear_map", "full_map")):
        assert test[method].to_numpy(float) == pytest.approx(
            rows[rung].reindex(test[method].index).to_numpy(float), abs=1e-5
        )


def test_every_representation_answers_the_same_queries(table):
    test = table[table["split"] == "test"]
    assert set(test["method"]) == {*NAMES, "regular", "zero_shot"} and test["left_out"].isna().all()
    for _, of_method in test.groupby("method"):
        assert of_method.groupby("task")["episode"].apply(list).to_dict() == {task: [0, 1, 2] for task in TASKS}
    dev = table[table["split"] == "dev"]
    assert set(dev["method"]) == {"theta", "mean_theta", "added_theta", "summed_heads"}
    assert set(dev["episode"]) == {0, 1}
    assert set(test.loc[test["kind"] == "control", "method"]) == {
        "random_heads", "shuffled_heads", "random_direction", "learned_shuffled", "theta_last_arrow",
    }  # fmt: skip


def test_divergence_is_that_of_the_regular_prompts_own_distribution(lm, episodes, table):
    rows = table[table["split"] == "test"].set_index(["method", "task", "episode"])
    assert rows.loc["regular", "divergence"].max() < 1e-6
    for episode in [e for e in episodes if e.split == "test" and e.episode < 2]:
        ids = prompt_ids(lm.tokenizer, [regular_prompt(episode), zero_shot_prompt(episode)])
        p, q = (plain_answer(lm, one)[1].softmax(dim=-1).double().numpy() for one in ids)
        expected = jensenshannon(p, q, base=2) ** 2
        assert rows.loc[("zero_shot", episode.task, episode.episode), "divergence"] == pytest.approx(expected, abs=1e-5)


def test_passes_are_counted_with_what_was_read(lm, episodes, table):
    test = table[table["split"] == "test"].groupby("method")[["forward", "backward"]].first()
    tests = [e for e in episodes if e.split == "test" and e.episode < 3]
    regular = prompt_ids(lm.tokenizer, [regular_prompt(e) for e in tests])
    bare = prompt_ids(lm.tokenizer, [zero_shot_prompt(e) for e in tests])
    assert test.loc["regular", "forward"] == pytest.approx(sum(map(len, regular)) / len(tests))
    # The top block does not run for tokens whose keys and values alone are kept.
    lowest = sum(1 + (len(ids) - 1) * (lm.layers - 1) / lm.layers for ids in bare) / len(tests)
    assert test.loc["zero_shot", "forward"] == pytest.approx(lowest)
    dummies = [ids for e in tests for ids in prompt_ids(lm.tokenizer, dummy_prompts(e))]
    assert test.loc["theta", "forward"] < test.loc["zero_shot", "forward"] + sum(map(len, dummies)) / len(tests)
    assert test.loc["theta", "forward"] > test.loc["zero_shot", "forward"] + max(map(len, dummies))
    # One θ for each arrow: three of other episodes and the episode's own, beside the prompt itself.
    arrows = prompt_ids(lm.tokenizer, [f"{prompt((), 'a')}\n" * 4])[0]
    assert test.loc["theta_per_arrow", "forward"] < 3 * 4 * max(map(len, dummies)) + 2 * len(arrows)
    growing = [ids for e in tests for ids in prompt_ids(lm.tokenizer, [prompt(e.demos, e.dummies[0])])]
    assert (
        test.loc["state_vector", "forward"] < test.loc["zero_shot", "forward"] + sum(map(len, growing)) / len(tests) + 1
    )
    learning = test["backward"] > 0
    assert set(learning[learning].index) == {"learned_theta", "learned_many", "learned_shuffled"}
    layer = int(table[(table["split"] == "test") & (table["method"] == "learned_theta")]["layer"].iloc[0])
    above = (lm.layers - 1 - layer) / lm.layers  # for three demonstrations and three steps
    assert test.loc["learned_theta", "backward"] == pytest.approx(3 * 3 * above)


def test_the_best_setting_is_that_of_the_best_mean_over_tasks():
    settings = [Setting(0), Setting(1), Setting(2)]
    rows = [("a", 0, True), ("a", 1, True), ("a", 2, False), ("b", 0, False), ("b", 1, True), ("b", 2, True)]
    rows += [("b", 0, False), ("b", 1, False), ("b", 2, True)]
    tried = pd.DataFrame(rows, columns=["task", "layer", "correct"]).assign(strength=None, heads=None)
    assert best(tried, settings) == Setting(1)  # .5 · (1 + .5), before .5 · (0 + 1)
    assert best(tried[tried["task"] == "a"], settings) == Setting(0)  # of equals the first


def test_layers_that_are_tried_hold_the_common_one_and_never_the_top():
    assert tried_layers(6, 3, 2) == [1, 3] and tried_layers(6, 5, 1) == [0, 1, 2, 3, 4]
    assert tried_layers(2, 1, 3) == [0] and tried_layers(8, 7, 8) == list(range(7)) and tried_layers(1, 0, 1) == []


def test_controls_and_the_dear_ones_run_at_the_setting_of_what_they_stand_beside(table):
    test = table[table["split"] == "test"].groupby("method")[["layer", "heads"]].agg(["min", "max"])
    for name in (
        "state_vector",
        "momentum_state_vector",
        "theta_per_arrow",
        "learned_theta",
        "learned_many",
        "learned_shuffled",
        "random_direction",
    ):
        assert test.loc[name, "layer"].tolist() == test.loc["theta", "layer"].tolist(), name
    for name in ("random_heads", "shuffled_heads"):
        assert test.loc[name, "heads"].tolist() == test.loc["function_vector", "heads"].tolist(), name


def test_a_mean_theta_is_of_episodes_that_do_not_show_the_query(context, episodes, thetas):
    episode = next(e for e in episodes if e.split == "test")
    (change,) = REPRESENTATIONS["mean_theta"].changes(context, [episode], [Setting(2)])
    others = [
        other for other in context.pools[episode.task]
        if other.key != episode.key and episode.query not in {*(x for x, _ in other.demos), *other.dummies}
    ]  # fmt: skip
    assert 0 < len(others) < len(context.pools[episode.task]) - 1
    expected = thetas.of_episodes(other.key for other in others)[:, 2].mean(axis=0)
    np.testing.assert_allclose(change.vectors[0], expected, atol=1e-5)


def test_heads_are_ranked_by_their_effect_on_other_tasks(measured):
    effects, means, _ = measured
    heads = heads_of(effects, means, "to_upper")
    other = effects[effects["task"] == "next_letter"].groupby(["layer", "head"])["effect"].mean()
    assert list(map(tuple, heads.ranked)) == list(other.sort_values(ascending=False, kind="stable").index)
    assert heads_of(effects[effects["task"] == "to_upper"], means, "to_upper") is None


def test_means_of_heads_leave_out_prompts_that_show_the_query(lm, episodes, measured):
    effects, outputs, ablated = measured
    trials = [e for e in episodes if (e.task, e.split) == ("to_upper", "dev") and e.episode < 2]
    read = read_heads(lm, prompt_ids(lm.tokenizer, [regular_prompt(e) for e in trials]))
    heads = heads_of(effects, outputs, "to_upper")
    for trial in trials:
        other = trials[1 - trials.index(trial)]
        assert trial.query not in {other.query, *(x for x, _ in other.demos)}
        for layer, values in enumerate(heads.means(CORRECT, trial.query)):  # its own prompt shows it
            torch.testing.assert_close(values, read[layer][trials.index(other)], atol=1e-5, rtol=1e-5)
    for layer, values in enumerate(heads.means(CORRECT, "no such input")):
        torch.testing.assert_close(values, read[layer].mean(dim=0), atol=1e-5, rtol=1e-5)
    shown = replace(heads, shown=[{"a"}, {"a", "b"}])
    assert shown.without("a") == [] and shown.without("b") == [0]
    assert len(effects) == len(TASKS) * 2 * lm.layers * heads.count
    assert set(ablated["method"]) == {INTACT, TOP, RANDOM} and len(ablated) == 3 * 2 * len(TASKS)


def test_effects_are_of_the_other_trials_mean_in_a_prompt_with_shuffled_answers(lm, episodes, measured):
    trials = [e for e in episodes if (e.task, e.split) == ("to_upper", "dev") and e.episode < 2]
    ids = prompt_ids(lm.tokenizer, [regular_prompt(trials[1])])
    demos = shuffled_answers(trials[0].demos, 0, "to_upper", trials[0].episode)
    text = prompt(tuple(demos), trials[0].query)
    (shuffled,), ((token, *_),) = (
        prompt_ids(lm.tokenizer, [text]),
        answer_ids(lm.tokenizer, [text], [trials[0].answers[0]]),
    )
    put = read_heads(lm, ids)
    layer, head = 1, 1
    count = int(measured[1]["heads"].iloc[0])
    change = Intervention(layer, put[layer], site="heads", mask=head_mask(put[layer].shape[1], count, [head]))
    with_head, without = (plain_answer(lm, shuffled, 1, one)[1].softmax(dim=-1)[token] for one in (change, ()))
    effects = measured[0].set_index(["task", "episode", "layer", "head"])["effect"]
    assert effects["to_upper", 0, layer, head] == pytest.approx(float(with_head - without), abs=1e-7, rel=1e-2)


def test_shuffled_answers_are_of_other_pairs():
    pairs = [(str(number), f"a{number}") for number in range(6)]
    shuffled = shuffled_answers(pairs, 0, "t")
    assert [x for x, _ in shuffled] == [x for x, _ in pairs] and sorted(y for _, y in shuffled) == sorted(
        y for _, y in pairs
    )
    assert all(one != other for one, other in zip(pairs, shuffled, strict=True))
    assert shuffled == shuffled_answers(pairs, 0, "t") != shuffled_answers(pairs, 1, "t")
    assert shuffled_answers(pairs[:1], 0) == pairs[:1]


def test_random_heads_are_as_many_of_the_same_layers_and_never_the_same():
    heads = [(0, 1), (2, 0), (2, 3)]
    drawn = random_heads.like(heads, 3, 6, 0, "x")
    assert sorted(layer for layer, _ in drawn) == [0, 2, 2] and len(set(drawn)) == 3 and not set(drawn) & set(heads)
    # The layer has one other: the second comes from the nearest layer.
    assert sorted(random_heads.like([(1, 0), (1, 1)], 4, 3, 0, "x"))[-1][0] in (1, 2)
    full = [(1, 0), (1, 1)]
    drawn = random_heads.like(full, 3, 2, 0, "x")
    assert len(drawn) == 2 and {layer for layer, _ in drawn} <= {0, 2}
    every = [(layer, head) for layer in range(2) for head in range(2)]
    assert random_heads.like(every[:3], 2, 2, 0, "x") == [every[3]]  # there are no more


def vectors_of(module, context, episodes, setting):
    (change,) = module.changes(context, episodes, [setting])
    return change


def test_what_is_put_in_is_what_each_says(context, lm, episodes, thetas):
    few = [e for e in episodes if e.split == "test"][2:5]  # of both tasks
    theta = torch.from_numpy(thetas.of_episodes(e.key for e in few))
    bare = torch.stack([
        torch.stack([plain_states(lm, ids)[0] for ids in prompt_ids(lm.tokenizer, [prompt((), x) for x in e.dummies])]).mean(dim=0)
        for e in few
    ])  # fmt: skip
    close = {"atol": 1e-4, "rtol": 1e-4}
    change = vectors_of(REPRESENTATIONS["theta"], context, few, Setting(1))
    assert (change.layer, change.how) == (1, "replace") and torch.equal(change.vectors, theta[:, 1])
    change = vectors_of(REPRESENTATIONS["added_theta"], context, few, Setting(1, 2.0))
    assert (change.how, change.strength) == ("add", 2.0)
    torch.testing.assert_close(change.vectors, theta[:, 1] - bare[:, 1], **close)
    change = vectors_of(REPRESENTATIONS["state_vector"], context, few, Setting(1))
    onward = vectors_of(REPRESENTATIONS["momentum_state_vector"], context, few, Setting(1))
    for vector, further, e in zip(change.vectors, onward.vectors, few, strict=True):
        queries = [*(x for x, _ in e.demos), e.dummies[0]]
        upto = prompt_ids(lm.tokenizer, [prompt(e.demos[:k], queries[k]) for k in (1, 2, 3)])  # the last three arrows
        first, second, last = (plain_states(lm, ids)[0][1] for ids in upto)
        mean = (first + second + last) / 3
        torch.testing.assert_close(vector, mean, **close)
        torch.testing.assert_close(further, mean + (second - first) / 3 + 2 * (last - second) / 3, **close)
    change = vectors_of(REPRESENTATIONS["random_direction"], context, few, Setting(2))
    torch.testing.assert_close(change.vectors.norm(dim=-1), theta[:, 2].norm(dim=-1), **close)
    assert torch.nn.functional.cosine_similarity(change.vectors, theta[:, 2]).abs().max() < 0.9
    change = vectors_of(REPRESENTATIONS["theta_per_arrow"], context, few, Setting(1))
    for place, e in enumerate(few):
        others = context.others(e)[:3]
        expected = torch.from_numpy(thetas.of_episodes(o.key for o in others))[:, 1]
        torch.testing.assert_close(change.vectors[place, :-1], expected, **close)
        torch.testing.assert_close(change.vectors[place, -1], theta[place, 1], **close)


def test_function_vectors_put_in_the_top_heads_and_controls_others(context, lm, episodes):
    few = [e for e in episodes if e.split == "test"][2:5]
    for name, kind, ranked in (
        ("function_vector", CORRECT, True),
        ("shuffled_heads", SHUFFLED, True),
        ("random_heads", CORRECT, False),
    ):
        changes = vectors_of(REPRESENTATIONS[name], context, few, Setting(heads=3))
        for place, e in enumerate(few):
            heads = context.measured[e.task]
            means = heads.means(kind, e.query)
            top = set(map(tuple, heads.ranked[:3]))
            put = {
                (change.layer, head) for change in changes for head in range(heads.count)
                if change.mask[place].unflatten(0, (heads.count, -1))[head].all()
            }  # fmt: skip
            assert len(put) == 3 and (put == top if ranked else not put & top), name
            for change in changes:
                torch.testing.assert_close(change.vectors[place], means[change.layer])


def test_arrows_are_where_the_lines_end(context, lm, episodes):
    few = [e for e in episodes if e.split == "test"][:3]
    positions = theta_per_arrow.arrow_positions(context, few)
    for place, episode in enumerate(few):
        (ids,) = prompt_ids(lm.tokenizer, REPRESENTATIONS["theta_per_arrow"].prompts(context, [episode]))
        upto = prompt_ids(lm.tokenizer, theta_per_arrow.lines(context, episode))
        assert [len(ids) + at for at in positions[place].tolist()] == [len(part) - 1 for part in upto]
        assert len(upto) == 4 and positions[place, -1] == -1


def test_a_learned_vector_lowers_the_loss_and_its_queries_are_held_out(context, lm, episodes):
    few = [e for e in episodes if e.split == "test" and e.task == "to_upper"][:2]
    pairs = training_pairs(context, "to_upper", few)
    assert len(pairs) == SIZES["learning"]["pairs"] and not {x for x, _ in pairs} & {e.query for e in few}
    start = torch.zeros(1, lm.hidden)
    learning = {"steps": 12, "rate": 0.1}

    def loss(vector):
        total = 0.0
        for x, y in pairs:
            (ids,) = prompt_ids(lm.tokenizer, [prompt((), x)])
            ((token, *_),) = answer_ids(lm.tokenizer, [prompt((), x)], [y])
            total -= plain_answer(lm, ids, 1, Intervention(1, vector))[1].log_softmax(dim=-1)[token]
        return float(total) / len(pairs)

    vector = learned(lm, [pairs], start, torch.ones(1, lm.hidden), 1, learning, ["t"])
    assert loss(vector) < loss(start) - 0.1


def test_who_cannot_be_put_in_is_left_out_by_name(context, lm, episodes, thetas, measured):
    without = replace(context, measured={})
    assert "heads cannot be distinguished" in REPRESENTATIONS["function_vector"].unusable(without, "to_upper")
    asked = next(e.query for e in context.pools["to_upper"] if e.split == "test")
    shown = {task: [replace(e, demos=((asked, "x"),)) for e in pool] for task, pool in context.pools.items()}
    assert "too few are left" in REPRESENTATIONS["learned_many"].unusable(replace(context, pools=shown), "to_upper")
    assert "3 demonstrations" in REPRESENTATIONS["state_vector"].unusable(replace(context, pools=shown), "to_upper")
    heads = {task: replace(heads, shown=[{asked}] * 2) for task, heads in context.measured.items()}
    assert "raise `rivals: trials`" in REPRESENTATIONS["function_vector"].unusable(
        replace(context, measured=heads), "to_upper"
    )
    alone = {"to_upper": [e for e in context.pools["to_upper"] if e.split == "test"][:1]}
    assert "every other episode shows" in REPRESENTATIONS["mean_theta"].unusable(
        replace(context, pools=alone), "to_upper"
    )
    assert replace(context, layer=None).at_common_layer() == []
    many = replace(context, rivals={**SIZES, "heads": [10_000]})
    assert [setting.heads for setting in REPRESENTATIONS["function_vector"].settings(many)] == [1]  # 5% of six, or one
    one = [e for e in episodes if e.task == "to_upper"]
    choice = pd.DataFrame({"task": ["to_upper"], "layer": [1], "common_layer": [1]})
    table = rivals(
        lm, one, thetas, choice, *(table[table["task"] == "to_upper"] for table in measured[:2]),
        {name: REPRESENTATIONS[name] for name in ("theta", "function_vector")}, SIZES, PREFIX, 1, 0,
    )  # fmt: skip
    left = table[table["method"] == "function_vector"]
    assert left["left_out"].str.contains("no other task to choose them on").all() and len(left) == 1
    rows = rivals_table(table, "m", KINDS, list(TASKS), 0).set_index(["representation", "task"])
    assert rows.loc[("function_vector", "all"), "n"] == 0 and rows.loc[("theta", "all"), "n"] == 3


def test_tables_count_by_task_and_compare_on_the_same_episodes(table, measured):
    rows = rivals_table(table, "m", KINDS, list(TASKS), 0).set_index(["representation", "task"])
    test = table[table["split"] == "test"]
    for (name, task), of_task in test.groupby(["method", "task"]):
        assert rows.loc[(name, task), "accuracy"] == pytest.approx(of_task["correct"].astype(float).mean())
        assert rows.loc[(name, task), "divergence"] == pytest.approx(of_task["divergence"].astype(float).mean())
    assert np.isnan([rows.loc[("theta", "all"), "to_theta"], rows.loc[("regular", "all"), "to_regular"]]).all()
    mean = test[test["method"] == "mean_theta"]["correct"].astype(float).mean()
    own = test[test["method"] == "theta"]["correct"].astype(float).mean()
    assert rows.loc[("mean_theta", "all"), "to_theta"] == pytest.approx(mean - own)
    effects, _, ablated = measured
    heads = head_effects(effects, "m", 0)
    assert heads.sort_values("rank")["effect"].is_monotonic_decreasing and sorted(heads["rank"]) == list(
        range(1, len(heads) + 1)
    )
    lost = ablation(ablated, "m", KINDS, 0).set_index(["ablated", "task"])
    assert np.isnan(lost.loc[("random_heads", "all"), "to_random"]) and (lost["heads"] == 3).all()


def made_up(method: str, correct: dict[str, list[bool]]) -> list[dict]:
    return [
        {"task": task, "seed": 0, "split": "test", "episode": place, "method": method, "correct": hit, "exact": hit, "layer": 1,
         "label": method, "kind": "rival", "divergence": 0.5, "forward": 9.0, "backward": 0.0}
        for task, hits in correct.items() for place, hit in enumerate(hits)
    ]  # fmt: skip


def test_signs_of_differences_and_verdicts_by_hand():
    hits = {"theta": [1, 1, 0, 0], "mean_theta": [1, 1, 1, 1], "regular": [1, 1, 1, 1], "function_vector": [0, 0, 0, 0],
            "learned_many": [1, 1, 1, 1]}  # fmt: skip
    rows = [
        row
        for name, of_name in hits.items()
        for row in made_up(name, {key: [hit == 1 for hit in 4 * of_name] for key in TASKS})
    ]
    rows = [row for row in rows if (row["method"], row["task"]) != ("learned_many", "to_upper")]
    lacking = {
        "task": "to_upper",
        "split": "test",
        "method": "learned_many",
        "label": "l",
        "kind": "rival",
        "left_out": "why",
    }
    predictions = pd.DataFrame([*rows, lacking]).reindex(columns=[*rows[0], "strength", "heads", "left_out"])
    rivals = rivals_table(predictions, "m", KINDS, list(TASKS), 0)
    mean = rivals[rivals["task"] == "all"].set_index("representation")
    assert mean.loc["mean_theta", "to_theta"] == 0.5 and mean.loc["function_vector", "to_theta"] == -0.5
    assert mean.loc["theta", "to_regular"] == -0.5 and mean.loc["learned_many", "to_regular"] == 0
    assert mean.loc["mean_theta", "to_theta_low"] > 0 > mean.loc["function_vector", "to_theta_high"]
    assert mean.loc["learned_many", "left_out"] == "without to_upper" and mean.loc["learned_many", "n"] == 16
    assert mean.loc["theta", "forward"] == 9 and rivals.loc[rivals["task"] != "all", "forward"].isna().all()
    ablated = pd.DataFrame([
        row | {"heads": 5} for name, own in {"intact": [1, 1, 1, 1], "top_heads": [0, 0, 0, 0], "random_heads": [1, 1, 1, 0]}.items()
        for row in made_up(name, {key: [hit == 1 for hit in 4 * own] for key in TASKS})
    ])  # fmt: skip
    lost = ablation(ablated, "m", KINDS, 0)
    at = lost.set_index(["ablated", "task"])
    assert at.loc[("top_heads", "all"), "to_random"] == -0.75 and at.loc[("intact", "all"), "to_random"] == 0.25
    choice = pd.DataFrame({"task": list(TASKS), "able": True})
    better = pd.DataFrame([{"task": task, "reference": "zero_shot", "n": 40, "role": "main", "difference": 0.5,
                            "difference_low": 0.4, "difference_high": 0.6} for task in (*TASKS, "all")])  # fmt: skip
    tables = {"rivals": rivals, "ablation": lost, "layer_choice": choice, "differences": better}
    found = {name: (claim, finding) for name, claim, finding in claims(tables, {})}
    values = {name: finding.value for name, (_, finding) in found.items()}
    assert values == {"function_vector": -0.5, "learned_vector": 0, "top_heads": 0.75}
    verdicts = {name: finding.verdict(claim.threshold) for name, (claim, finding) in found.items()}
    assert verdicts == {
        "function_vector": "refuted", "top_heads": "shown",
        "learned_vector": "open",  # of sixteen episodes that agree a fifth may be otherwise
    }  # fmt: skip
    words = prose("rivals", {"rivals": rivals, "ablation": lost}, {"models": {"m": {"label": "M"}}})
    assert "−75 [−" in words and "the published sign." in words and "that of mean_theta, 100%" in words
    bounds = [column for column in [*rivals, *lost] if column.endswith(("_low", "_high"))]
    alone = [
        table.assign(**{name: np.nan for name in bounds if name in table}) for table in (rivals, lost)
    ]  # of one episode
    words = prose("rivals", {"rivals": alone[0], "ablation": alone[1]}, {"models": {"m": {"label": "M"}}})
    assert (
        "There are too few episodes to compare them with θ." in words
        and "−75 points, but episodes are too few to tell." in words
    )
    assert "nan" not in words
    once = rivals.assign(n=rivals["n"].clip(upper=1))
    first = next(claims({**tables, "rivals": once}, {}))
    assert first[0] == "function_vector" and first[2].verdict(0) == "no basis"
    nothing = better.assign(difference=0.05, difference_low=0.0, difference_high=0.1)  # θ does nothing
    assert next(claims({**tables, "differences": nothing}, {}))[2].verdict(-0.1) == "no basis"


def test_heads_that_cannot_be_told_apart_leave_empty_tables(lm, episodes, monkeypatch):
    def refused(lm):
        raise StudyError("its attention heads cannot be distinguished")

    monkeypatch.setattr("taskvectors.questions.rivals.heads.head_count", refused)
    effects, means, ablated = measure(lm, episodes, SIZES, PREFIX, 1, 0)
    assert len(effects) == len(means) == len(ablated) == 0
    assert len(head_effects(effects, "m", 0)) == len(ablation(ablated, "m", KINDS, 0)) == 0
    assert heads_of(effects, means, "to_upper") is None


def test_trials_that_all_show_the_query_tell_no_effect(lm, episodes):
    effects, outputs, ablated = measure(lm, episodes, {**SIZES, "trials": 1}, PREFIX, 1, 0)
    assert len(effects) == len(ablated) == 0 and len(outputs) == 2 * lm.layers * len(TASKS)


def test_v0_is_read_once_and_costs_the_same_whoever_asks(context, lm, episodes):
    """Of some episodes alone no more than if they had been read by themselves; twice in a row no more than once."""
    some, every = [e for e in episodes if e.split == "test"][:2], [e for e in episodes if e.split == "test"]
    alone, anew, then = (replace(context, spent={}, _bare={}) for _ in range(3))
    with counted_passes(lm) as own:
        states = alone.bare(some)
        alone.bare(some)
    assert sum(alone.spent.values()) == 0
    anew.bare(every)
    anew.spent.clear()
    with counted_passes(lm) as none:
        again = anew.bare(some)
        anew.bare(some)
    assert none.forward == 0 and sum(anew.spent.values()) == pytest.approx(own.forward, rel=0.02)
    torch.testing.assert_close(again, states, atol=1e-5, rtol=1e-5)
    with counted_passes(lm) as whole:
        then.bare(every)
    then.spent.clear()
    then.bare(every)
    assert sum(then.spent.values()) == pytest.approx(whole.forward)


def test_theta_after_no_demonstrations_is_the_mean_of_the_dummies_bare_prompts(context, lm, episodes):
    episode = next(e for e in episodes if e.split == "test")
    ids = prompt_ids(lm.tokenizer, [prompt((), x) for x in episode.dummies])
    expected = torch.stack([plain_states(lm, one)[0] for one in ids]).mean(dim=0)
    torch.testing.assert_close(context.bare([episode])[0], expected, atol=1e-4, rtol=1e-4)


def test_captions_say_how_many_heads_are_listed():
    (question,) = (question for question in STUDY.questions if question.name == "rivals")
    assert TOP_HEADS == 10 and "the ten largest" in question.figures["head_effects"]["caption"]
    assert "The ten heads" in question.shown["heads"]["caption"]


@pytest.mark.parametrize(
    ("architecture", "follows"), [("llama", False), ("gpt2", False), ("gemma3_text", True), ("olmo2", True)]
)
def test_whether_a_norm_follows_the_mixing_of_heads_is_tried(architecture, follows):
    assert norm_follows(tiny(architecture)) == follows


def test_a_summed_function_vector_is_the_projection_of_the_heads_outputs(lm, context):
    """By the projection's own weights, a head at a time."""
    test = [e for task in TASKS for e in context.episodes("test", task)]
    vector = REPRESENTATIONS["summed_heads"]
    (change,) = vector.changes(context, test, [Setting(layer=1, heads=3)])
    assert (change.layer, change.how, change.site) == (1, "add", "block")
    for place, episode in enumerate(test):
        heads = context.measured[episode.task]
        means, total = heads.means(CORRECT, episode.query), torch.zeros(lm.hidden)
        for layer, head in heads.ranked[:3]:
            weight = lm.model.model.layers[layer].self_attn.o_proj.weight.detach().float().cpu()
            size = weight.shape[1] // heads.count
            part = slice(head * size, (head + 1) * size)
            total += weight[:, part] @ means[layer][part].float()
        assert torch.allclose(change.vectors[place], total, atol=1e-5)
    settings = vector.settings(context)
    assert {setting.layer for setting in settings} == set(context.layers) and {one.heads for one in settings} == {1}


def test_doses_put_in_ever_more_heads_beside_random_ones(lm, context):
    table = doses(context, PREFIX, 1)
    available = lm.layers * next(iter(context.measured.values())).count
    assert set(table.loc[table["subject"] == "top_heads", "step"]) == {1, 3, available}
    assert set(table.loc[table["subject"] == "random_heads", "draw"]) == {0, 1}
    assert available not in set(table.loc[table["subject"] == "random_heads", "step"])  # all heads leave none to draw
    test = [e for task in TASKS for e in context.episodes("test", task)]
    vector = REPRESENTATIONS["function_vector"]
    (three,) = vector.changes(context, test, [Setting(heads=3)])
    ids = prompt_ids(lm.tokenizer, [zero_shot_prompt(e) for e in test])
    rows = table[(table["subject"] == "top_heads") & (table["step"] == 3)].set_index(["task", "episode"])["value"]
    for place, episode in enumerate(test):
        answer, _ = plain_answer(lm, ids[place], 1, tuple(one.of([place]) for one in three))
        word = decode_answers(lm.tokenizer, [answer], lm.ends)[0]
        right = is_correct(word, episode.answers, prefix_scored=False, query=episode.query)
        assert rows[episode.task, episode.episode] == right
    written = dose_table(table, "m", available, 0).set_index(["kind", "heads"])
    assert written.loc[("top_heads", available), "share"] == 1 and written.loc[("random_heads", 1), "draws"] == 2
    means = table[(table["subject"] == "random_heads") & (table["step"] == 1)].groupby(["draw", "task"])["value"].mean()
    lowest = means.groupby("draw").mean().min()
    assert written.loc[("random_heads", 1), "lowest"] == pytest.approx(lowest)
