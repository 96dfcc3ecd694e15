"""The experiments on made-up θ, and on a tiny random model with a tokenizer: what is patched, what is predicted, what
is counted."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.spatial.distance import jensenshannon

from taskvectors.data.episodes import Episode, not_showing
from taskvectors.data.prompts import growing_prompts, regular_prompt, zero_shot_prompt
from taskvectors.data.sampling import sample_conflict, sample_episode
from taskvectors.data.tasks import load_task
from taskvectors.data.tokens import decode_answers, prompt_ids
from taskvectors.engine.definition import Intervention, plain_answer, plain_states
from taskvectors.measuring.vectors import mean_of_others, random_directions
from taskvectors.models.language_model import LanguageModel, find_blocks
from taskvectors.questions.conflict.measure import sweep_pairs
from taskvectors.questions.controls.constant_answers import constant_answers
from taskvectors.questions.controls.measure import variants
from taskvectors.questions.decoding.measure import decode_thetas
from taskvectors.questions.formation.measure import forming
from taskvectors.questions.layers.measure import sweep
from taskvectors.questions.main_result.measure import extract
from taskvectors.store.thetas import Thetas, shared_by_tasks

TASKS = {name: load_task(name, {"family": "f", "generate": name}) for name in ("next_letter", "to_upper")}
PREFIX = dict.fromkeys(TASKS, False)


def sampled(seeds=(0,), counts=(3, 2, 3)) -> list[Episode]:
    return [
        sample_episode(task, split, number, demonstrations=0 if split == "baseline" else 2,
                       dummies=0 if split == "baseline" else 2, seed=seed)
        for task in TASKS.values() for seed in seeds
        for split, count in zip(("baseline", "dev", "test"), counts, strict=True) for number in range(count)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def extracted(lm):
    episodes = sampled(seeds=(0, 1))
    return episodes, *extract(lm, episodes, PREFIX, 1)


def test_theta_is_of_every_dev_and_test_episode_and_found_by_name(extracted):
    episodes, thetas, table = extracted
    shown = [episode for episode in episodes if episode.split != "baseline"]
    assert list(thetas.rows) == [episode.key for episode in shown] and thetas.theta.dtype == np.float32
    one = thetas.of("to_upper", "test", 1)
    assert set(one.tasks) == {"to_upper"} and one.episodes.tolist() == [0, 1, 2]
    assert (one.theta == thetas.of_episodes(one.rows)).all()
    assert (
        thetas.of_tasks(["to_upper", "next_letter"], "test", 0).tasks.tolist() == ["next_letter"] * 3 + ["to_upper"] * 3
    )
    counts = table.groupby(["method", "split", "seed"]).size()
    assert (
        counts["baseline", "baseline", 1] == 6
        and counts["regular", "test", 0] == 6
        and counts["regular", "dev", 0] == 4  # says which tasks are above the floor
    )


def test_the_sweep_patches_each_episode_with_its_own_theta(lm, extracted):
    episodes, thetas, _ = extracted
    table = sweep(lm, episodes, thetas, PREFIX, 1).set_index(["method", "task", "split", "seed", "episode"])
    for episode in [e for e in episodes if e.split == "test"][::3]:
        (ids,) = prompt_ids(lm.tokenizer, [zero_shot_prompt(episode)])
        theta = torch.from_numpy(thetas.of_episodes([episode.key]))
        found = table.loc[("hypothesis", *episode.key)].set_index("layer")["predicted"]
        for layer in range(lm.layers):
            (token,), _ = plain_answer(lm, ids, 1, Intervention(layer, theta[:, layer]))
            assert found[layer].strip() == lm.tokenizer.decode([token]).strip()
    assert len(table.loc["zero_shot"]) == len(thetas.rows)


def random_like(theta, episodes, seed):
    return random_directions(seed, [("random theta", e.task, e.episode) for e in episodes], theta)


def without_mean(episodes) -> set[int]:
    """Episodes whose query every other episode shows."""
    return {episode.episode for episode in episodes if not not_showing(episode, episodes)}


CHOICE = pd.DataFrame({"task": list(TASKS), "family": "f", "role": "main", "layer": [1, 2]})


def test_a_random_vector_has_the_length_of_theta_and_its_own_direction():
    episodes = [episode for episode in sampled() if episode.split == "test"]
    theta = torch.randn(len(episodes), 40) * torch.arange(1, 1 + len(episodes))[:, None]
    noise = random_like(theta, episodes, 0)
    torch.testing.assert_close(noise.norm(dim=-1), theta.norm(dim=-1))
    assert torch.equal(noise, random_like(theta, episodes, 0)) and not torch.equal(
        noise, random_like(theta, episodes, 1)
    )
    turned = random_like(theta.flip(0), episodes[::-1], 0).flip(0)
    torch.testing.assert_close(turned, noise)  # of an episode, whatever stands beside it
    directions = noise / noise.norm(dim=-1, keepdim=True)
    assert (directions @ directions.T - torch.eye(len(episodes))).abs().max() < 0.9


def test_the_mean_over_others_leaves_out_who_shows_the_query():
    base = Episode("t", "test", 0, 0, (("a", "1"),), "q", ("2",), ("d",))
    episodes = [replace(base, episode=n, query=f"q{n}") for n in range(3)]
    episodes[2] = replace(episodes[2], demos=(("q0", "1"),))  # shows the query of episode 0
    theta = torch.tensor([[1.0], [2.0], [4.0]])
    assert mean_of_others(theta, episodes).flatten().tolist() == [2.0, 2.5, 1.5]
    assert without_mean(episodes) == set()
    everyone = [replace(base, episode=n, query="a") for n in range(2)]  # every other shows it: there is no mean
    assert mean_of_others(theta[:2], everyone).isnan().all() and without_mean(everyone) == {0, 1}
    assert mean_of_others(theta[:1], episodes[:1]).isnan().all() and without_mean(episodes[:1]) == {0}


def test_an_episode_whose_query_all_others_show_has_no_row_of_the_mean(lm, extracted):
    """Never a mean over prompts that give the answer away; the other methods keep their rows."""
    episodes, thetas, _ = extracted
    test = [e for e in episodes if (e.task, e.split, e.seed) == ("to_upper", "test", 0)]
    query = test[0].query
    showing = [e if e.key == test[0].key else replace(e, demos=((query, "x"), *e.demos[1:])) for e in test]
    others = [e for e in episodes if e.task == "next_letter"]
    table, far = variants(lm, [*others, *showing], thetas, CHOICE, PREFIX, 1, seed=0)
    for made in (table, far):
        counts = made[made["task"] == "to_upper"].groupby("method").size()
        assert counts["mean_theta"] == counts["random_theta"] - len(without_mean(showing)) < counts["random_theta"]
        mean = made[(made["task"] == "to_upper") & (made["method"] == "mean_theta")]
        assert test[0].episode not in set(mean["episode"])


def test_a_family_of_which_nothing_is_left_has_empty_tables_of_the_same_form(lm, extracted):
    episodes, thetas, table = extracted
    none, empty = extract(lm, [], PREFIX, 1)
    assert none.theta.shape == (0, lm.layers, lm.hidden) and list(empty) == list(table) and len(empty) == 0
    assert list(sweep(lm, [], none, PREFIX, 1)) == list(sweep(lm, episodes, thetas, PREFIX, 1))
    assert list(constant_answers([], PREFIX, 0)) == list(constant_answers(episodes, PREFIX, 0))
    of_all, of_nothing = (variants(lm, some, thetas, CHOICE, PREFIX, 1, seed=0) for some in (episodes, []))
    for made, of_none in zip(of_all, of_nothing, strict=True):
        assert list(made) == list(of_none) and len(of_none) == 0


def test_what_tasks_share_weighs_tasks_not_episodes():
    theta, tasks = np.concatenate([np.zeros((1, 2, 3)), np.ones((9, 2, 3))]), np.array(["few", *["many"] * 9])
    assert (shared_by_tasks(theta, tasks) == 0.5).all()


def test_constant_answers_are_of_the_other_episodes_and_the_query_itself():
    base = Episode("t", "dev", 0, 0, (), "x", ("yes",), ())
    others = [replace(base, episode=n, answers=("no",)) for n in range(2)] + [replace(base, split="baseline")]
    test = [replace(base, split="test", episode=n, query=q, answers=("no",)) for n, q in enumerate(["x", "no"])]
    ignored = [replace(base, seed=1, episode=n) for n in range(9)]
    table = constant_answers([*others, *test, *ignored], {"t": False}, 0).set_index(["method", "episode"])
    assert table["predicted"].to_dict() == {
        ("majority", 0): "no", ("majority", 1): "no", ("copy_query", 0): "x", ("copy_query", 1): "no",
    }  # fmt: skip
    assert table["correct"].tolist() == [True, True, False, True] and table["layer"].isna().all()


def test_variants_are_every_control(lm, extracted):
    episodes, thetas, _ = extracted
    table, far = variants(lm, episodes, thetas, CHOICE, PREFIX, 1, seed=0)
    assert set(table["seed"]) == {0} and set(table["split"]) == {"test"}
    counts = table.groupby("method").size().to_dict()
    tested = [e for e in episodes if (e.split, e.seed) == ("test", 0)]
    means = sum(3 - len(without_mean([e for e in tested if e.task == task])) for task in TASKS)
    assert counts == {"random_theta": 6, "other_theta": 6, "mean_theta": means} and means >= 4
    assert table.groupby("task")["layer"].unique().map(list).to_dict() == {"next_letter": [1], "to_upper": [2]}
    others = table[table["method"] == "other_theta"]
    assert dict(zip(others["task"], others["source"], strict=True)) == {
        "next_letter": "to_upper",
        "to_upper": "next_letter",
    }
    assert far.groupby("method").size().to_dict() == {
        "zero_shot": 6, "hypothesis": 6, "random_theta": 6, "other_theta": 6, "mean_theta": means,
    }  # fmt: skip
    assert far["divergence"].between(0, 1).all()


def test_theta_forms_at_every_arrow(lm, extracted):
    episodes, thetas, _ = extracted
    after = forming(lm, episodes, thetas, CHOICE, PREFIX, dict.fromkeys(PREFIX, 1), count=2, seed=0)
    assert len(after) == 2 * 2 * 3 and set(after["split"]) == {"test"} and set(after["seed"]) == {0}
    assert sorted(after["demonstrations"].unique()) == [0, 1, 2]
    assert (after["cosine"] <= 1 + 1e-5).all() and after["cosine"].notna().all()


def of_strong_weights(lm: LanguageModel) -> LanguageModel:
    """The model with weights of its blocks so large that a state depends on all tokens before it."""
    model = deepcopy(lm.model)
    blocks = find_blocks(model)
    for weight in blocks.parameters():
        weight.data *= 12 if weight.dim() == 2 else 1
    return LanguageModel(model, lm.tokenizer, blocks)


def test_variants_are_answers_and_distributions_of_plain_passes(lm):
    """Every patch in every episode's own prompt: none has another's answer, and divergences are scipy's."""
    lm, episodes = of_strong_weights(lm), sampled()
    thetas, _ = extract(lm, episodes, PREFIX, 1)
    choice = pd.DataFrame({"task": list(TASKS), "family": "f", "role": "main", "layer": [1, 1]})
    table, far = variants(lm, episodes, thetas, choice, PREFIX, 1, seed=0)
    table = pd.concat([table, forming(lm, episodes, thetas, choice, PREFIX, dict.fromkeys(PREFIX, 1), count=2, seed=0)])
    answered = table.set_index(["task", "method", table["demonstrations"].fillna(-1), "episode"])["predicted"]
    divergence = far.set_index(["task", "method", "episode"])["divergence"]
    for task, other in (("to_upper", "next_letter"), ("next_letter", "to_upper")):
        test = [e for e in episodes if (e.task, e.split, e.seed) == (task, "test", 0)]
        own = torch.from_numpy(thetas.of(task, "test", 0).theta)[:, 1]
        vectors = {
            "hypothesis": own,
            "random_theta": random_like(own, test, 0),
            "other_theta": torch.from_numpy(thetas.of(other, "test", 0).theta)[:, 1],
            "mean_theta": mean_of_others(own, test),
        }
        for place, episode in enumerate(test):
            bare, shown = prompt_ids(lm.tokenizer, [zero_shot_prompt(episode), regular_prompt(episode)])
            p = plain_answer(lm, shown)[1].double().softmax(dim=-1)
            changes = {method: (Intervention(1, rows[place][None]),) for method, rows in vectors.items()}
            if episode.episode in without_mean(test):
                del changes["mean_theta"]
            for method, change in {"zero_shot": (), **changes}.items():
                tokens, logits = plain_answer(lm, bare, 1, change)
                q = logits.double().softmax(dim=-1)
                assert divergence[task, method, place] == pytest.approx(jensenshannon(p, q, base=2) ** 2, abs=1e-5)
                if (task, method, -1, place) in answered.index:
                    assert answered[task, method, -1, place] == decode_answers(lm.tokenizer, [tokens], lm.ends)[0]
        for place, episode in enumerate(test[:2]):
            for k, ids in enumerate(prompt_ids(lm.tokenizer, growing_prompts(episode))):
                state = plain_states(lm, ids)[0][1].float()
                bare = prompt_ids(lm.tokenizer, [zero_shot_prompt(episode)])[0]
                tokens, _ = plain_answer(lm, bare, 1, Intervention(1, state[None]))
                assert answered[task, "theta_after", k, place] == decode_answers(lm.tokenizer, [tokens], lm.ends)[0]
    # The patches are told apart: their answers differ, and so do those of different episodes.
    assert answered.groupby(level="method").nunique().min() > 1
    assert divergence.groupby(level="method").nunique().min() > 3


def test_conflicting_prompts_are_scored_for_both_tasks(lm):
    pairs = [
        side for n in range(3)
        for side in sample_conflict(TASKS["next_letter"], TASKS["to_upper"], n, demonstrations=2, dummies=2, seed=0)
    ]  # fmt: skip
    table = sweep_pairs(lm, pairs, PREFIX, 1, without=2)
    counts = table.groupby(["demonstrations", table["layer"].isna()]).size()
    assert counts["kept", True] == 3 and counts["kept", False] == 3 * lm.layers
    assert counts["none", True] == 2 and counts["none", False] == 2 * lm.layers
    assert set(table["task_a"]) == {"next_letter"} and set(table["task_b"]) == {"to_upper"}


def test_a_study_without_pairs_or_without_transfer_has_an_empty_table(lm):
    none = sweep_pairs(lm, [], PREFIX, 1, without=2)
    pair = sample_conflict(TASKS["next_letter"], TASKS["to_upper"], 0, demonstrations=2, dummies=2, seed=0)
    kept = sweep_pairs(lm, list(pair), PREFIX, 1, without=0)
    assert len(none) == 0 and list(none) == list(kept) and set(kept["demonstrations"]) == {"kept"}


def test_decoding_gives_every_task_and_layer(lm, extracted):
    episodes, thetas, _ = extracted
    choice = pd.DataFrame({"model": "m", "family": "f", "role": "main", "task": list(TASKS)})
    labels = {"next_letter": "Next letter (ours)", "to_upper": "To upper"}
    tokens, ranks = decode_thetas(lm, thetas, choice, episodes, labels, top=4, seed=0)
    assert list(tokens)[:4] == ["model", "family", "role", "task"] and len(tokens) == 2 * lm.layers * 4
    assert len(ranks) == 2 * lm.layers and (ranks["answer_rank_best"] <= ranks["answer_rank_median"]).all()


def test_thetas_of_no_such_episode_are_an_error():
    thetas = Thetas(
        [("t", "test", 0, 0)], np.zeros((1, 2, 3), np.float32), np.zeros((1, 2), np.float32), np.zeros((1, 3))
    )
    with pytest.raises(KeyError):
        thetas.of_episodes([("t", "test", 0, 1)])
