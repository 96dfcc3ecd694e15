"""Statistics, the study's tables and the geometry of θ, against independent references."""

import math
import tempfile
from pathlib import Path

import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st
from scipy.spatial.distance import cosine
from scipy.stats import binom, binomtest, bootstrap, norm, sem, ttest_1samp
from sklearn.metrics import silhouette_score

from taskvectors.errors import StudyError
from taskvectors.observations.claims import ABLE_TASKS, ALL_TASKS, Finding, negated, over_tasks, share_of_tasks
from taskvectors.observations.intervals import (
    ANSWERS,
    DIFFERENCES,
    Estimate,
    across_groups,
    bootstrap_mean,
    combined,
    holm,
    ratio,
    wilson,
)
from taskvectors.observations.rows import main_tasks, with_kinds
from taskvectors.observations.summaries import paired_differences, shares, summarized
from taskvectors.questions.conflict.claims import overrides
from taskvectors.questions.conflict.claims import transfers as transferred
from taskvectors.questions.conflict.tables import conflicts, transfers
from taskvectors.questions.controls.claims import CLAIMS, beyond
from taskvectors.questions.controls.tables import controls
from taskvectors.questions.formation.tables import formation, variance
from taskvectors.questions.geometry.tables import distance_histogram, geometry_at_layer, raw_and_centred
from taskvectors.questions.layers.tables import layer_choice
from taskvectors.questions.layers.views import VIEWS, tasks_in_view
from taskvectors.questions.limits.tables import limits
from taskvectors.questions.main_result.tables import accuracy, by_method, by_seed, differences, seed_spread
from taskvectors.report.cells import in_points, percent, with_interval
from taskvectors.store.files import atomic, write_text
from taskvectors.store.tables import STRINGS, read_csv, write_csv

WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)


@hypothesis.given(st.lists(st.tuples(WORDS, WORDS, st.floats(-9, 9) | st.none()), min_size=1, max_size=6))
@hypothesis.example([("a\rb", "007", 1.5), ("\r", "1", None), ("\0", "true", 0.0)])
@hypothesis.example(
    [("null", "nan", 1.0), ("\r\n", "", 1.0), ("\ufeff", "1e3", 1.0), ("#", '"', 2.0), ("a,b", "'", 3.0)]
)
def test_tables_survive_any_word(rows):
    table = pd.DataFrame(rows, columns=["token", "task", "logit"]).astype({"logit": float})
    with tempfile.TemporaryDirectory() as folder:
        write_csv(Path(folder, "t.csv"), table)
        again = read_csv(Path(folder, "t.csv"))
    assert again["token"].tolist() == table["token"].tolist()
    assert again["task"].fillna("").tolist() == table["task"].tolist()
    np.testing.assert_allclose(again["logit"], table["logit"], rtol=1e-5)


def test_names_that_look_like_numbers_stay_names(tmp_path):
    names = ["007", "1", "true", "null", "NA", "1e5", "2024-01-01"]
    table = pd.DataFrame(dict.fromkeys(STRINGS, names) | {"layer": range(len(names))})
    write_csv(tmp_path / "t.csv", table)
    for column in STRINGS:
        assert read_csv(tmp_path / "t.csv")[column].tolist() == names
    assert read_csv(tmp_path / "t.csv")["layer"].tolist() == list(range(len(names)))


@pytest.mark.parametrize(("correct", "n"), [(0, 50), (27, 50), (50, 50), (1, 3)])
def test_wilson_is_the_textbook_formula(correct, n):
    z, p = norm.ppf(0.975), correct / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert wilson(correct, n) == pytest.approx((centre - half, centre + half), abs=1e-12)


def test_accuracy_table_counts():
    table = shares(
        pd.DataFrame({"task": ["a", "a", "b"], "split": "dev", "correct": [True, False, True]}), ["task", "split"]
    )
    assert table[["task", "n", "accuracy"]].to_numpy().tolist() == [["a", 2, 0.5], ["b", 1, 1.0]]


def predictions():
    """Two tasks, three layers. Dev is best at layer 1 for `a` and 2 for `b`; test of `b` is best at layer 0.

    Six episodes, of two kinds: of fewer that are all alike nothing follows.
    """
    correct = {
        ("a", "dev", 0): [[0, 1, 0], [0, 1, 1]],
        ("b", "dev", 0): [[0, 0, 1], [0, 1, 1]],
        ("a", "test", 0): [[0, 1, 0], [0, 1, 0]],
        ("b", "test", 0): [[1, 0, 0], [1, 0, 1]],
        ("a", "dev", 5): [[1, 0, 0], [1, 0, 0]],
        ("a", "test", 5): [[1, 0, 0], [1, 0, 0]],
        ("b", "dev", 5): [[1, 0, 0], [1, 0, 0]],
        ("b", "test", 5): [[0, 0, 0], [1, 0, 0]],
    }
    rows = [
        (task, seed, split, episode, "hypothesis", layer, "w", "w", bool(hit))
        for (task, split, seed), episodes in correct.items()
        for episode, layers in enumerate(3 * episodes)
        for layer, hit in enumerate([*layers, 0])  # the top block, which is never chosen
    ]
    for task in "ab":
        rows += [(task, 0, "baseline", e, "baseline", None, "w", "w", False) for e in range(6)]
        rows += [(task, 0, "test", e, "regular", None, "w", "w", True) for e in range(6)]
        rows += [(task, 0, "dev", e, "regular", None, "w", "w", False) for e in range(6)]
        rows += [(task, 5, "test", e, "regular", None, "w", "w", e % 2 == 0) for e in range(6)]
        rows += [(task, seed, "dev", e, "zero_shot", None, "w", "w", False) for seed in (0, 5) for e in range(6)]
        for control in ("zero_shot", "majority", "copy_query"):
            rows += [
                (task, 0, "test", e, control, None, "w", "w", control == "majority" and e % 2 == 0) for e in range(6)
            ]
        layer = {"a": 1, "b": 2}[task]  # the chosen one
        rows += [(task, 0, "test", e, "random_theta", layer, "w", "w", layer == 1) for e in range(6)]
        rows += [(task, 0, "test", e, "other_theta", layer, "w", "w", layer == 2) for e in range(6)]
    columns = ["task", "seed", "split", "episode", "method", "layer", "predicted", "answer", "correct"]
    table = pd.DataFrame(rows, columns=columns).astype({"layer": "Int64"})
    table["exact"] = table["correct"] & (
        table["method"] != "regular"
    )  # as if regular answers were right by prefix alone
    return table.assign(source=table["task"].map({"a": "b", "b": "a"}).where(table["method"] == "other_theta"))


def test_layer_choice_and_accuracy_by_method():
    table = with_kinds(predictions(), "m", {task: {"family": "f", "role": "main"} for task in "ab"})
    table, repeats = table[table["seed"] == 0], table
    choice = layer_choice(table, seed=0).set_index("task")
    assert choice["layer"].to_dict() == {"a": 1, "b": 2} and choice["own"].all()
    assert set(choice["common_layer"]) == {1}  # means: 0, .75, .75; the tie goes to the lower layer
    chosen = by_method(table, choice.reset_index())
    result = accuracy(chosen, seed=0)
    by = result.set_index(["task", "method"])["accuracy"].to_dict()
    assert (by["a", "hypothesis"], by["b", "hypothesis"], by["all", "hypothesis"]) == (1, 0.5, 0.75)
    assert (by["b", "hypothesis_common"], by["b", "hypothesis_oracle"], by["b", "last_layer"]) == (0, 1, 0)
    assert (by["all", "baseline"], by["all", "regular"]) == (0, 1)  # dev episodes are never reported
    exact = result.set_index(["task", "method"])["exact"]
    assert (exact["b", "hypothesis"], exact["all", "hypothesis"], exact["all", "regular"]) == (0.5, 0.75, 0)
    judged = controls(chosen, seed=0).set_index(["task", "control"])
    assert judged.loc[("b", "other_theta"), ["source", "layer", "n", "accuracy"]].tolist() == ["a", 2, 6, 1]
    beaten = {("a", control) for control in ("zero_shot", "copy_query", "other_theta", "last_layer")}
    assert set(judged.index[~judged["reached"]]) == beaten  # three gains of six decide nothing
    paired = differences(chosen, ["a"], seed=0).set_index(["task", "reference"])["difference"]
    assert (paired["a", "regular"], paired["b", "regular"], paired["all", "regular"]) == (0, -0.5, -0.25)
    assert (paired["a", "majority"], paired["b", "majority"]) == (0.5, 0)
    assert paired["able", "regular"] == paired["a", "regular"] and paired["able", "majority"] == 0.5
    choices = pd.concat([layer_choice(of_seed, 0).assign(seed=seed) for seed, of_seed in repeats.groupby("seed")])
    seeds = by_seed(repeats, choices, seed=0)
    by = seeds.set_index(["task", "seed", "method"])["accuracy"]
    assert (by["all", 0, "hypothesis"], by["all", 5, "hypothesis"]) == (0.75, 0.75)  # layers are chosen anew
    assert (by["a", 5, "hypothesis"], by["b", 5, "hypothesis"], by["a", 5, "regular"]) == (1, 0.5, 0.5)
    spread = seed_spread(seeds).set_index(["task", "method"])
    assert spread.loc[("all", "regular"), ["seeds", "mean", "lowest", "highest"]].tolist() == [2, 0.75, 0.5, 1]
    assert spread.loc[("all", "regular"), "sd"] == pytest.approx(np.std([0.5, 1], ddof=1))


def swept(dev, bare):
    """Tidy dev predictions: of each task hits by layer and episode, and those of the bare prompt."""
    rows = [
        ("m", "f", "limit" if task == "limit" else "main", task, "dev", episode, method, layer, bool(hit))
        for task, layers in dev.items()
        for method, by_layer in (("hypothesis", enumerate(layers)), ("zero_shot", [(None, bare[task])]))
        for layer, hits in by_layer
        for episode, hit in enumerate(hits)
    ]
    columns = ["model", "family", "role", "task", "split", "episode", "method", "layer", "correct"]
    return pd.DataFrame(rows, columns=columns).astype({"layer": "Int64"})


def hits(count, of=20):
    return [1] * count + [0] * (of - count)


def test_a_task_has_a_layer_of_its_own_only_where_theta_does_something():
    dev = {
        "works": [hits(2), hits(16), hits(4), hits(0), hits(0)],
        "never": [hits(0)] * 5,  # the paper's rule: layer 0, by a tie
        "anyway": [hits(20)] * 5,  # and here, where the bare query is enough
        "bare": [hits(10), hits(9), hits(8), hits(0), hits(0)],  # best where the patch changes nothing
        "worse": [hits(1), hits(2), hits(3), hits(4), hits(0)],
        "tied": [hits(15), hits(15), hits(0), hits(15), hits(0)],
        "guess": [hits(2), hits(2), hits(2), hits(2), hits(14)],  # best at the top block, which cannot use the query
        "as_top": [hits(2), hits(14), hits(2), hits(2), hits(13)],  # and hardly better below it
        "limit": [hits(0), hits(0), hits(0), hits(20), hits(0)],
    }
    bare = dict.fromkeys(dev, hits(0)) | {"anyway": hits(20), "bare": hits(10), "worse": hits(12)}
    choice = layer_choice(swept(dev, bare), seed=0).set_index("task")
    assert set(choice["common_layer"]) == {1}
    assert choice.index[choice["own"]].tolist() == ["works", "tied", "limit"]
    assert choice["layer"].to_dict() == dict.fromkeys(dev, 1) | {"limit": 3}  # tied: 0, 1 and 3; all tasks like 1 best
    assert choice["paper_layer"].to_dict() == {
        "works": 1, "never": 0, "anyway": 0, "bare": 0, "worse": 3, "tied": 0, "guess": 4, "as_top": 1, "limit": 3,
    }  # fmt: skip
    assert choice.loc["works", ["best_layer", "dev_accuracy", "unpatched", "gain"]].tolist() == [1, 0.8, 0, 0.8]
    assert choice.loc["worse", "gain"] == pytest.approx(0.2 - 0.6) and choice.loc["worse", "gain_high"] < 0
    assert choice.loc["never", "gain"] == 0 and -0.2 < choice.loc["never", "gain_low"] < 0


@pytest.mark.parametrize(("episodes", "own"), [(1, False), (5, False), (6, True)])
def test_few_episodes_that_all_gain_give_no_layer_of_its_own(episodes, own):
    """A sign test of as many says the same: five of five have p = .06."""
    gains = swept({"t": [[0] * episodes, [1] * episodes, [0] * episodes]}, {"t": [0] * episodes})
    assert layer_choice(gains, seed=0)["own"].tolist() == [own]
    assert (binomtest(episodes, episodes).pvalue < 0.05) == own


@hypothesis.given(
    st.lists(st.lists(st.booleans(), min_size=8, max_size=8), min_size=3, max_size=3),
    st.lists(st.booleans(), min_size=8, max_size=8),
)
def test_the_choice_is_among_the_layers_and_own_only_with_a_gain(layers, bare):
    choice = layer_choice(swept({"t": layers}, {"t": bare}), seed=0).iloc[0]
    whole = [np.mean(values) for values in layers]
    means = whole[:-1]
    assert choice["layer"] in range(2) and choice["dev_accuracy"] == max(means)
    assert choice["paper_layer"] == np.argmax(whole)
    assert choice["gain_over_top"] == pytest.approx(max(means) - whole[-1])
    assert choice["own"] == (choice["gain_low"] > 0 and choice["gain_over_top_low"] > 0) and choice[
        "gain"
    ] == pytest.approx(max(means) - np.mean(bare))


def test_a_control_is_judged_by_the_paired_interval():
    """Ten points below on 50 episodes is undecided where they differ both ways, and decided where they do not."""

    def rows(method, correct):
        return [("m", "f", "main", "t", e, method, None, None, bool(c)) for e, c in enumerate(correct)]

    theta = [1] * 30 + [0] * 20
    methods = {
        "hypothesis": theta,
        "zero_shot": [1] * 15 + [0] * 15 + [1] * 10 + [0] * 10,  # 25 of 50, both ways
        "majority": [1] * 15 + [0] * 35,  # 15 of 50, never where θ fails
        "copy_query": theta,
        "random_theta": [1] * 50,
    }
    table = pd.DataFrame(
        [row for method, correct in methods.items() for row in rows(method, correct)],
        columns=["model", "family", "role", "task", "episode", "method", "source", "layer", "correct"],
    )
    judged = controls(table, seed=0).set_index("control")
    assert judged["reached"].to_dict() == {
        "zero_shot": True,
        "majority": False,
        "copy_query": True,
        "random_theta": True,
    }
    assert judged["undecided"].to_dict() == {
        "zero_shot": True,
        "majority": False,
        "copy_query": True,  # the same answers: others may differ
        "random_theta": False,
    }
    assert judged.loc["zero_shot", "difference"] == pytest.approx(0.1)
    by_hand = bootstrap_mean([np.array(theta) - np.array(methods["zero_shot"])], 0)
    assert judged.loc["zero_shot", ["difference", "difference_low", "difference_high"]].tolist() == list(by_hand)


@pytest.mark.parametrize(("episodes", "verdict"), [(1, "no basis"), (5, "no basis"), (6, "shown")])
def test_of_episodes_too_few_to_tell_no_control_is_said_to_do_as_well(episodes, verdict):
    """θ is always right, the control never."""
    rows = [
        ("m", "f", "main", task, episode, method, None, 1, method == "hypothesis")
        for task in "abcd" for method in ("hypothesis", "zero_shot") for episode in range(episodes)
    ]  # fmt: skip
    columns = ["model", "family", "role", "task", "episode", "method", "source", "layer", "correct"]
    judged = controls(pd.DataFrame(rows, columns=columns), seed=0)
    assert judged["undecided"].all() == judged["reached"].all() == (episodes < 6)
    assert beyond(judged).verdict(CLAIMS["no_control"].threshold) == verdict


def test_views_are_the_papers_rules_and_limits_stand_apart():
    by_task = {  # task: family, baseline, regular, dev accuracy of the best layer
        "good": ("f", 0.1, 0.9, 0.8),
        "edge": ("f", 0.1, 0.3, 0.75),  # .20 is enough for figure 4; .75 is not for figures 3 and 7
        "flat": ("f", 0.5, 0.6, 0.9),
        "hard": ("limits", 0.0, 1.0, 1.0),
    }
    rows = [(f, t, m, v) for t, (f, b, r, _) in by_task.items() for m, v in (("baseline", b), ("regular", r))]
    accuracy = pd.DataFrame(rows, columns=["family", "task", "method", "accuracy"])
    accuracy["role"] = accuracy["family"].map({"f": "main", "limits": "limit"})
    choice = pd.DataFrame({"task": list(by_task), "dev_accuracy": [best for *_, best in by_task.values()]})
    shown = {view: tasks_in_view(accuracy, choice, view) for view in VIEWS}
    assert shown == {"all": ["good", "edge", "flat"], "gain": ["good", "edge"], "passes": ["good", "flat"]}


def test_limits_count_the_right_item_in_the_wrong_direction():
    rows = [("turn", e, "copy_query", None, query, False) for e, query in enumerate(["a", " B", "c", "D"])]
    rows += [("turn", e, "regular", None, word, word == "A") for e, word in enumerate(["A", "B", "x", "D "])]
    rows += [("turn", e, "hypothesis", 3, word, False) for e, word in enumerate(["a", " B", "c", "D"])]
    rows += [("other", 0, "regular", None, "a", False), ("other", 0, "copy_query", None, "a", False)]
    chosen = pd.DataFrame(rows, columns=["task", "episode", "method", "layer", "predicted", "correct"])
    chosen = chosen.assign(model="m", family="f", role="limit", answer="z").astype({"layer": "Int64"})
    table = limits(chosen, ["turn"]).set_index(["task", "method", "outcome"])["share"]
    assert table["turn", "regular", "right"] == 0.25 and table["turn", "regular", "wrong_direction"] == 0.5
    assert table["turn", "hypothesis", "right"] == 0 and table["turn", "hypothesis", "wrong_direction"] == 1
    listed = chosen.assign(predicted="a,b", answer=["a,c"] * len(chosen))
    begun = limits(listed, [], ["other"]).set_index(["task", "method", "outcome"])["share"]
    assert begun["other", "regular", "first_part"] == 1 and ("turn", "regular", "first_part") not in begun
    assert ("other", "regular", "right") in table and ("other", "regular", "wrong_direction") not in table


def test_bootstrap_agrees_with_scipy_and_with_the_normal_interval():
    rng = np.random.default_rng(0)
    values = (rng.random(80) < 0.3).astype(float)
    mean, low, high = bootstrap_mean([values], seed=1)
    theirs = bootstrap((values,), np.mean, method="percentile", n_resamples=5000, rng=2).confidence_interval
    assert mean == values.mean()
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.02)
    tasks = [(rng.random(50) < p).astype(float) for p in (0.1, 0.5, 0.9)]
    mean, low, high = bootstrap_mean(tasks, seed=1)
    error = np.sqrt(sum(task.var() / 50 for task in tasks)) / 3
    assert mean == pytest.approx(np.mean([task.mean() for task in tasks]))
    assert (low, high) == pytest.approx((mean - 1.96 * error, mean + 1.96 * error), abs=0.01)
    assert (low, high) == bootstrap_mean(tasks, seed=1)[1:]  # seeded


@hypothesis.given(sizes=st.lists(st.integers(2, 5), min_size=12, max_size=25), seed=st.integers(0, 1000))
@hypothesis.settings(max_examples=20)
def test_intervals_of_few_episodes_have_the_width_of_their_standard_error(sizes, seed):
    rng = np.random.default_rng(seed)
    groups = [rng.normal(size=size) for size in sizes]
    mean, low, high = bootstrap_mean(groups, 0)
    error = np.sqrt(sum(sem(values) ** 2 for values in groups)) / len(groups)
    assert mean == pytest.approx(np.mean([values.mean() for values in groups]))
    assert high - low == pytest.approx(2 * norm.ppf(0.975) * error, rel=0.12)


@pytest.mark.parametrize("tasks", [1, 2, 7])
@pytest.mark.parametrize("between", [ANSWERS, DIFFERENCES])
@pytest.mark.parametrize("n", [2, 9, 50])
def test_of_episodes_that_all_agree_the_interval_is_that_of_clopper_and_pearson(tasks, n, between):
    least, most = between
    exact = binomtest(0, tasks * n).proportion_ci(0.95, method="exact")
    for value in {least, 0, most}:
        mean, low, high = bootstrap_mean([np.full(n, value)] * tasks, 0, between)
        assert mean == value
        assert low == pytest.approx(max(least, value - exact.high * (value - least)))
        assert high == pytest.approx(min(most, value + exact.high * (most - value)))


@hypothesis.given(
    st.lists(st.tuples(st.sampled_from([-1, 0, 1]), st.integers(2, 12)), min_size=1, max_size=4), st.data()
)
def test_beyond_the_interval_of_equals_such_episodes_hardly_come(tasks, data):
    """Whatever shares of other episodes bring the mean to a bound: the chance to see none is 2.5% at most."""
    _, low, high = bootstrap_mean([np.full(n, float(value)) for value, n in tasks], 0, DIFFERENCES)
    shares = [data.draw(st.floats(0, 1)) for _ in tasks]
    unseen = math.prod((1 - share) ** n for share, (_, n) in zip(shares, tasks, strict=True))
    for worst in (-1, 1):
        mean = np.mean([value + share * (worst - value) for share, (value, _) in zip(shares, tasks, strict=True)])
        assert low - 1e-12 <= mean <= high + 1e-12 or unseen <= 0.025


@pytest.mark.parametrize("tasks", [((1, 2), (0, 2)), ((1, 3), (0, 9)), ((-1, 4), (1, 4)), ((0, 2), (0, 30))])
def test_the_interval_of_equals_is_no_wider_than_it_must_be(tasks):
    """Of two tasks, shares on a grid, the means whose other episodes go unseen with 2.5% or more."""
    (one, n), (other, m) = tasks
    _, low, high = bootstrap_mean([np.full(n, float(one)), np.full(m, float(other))], 0, DIFFERENCES)
    p = np.linspace(0, 1, 2001)[:-1]
    share, q = np.meshgrid(p, p)
    possible = n * np.log1p(-share) + m * np.log1p(-q) >= np.log(0.025)
    for worst, bound in ((-1, low), (1, high)):
        means = (one + share * (worst - one) + other + q * (worst - other)) / 2
        extreme = means[possible].min() if worst < 0 else means[possible].max()
        assert bound == pytest.approx(extreme, abs=2e-3)


@hypothesis.given(st.lists(st.sampled_from([-1, 0, 1]), min_size=2, max_size=30))
def test_what_speaks_against_a_gain_never_makes_it_surer(values):
    """One episode more in which nothing is gained, in the place of one gained in, leaves the interval no higher."""
    several = bootstrap_mean([np.array(values)], 0, DIFFERENCES)
    gains = bootstrap_mean([np.ones(len(values))], 0, DIFFERENCES)
    assert several[1] <= gains[1] + 1e-12


def test_the_bootstrap_alone_is_told_of_many_episodes_that_differ():
    """What may have gone unseen does not widen the interval of measured means."""
    values = (np.arange(900) % 3 == 0).astype(float)
    groups = np.split(values, 18)
    assert bootstrap_mean(groups, 0, ANSWERS) == bootstrap_mean(groups, 0)


def test_there_is_no_interval_of_one_episode_nor_of_what_is_equal_by_definition():
    for groups, between in (
        ([np.zeros(1)], ANSWERS),
        ([np.zeros(1), np.arange(5) % 2], ANSWERS),
        ([np.zeros(9)], None),
        ([np.zeros(3), np.ones(3)], None),
        ([np.ones(1), np.arange(9.0)], None),
        ([np.ones(2)] * 9, None),
    ):
        mean, *bounds = bootstrap_mean(groups, 0, between)
        assert mean == np.mean([values.mean() for values in groups]) and np.isnan(bounds).all()
    table = pd.DataFrame({"task": "t", "episode": [0, 0], "method": ["a", "b"], "correct": [True, False]})
    row = paired_differences(table, "a", ["b"], seed=0).set_index("task").loc["t"]
    assert row[["n", "difference"]].tolist() == [1, 1] and row[["difference_low", "difference_high"]].isna().all()


def test_conflict_and_transfer_score_both_tasks():
    rows = [("a", "b", "kept", e, layer, layer is None, layer == 1) for e in range(4) for layer in (None, 0, 1)]
    rows += [("a", "b", "none", e, layer, False, layer == 1 and e == 0) for e in range(2) for layer in (None, 0, 1)]
    rows += [("b", "a", "kept", 0, layer, True, False) for layer in (None, 0, 1)]
    columns = ["task_a", "task_b", "demonstrations", "episode", "layer", "correct_a", "correct_b"]
    predicted = pd.DataFrame(rows, columns=columns).astype({"layer": "Int64"})
    table = conflicts(predicted, "m", [["a", "b"]], 0)
    assert set(zip(table["task_a"], table["task_b"], strict=True)) == {("a", "b")}  # only pairs asked for
    table = table.set_index("layer")
    assert table[["n", "regular_a", "regular_b", "patched_a", "patched_b"]].loc[1].tolist() == [4, 1, 0, 0, 1]
    assert table.loc[0, "patched_b"] == 0
    key = ["theta_task", "query_task", "demonstrations", "layer"]
    transfer = transfers(predicted, "m").set_index(key)[["n", "as_theta", "as_query", "as_neither"]]
    assert transfer.loc[("b", "a", "none", 1)].tolist() == [2, 0.5, 0, 0.5]
    assert transfer.loc[("b", "a", "kept", 1)].tolist() == [4, 1, 0, 0]
    assert transfer.loc[("a", "b", "kept", 0)].tolist() == [1, 0, 1, 0]
    assert conflicts(predicted, "m", [], 0).empty and transfers(predicted[:0], "m").empty


def clouds(tasks=3, episodes=12, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(tasks, 16)) * 3
    theta = np.concatenate([centre + rng.normal(size=(episodes, 16)) for centre in centres])
    return theta.astype(np.float32), np.repeat([f"t{i}" for i in range(tasks)], episodes)


def test_geometry_equals_plain_loops():
    theta, tasks = clouds()
    table = geometry_at_layer(theta, tasks, seed=0).set_index("task")
    pairs = [(i, j) for i in range(len(theta)) for j in range(i) if tasks[i] == tasks[j] == "t1"]
    within = [cosine(theta[i], theta[j]) for i, j in pairs]
    between = [cosine(x, y) for x in theta[tasks == "t1"] for y in theta[tasks != "t1"]]
    row = table.loc["t1"]
    assert row["within_mean"] == pytest.approx(np.mean(within), abs=1e-5)
    assert row["within_std"] == pytest.approx(np.std(within), abs=1e-5)
    assert row["between_mean"] == pytest.approx(np.mean(between), abs=1e-5)
    assert table.loc["all", "silhouette"] == pytest.approx(silhouette_score(theta, tasks, metric="cosine"), abs=1e-5)
    assert table.loc["all", "knn_accuracy"] > 0.9
    assert table.loc["all", "ari"] == pytest.approx(1)
    rng = np.random.default_rng(1)
    shuffled = geometry_at_layer(theta, rng.permutation(tasks), seed=0).set_index("task").loc["all"]
    assert shuffled["knn_accuracy"] < 0.6 and abs(shuffled["ari"]) < 0.2


def test_geometry_of_one_task_has_no_separation():
    theta, tasks = clouds(tasks=1)
    row = geometry_at_layer(theta, tasks, seed=0).iloc[0]
    assert np.isnan(row["silhouette"]) and np.isnan(row["between_mean"]) and row["within_mean"] > 0


def test_the_mean_over_tasks_is_taken_off():
    """A direction that all θ share hides what tasks differ in from the cosine; without it they lie as apart as
    ever."""
    theta, tasks = clouds()
    far = theta + 100 * np.ones(16, dtype=np.float32)
    both = raw_and_centred(far, tasks)
    assert geometry_at_layer(both["raw"], tasks, 0).iloc[-1]["between_mean"] < 0.01
    centred = geometry_at_layer(both["centred"], tasks, 0).iloc[-1]
    assert centred["between_mean"] > 0.5 and centred["silhouette"] > 0.5
    means = [both["centred"][tasks == task].mean(axis=0) for task in np.unique(tasks)]
    np.testing.assert_allclose(np.mean(means, axis=0), 0, atol=1e-4)  # float32, of numbers about 100
    unequal = np.concatenate([far, far[tasks == "t0"]]), np.concatenate([tasks, tasks[tasks == "t0"]])
    np.testing.assert_allclose(
        raw_and_centred(*unequal)["centred"][:36], both["centred"], atol=1e-4
    )  # tasks weigh alike
    assert list(raw_and_centred(*clouds(tasks=1))) == ["raw"]


def test_histogram_counts_every_pair_once():
    theta, tasks = clouds()
    counts = distance_histogram(theta, tasks).groupby(["task", "kind"])["count"].sum()
    assert counts["t0", "within"] == 12 * 11 / 2
    assert counts["t0", "between"] == 12 * 24


def test_variance_components_equal_those_of_plain_analysis_of_variance():
    """Searle, Casella and McCulloch: E[MS between] = m σ²(demonstrations) + σ²(dummies), E[MS within] =
    σ²(dummies)."""
    rng = np.random.default_rng(0)
    episodes, dummies, hidden = 400, 3, 5
    states = 2 * rng.normal(size=(episodes, 1, 1, hidden)) + 0.7 * rng.normal(size=(episodes, dummies, 1, hidden)) + 4
    theta, within = states.mean(axis=1), states.var(axis=1, ddof=1).sum(axis=-1)
    row = variance(theta, within, dummies).iloc[0]
    ms_between = dummies * theta.var(axis=0, ddof=1).sum()
    assert row["dummies"] == pytest.approx(within.mean())
    assert row["demonstrations"] == pytest.approx((ms_between - within.mean()) / dummies)
    assert row["demonstrations"] == pytest.approx(4 * hidden, rel=0.15)
    assert row["dummies"] == pytest.approx(0.49 * hidden, rel=0.15)
    one = variance(theta, np.full((episodes, 1), np.nan), 1).iloc[0]
    assert np.isnan(one["dummies"]) and one["demonstrations"] > 0


def test_formation_follows_k_at_the_chosen_layer():
    rows = [
        (task, e, layer, k, layer == 1 and k > e, 0.5 + k / 10)
        for task, layer in (("a", 1), ("b", 2)) for e in range(2) for k in range(3)
    ]  # fmt: skip
    columns = ["task", "episode", "layer", "demonstrations", "correct", "cosine"]
    variants = pd.DataFrame(rows, columns=columns).assign(model="m", family="f", role="main", method="theta_after")
    variants["cosine_centred"] = variants["cosine"] / 2
    table = formation(variants, seed=0).set_index(["task", "demonstrations"])
    assert table.loc["a", "accuracy"].tolist() == [0, 0.5, 1] and table.loc["b", "accuracy"].tolist() == [0, 0, 0]
    assert table.loc["all", "accuracy"].tolist() == [0, 0.25, 0.5]
    assert table.loc["all", "cosine"].tolist() == pytest.approx([0.5, 0.6, 0.7])
    assert table.loc["all", "cosine_centred"].tolist() == pytest.approx([0.25, 0.3, 0.35])


@pytest.mark.parametrize(
    ("low", "value", "high", "verdict"),
    [
        (0.21, 0.3, 0.4, "shown"),
        (0.1, 0.3, 0.4, "open"),
        (0.0, 0.1, 0.19, "too small"),
        (-0.2, -0.1, 0.0, "refuted"),
        (-0.3, -0.2, -0.1, "refuted"),
        (0.2 - 1e-12, 0.3, 0.4, "shown"),  # on the threshold, up to rounding
        (0.1, 0.15, 0.2 - 1e-12, "open"),
        (-0.1, -0.05, 3e-18, "refuted"),  # a bound of rounding is zero
        (np.nan, 0.2, np.nan, "shown"),
        (np.nan, 0.19, np.nan, "too small"),
        (np.nan, 0.0, np.nan, "refuted"),
        (np.nan, np.nan, np.nan, "no basis"),
    ],
)
def test_verdicts_follow_interval_and_threshold(low, value, high, verdict):
    assert Finding(value, 10, low, high).verdict(0.2) == verdict
    assert Finding(value, 10, low, high, basis=False).verdict(0.2) == "no basis"


def test_as_much_as_something_is_refuted_below_its_margin():
    assert Finding(-0.2, 10, -0.25, -0.15).verdict(-0.1) == "refuted"
    assert Finding(-0.08, 10, -0.15, -0.01).verdict(-0.1) == "open"
    assert Finding(0.4, 10, 0.3, 0.45).verdict(0.75, no_effect=0.5) == "refuted"


def test_a_share_of_tasks_is_a_range_where_some_are_open():
    """12 of 18 tasks count, 5 are open, 1 does not count: a threshold of .75 is open."""
    counts, open_too = (pd.Series([True] * 12 + [False] * 6), pd.Series([False] * 12 + [True] * 5 + [False]))
    share = share_of_tasks(counts, open_too)
    assert (share.low, share.high) == pytest.approx((12 / 18, 17 / 18)) and share.verdict(0.75) == "open"
    assert (
        share_of_tasks(counts).verdict(0.75) == "too small" and share_of_tasks(counts, open_too).verdict(0.6) == "shown"
    )
    assert share_of_tasks(pd.Series(dtype=bool)).verdict(0.75) == "no basis"


@pytest.mark.parametrize("rate", [0, 0.02, 0.5, 0.98, 1])
@pytest.mark.parametrize("n", [2, 6, 10, 50])
def test_intervals_hold_the_rate_as_often_as_they_say(n, rate):
    """Exactly for one task, by all outcomes; for the mean over eighteen by seeded simulation. Never much below 95%."""
    outcomes = [bootstrap_mean([np.repeat([1.0, 0.0], (hits, n - hits))], 0, ANSWERS)[1:] for hits in range(n + 1)]
    inside = [low - 1e-9 <= rate <= high + 1e-9 for low, high in outcomes]
    assert binom.pmf(range(n + 1), n, rate) @ inside >= 0.89
    rng = np.random.default_rng(n)
    covered = 0
    for seed in range(60):
        groups = [(rng.random(n) < rate).astype(float) for _ in range(18)]
        _, low, high = bootstrap_mean(groups, seed, ANSWERS)
        covered += low - 1e-9 <= rate <= high + 1e-9
    assert covered >= 0.85 * 60  # of sixty, 95% have three standard errors of 8%


def test_independent_estimates_combine_as_normal_ones_do():
    """MOVER of symmetric intervals is the sum of variances; of a ratio it is near Fieller's."""
    one, other = Estimate(0.5, 0.3, 0.7), Estimate(0.4, 0.3, 0.5)
    both = combined([one, other], [0.5, 0.5])
    half = np.hypot(0.1, 0.05)
    assert (both.value, both.low, both.high) == pytest.approx((0.45, 0.45 - half, 0.45 + half))
    difference = combined([one, other], [1, -1])
    assert (difference.low, difference.high) == pytest.approx((0.1 - np.hypot(0.2, 0.1), 0.1 + np.hypot(0.2, 0.1)))
    assert np.isnan(combined([one, Estimate(0.4)], [1, 1]).low)
    rng = np.random.default_rng(0)
    drawn = rng.normal(0.5, 0.04, 200_000) / rng.normal(0.8, 0.03, 200_000)
    share = ratio(
        Estimate(0.5, 0.5 - 1.96 * 0.04, 0.5 + 1.96 * 0.04), Estimate(0.8, 0.8 - 1.96 * 0.03, 0.8 + 1.96 * 0.03)
    )
    assert (share.low, share.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.003)
    assert np.isnan(ratio(one, Estimate(0.1, -0.1, 0.3)).low) and np.isnan(ratio(one, Estimate(0, 0, 0)).value)


def test_an_interval_for_tasks_like_these_is_students():
    means = np.array([0.1, 0.4, 0.5, 0.9])
    expected = ttest_1samp(means, 0).confidence_interval(0.95)
    found = across_groups(means)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert np.isnan(across_groups(np.array([0.3])).low)


def test_holms_procedure_by_hand():
    """p of .001, .02 and .04: Holm asks for .0167, .025 and .05 in turn; with .03 for .02 the second fails."""

    def at(p):
        error = 0.1
        value = norm.isf(p / 2) * error
        return Estimate(value, value - norm.isf(0.025) * error, value + norm.isf(0.025) * error)

    assert holm([at(0.04), at(0.001), at(0.02)]) == [True, True, True]
    assert holm([at(0.04), at(0.001), at(0.03)]) == [False, True, False]
    assert holm([Estimate(0.5), at(0.001)]) == [False, True]


def test_nothing_half_written_is_left(tmp_path):
    path = tmp_path / "t.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), atomic(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["t.txt"]


def test_tables_keep_words_that_look_like_missing_values(tmp_path):
    write_csv(tmp_path / "t.csv", pd.DataFrame({"token": ["nan", "null", "NA"], "logit": [1 / 3, 2, 3]}))
    assert read_csv(tmp_path / "t.csv")["token"].tolist() == ["nan", "null", "NA"]
    (tmp_path / "bad.csv").write_text("")
    with pytest.raises(StudyError, match=r"bad.csv: cannot be read as CSV"):
        read_csv(tmp_path / "bad.csv")


LIMITED = {"role": "limit", "family": "f", "model": "m", "split": "dev", "layer": None}


def dev_answers(task, regular, shown, role="limit"):
    """Dev answers with demonstrations, and the commonest answers shown; and a sweep that finds nothing."""
    methods = [("regular", regular, None), ("shown_answer", shown, None), ("zero_shot", [0] * len(regular), None)]
    methods += [("hypothesis", [0] * len(regular), layer) for layer in range(3)]
    rows = [
        LIMITED | {"task": task, "role": role, "episode": episode, "method": method, "layer": layer, "correct": bool(hit)}
        for method, found, layer in methods for episode, hit in enumerate(found)
    ]  # fmt: skip
    return pd.DataFrame(rows).astype({"layer": "Int64"})


@pytest.mark.parametrize(
    ("regular", "shown", "role", "bijection", "able"),
    [
        (hits(4), hits(0), "main", False, True),  # .20
        (hits(3), hits(0), "main", False, False),
        (hits(13), hits(13), "limit", False, False),  # two labels: what the demonstrations show most is right as often
        (hits(20), hits(13), "limit", False, True),
        (hits(11), hits(0), "limit", True, False),  # of a bijection one half can be guessed
        (hits(18), hits(0), "limit", True, True),
    ],
)
def test_a_task_is_above_the_floor_where_demonstrations_do_it_beyond_chance(regular, shown, role, bijection, able):
    choice = layer_choice(dev_answers("t", regular, shown, role), 0, ["t"] if bijection else [])
    assert choice["able"].tolist() == [able] and choice["dev_regular"].tolist() == [np.mean(regular)]


def bounded(values, columns):
    """A table with intervals of ±.1."""
    table = pd.DataFrame(values)
    for column in columns:
        table[f"{column}_low"], table[f"{column}_high"] = table[column] - 0.1, table[column] + 0.1
    return table


CHOSEN = pd.DataFrame(
    {"model": "m", "task": ["a", "b", "c"], "family": "f", "role": "main", "layer": [0, 1, 1], "common_layer": 1}
).assign(able=[True, True, False])


def test_overriding_is_the_gain_over_the_unpatched_prompt_in_pairs_that_the_model_can_do():
    """At the layer of θ's task and at the common one, which can tell different stories."""
    pairs = [("a", "b", 0, 0.1), ("a", "b", 1, 0.9), ("b", "a", 0, 0.02), ("b", "a", 1, 0.76), ("a", "c", 1, 0.0)]
    table = bounded(pd.DataFrame(pairs, columns=["task_a", "task_b", "layer", "gain_b"]), ["gain_b"])
    tables = {"conflict": table.assign(model="m", n=50), "layer_choice": CHOSEN}
    found = {layer: overrides(tables, layer) for layer in ("layer", "common_layer")}
    assert found["layer"].value == pytest.approx((0.9 + 0.02) / 2) and found["layer"].n == 100
    assert found["common_layer"].value == pytest.approx((0.9 + 0.76) / 2)
    assert found["layer"].high - found["layer"].value == pytest.approx(0.1 / 2**0.5)
    none = {**tables, "layer_choice": CHOSEN.assign(able=False)}
    assert overrides(none, "layer").verdict(0.5) == "no basis"


def test_transfer_is_a_share_of_what_theta_does_at_home():
    pairs = [("a", "b", 0, 0.4), ("a", "c", 0, 0.6), ("b", "a", 1, 0.3), ("c", "a", 1, 0.0)]
    transfer = bounded(pd.DataFrame(pairs, columns=["theta_task", "query_task", "layer", "as_theta"]), ["as_theta"])
    home = bounded({"task": ["a", "b", "c"], "method": "hypothesis", "accuracy": [0.8, 0.6, 0.0]}, ["accuracy"])
    tables = {
        "transfer": transfer.assign(model="m", n=12, demonstrations="none"),
        "accuracy": home,
        "layer_choice": CHOSEN,
    }
    found = transferred(tables, "layer")
    assert found.value == pytest.approx(np.mean([0.4, 0.6, 0.3]) / np.mean([0.8, 0.8, 0.6])) and found.n == 36
    assert found.low < found.value < found.high


def test_conflicts_count_how_much_more_often_theta_is_followed():
    rows = [
        ("a", "b", "kept", episode, layer, False, hit)
        for layer, found in ((None, [1, 0, 0, 0]), (2, [1, 1, 1, 0])) for episode, hit in enumerate(found)
    ]  # fmt: skip
    names = ["task_a", "task_b", "demonstrations", "episode", "layer", "correct_a", "correct_b"]
    predictions = pd.DataFrame(rows, columns=names).astype({"layer": "Int64", "correct_b": bool})
    (row,) = conflicts(predictions, "m", [("a", "b")], 0).to_dict("records")
    by_hand = bootstrap_mean([np.array([0.0, 1.0, 1.0, 0.0])], 0, DIFFERENCES)
    assert (row["gain_b"], row["gain_b_low"], row["gain_b_high"]) == by_hand


def test_means_of_claims_are_over_all_tasks_or_those_above_the_floor():
    values = {"task": ["a", "b", "c", "all", "able"], "n": [50, 50, 50, 150, 100], "role": "main"}
    table = bounded(values | {"difference": [-0.2, -0.1, 0.0, -0.1, -0.15]}, ["difference"])
    able, every = (over_tasks(table, "difference", CHOSEN, over) for over in (ABLE_TASKS, ALL_TASKS))
    assert (able.value, able.low, able.high, able.n) == pytest.approx((-0.15, -0.25, -0.05, 100))
    assert (every.value, every.low, every.high, every.n) == pytest.approx((-0.1, -0.2, 0.0, 150))
    assert able.beside == Estimate(every.value, every.low, every.high) and every.beside.value == able.value
    assert every.across == across_groups(np.array([-0.2, -0.1, 0.0]))
    assert able.across == across_groups(np.array([-0.2, -0.1]))
    assert negated(able).beside == Estimate(-every.value, -every.high, -every.low)
    without = table[table["task"] != "able"]  # no task is
    assert over_tasks(without, "difference", CHOSEN.assign(able=False), ABLE_TASKS).verdict(-0.1) == "no basis"
    assert over_tasks(table[:3], "difference", CHOSEN, ALL_TASKS) is None


def test_a_mean_above_the_floor_is_that_of_these_tasks():
    rng = np.random.default_rng(0)
    values = pd.concat({task: pd.Series(rng.random(8)) for task in "abc"}, names=["task", "episode"])
    table = summarized(values, "value", None, 0, able=["a", "c", "d"]).set_index("task")
    expected = bootstrap_mean([values["a"].to_numpy(), values["c"].to_numpy()], 0)
    assert table.loc["able", ["value", "value_low", "value_high"]].tolist() == list(expected)
    assert table.loc["able", "n"] == 16 and "able" not in set(summarized(values, "value", None, 0)["task"])


def test_roles_decide_what_is_a_limit():
    table = pd.DataFrame({"task": ["a", "b"], "family": ["limits", "f"], "role": ["main", "limit"]})
    assert main_tasks(table)["task"].tolist() == ["a"]
    assert len(main_tasks(table.assign(role="limit"))) == 2


def test_means_over_tasks_are_of_numbers_of_demonstrations_that_all_have():
    """A task may have longer prompts than others."""
    rows = [(task, 0, k, 2, True, 1.0, 1.0) for task, most in (("a", 2), ("b", 4)) for k in range(most + 1)]
    columns = ["task", "episode", "demonstrations", "layer", "correct", "cosine", "cosine_centred"]
    variants = pd.DataFrame(rows, columns=columns).assign(model="m", family="f", role="main", method="theta_after")
    table = formation(variants, seed=0)
    assert table.groupby("task")["demonstrations"].max().to_dict() == {"a": 2, "b": 4, "all": 2}


def test_a_value_without_an_interval_is_written_alone():
    low, high = [0.49, np.nan, np.nan], [0.54, np.nan, np.nan]
    rows = pd.DataFrame({"accuracy": [0.521, 0.521, 1.0], "accuracy_low": low, "accuracy_high": high})
    rows["gap"], rows["gap_low"], rows["gap_high"] = (
        [-0.03, -0.03, np.nan],
        [-0.07, np.nan, np.nan],
        [0.01, np.nan, np.nan],
    )
    assert [percent(row) for _, row in rows.iterrows()] == ["52% [49%, 54%]", "52%", "100%"]
    assert [in_points(row, "gap") for _, row in rows.iterrows()] == ["−3 [−7, +1]", "−3", "–"]
    assert with_interval(rows) == ["0.52 [0.49, 0.54]", "0.52", "1.00"]
