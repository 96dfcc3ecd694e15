"""Several vectors in the demonstrations' place, beside plain passes; the table and its claims by hand."""

import pandas as pd
import pytest
import torch
from test_gradient import KINDS, LAYER, PREFIX, SEED, TASKS, drawn

from taskvectors.data.episodes import TEST, by_task
from taskvectors.data.prompts import prompt, zero_shot_prompt
from taskvectors.data.scoring import is_correct
from taskvectors.data.tokens import decode_answers, prompt_ids
from taskvectors.engine.definition import Intervention, plain_answer, plain_states, plain_theta
from taskvectors.names import LIMIT, THETA
from taskvectors.observations.claims import SHOWN, TOO_SMALL
from taskvectors.questions.limits.claims import CLAIMS, claims
from taskvectors.questions.limits.measure import further_queries, per_arrow, several
from taskvectors.questions.limits.names import ADDED, COPIES, PER_ARROW, REGULAR, TWO_COPIES, TWO_LAYERS
from taskvectors.questions.limits.tables import several as several_table

SETTINGS = {"episodes": 2, "arrows": 2}
OF_LIMITS = {task: kind | {"role": LIMIT} for task, kind in KINDS.items()}


@pytest.fixture(scope="module")
def measured(lm):
    episodes = drawn(3)
    choice = pd.DataFrame({"task": list(TASKS), "layer": LAYER, "common_layer": LAYER})
    return episodes, several(lm, episodes, choice, SETTINGS, PREFIX, dict.fromkeys(TASKS, 1), SEED)


def test_vectors_are_put_in_as_in_plain_passes(lm, measured):
    episodes, table = measured
    rows = table.set_index(["task", "episode", "subject"])["value"]
    pools = by_task(episodes)
    for episode in (e for e in episodes if e.split == TEST and e.episode < 2):
        shown, bare = (
            plain_theta(lm, prompt_ids(lm.tokenizer, [prompt(demos, x) for x in episode.dummies]))
            for demos in (episode.demos, ())
        )
        added = shown - bare
        (query,) = prompt_ids(lm.tokenizer, [zero_shot_prompt(episode)])
        upper = Intervention(LAYER, added[LAYER][None], "add")
        changes = {
            THETA: Intervention(LAYER, shown[LAYER][None]),
            ADDED: upper,
            TWO_LAYERS: (Intervention(LAYER // 2, added[LAYER // 2][None], "add"), upper),
        }
        for name, change in changes.items():
            assert rows[episode.task, episode.episode, name] == right(lm, episode, query, change)
        read, shown_queries = (
            further_queries(episode, pools[episode.task], 2, SEED)[half] for half in (slice(2), slice(2, 4))
        )
        states = []
        for x in read:
            (ids,) = prompt_ids(lm.tokenizer, [prompt(episode.demos, x)])
            states.append(plain_states(lm, ids)[0][LAYER].float())
        text = "\n".join([prompt((), shown_queries[1]), prompt((), episode.query)])
        (ids,) = prompt_ids(lm.tokenizer, [text])
        (first,) = prompt_ids(lm.tokenizer, [prompt((), shown_queries[1])])
        positions = torch.tensor([[len(first) - 1 - len(ids), -1]])
        whole = Intervention(LAYER, torch.stack(states)[None], positions=positions)
        assert rows[episode.task, episode.episode, PER_ARROW] == right(lm, episode, ids, whole)
    assert {COPIES, TWO_COPIES} <= set(table["subject"])


def right(lm, episode, ids, change):
    word = decode_answers(lm.tokenizer, [plain_answer(lm, ids, change=change)[0]], lm.ends)[0]
    return is_correct(word, episode.answers, prefix_scored=False, query=episode.query)


def test_copies_are_the_mean_of_what_is_read(lm):
    episodes = [e for e in drawn(3) if e.split == TEST][:2]
    queries = [["a", "b", "c", "d"]] * 2
    ids, changes = per_arrow(lm, episodes, queries, LAYER)
    own, copies = changes[PER_ARROW].vectors, changes[COPIES].vectors
    assert torch.allclose(copies, own.mean(dim=1, keepdim=True).expand_as(own))
    assert [len(one) for one in ids] == [
        len(prompt_ids(lm.tokenizer, [f"example:d->\n{zero_shot_prompt(e)}"])[0]) for e in episodes
    ]


def test_other_queries_are_neither_the_query_nor_shown():
    episodes = drawn(3)
    for episode in (e for e in episodes if e.split == TEST):
        queries = further_queries(episode, by_task(episodes)[episode.task], 2, SEED)
        assert len(queries) == len(set(queries)) == 4
        assert not {episode.query, *(x for x, _ in episode.demos)} & set(queries)


def test_a_task_without_other_inputs_is_left_out_by_name(lm):
    episodes = drawn(3)
    choice = pd.DataFrame({"task": list(TASKS), "layer": LAYER, "common_layer": LAYER})
    table = several(lm, episodes, choice, SETTINGS | {"arrows": 400}, PREFIX, dict.fromkeys(TASKS, 1), SEED)
    assert set(table.loc[table["left_out"].notna(), "subject"]) == {PER_ARROW, COPIES}
    assert {THETA, ADDED} <= set(table["subject"])
    none = several(lm, [], choice, SETTINGS, PREFIX, {}, SEED)
    assert none.empty and several_table(none, pd.Series(dtype=float), "m", OF_LIMITS, [], 0).empty


def test_claims_ask_for_more_than_one_vector_and_than_copies():
    yes, no = [1.0] * 20, [0.0] * 20
    hits = {THETA: no, PER_ARROW: yes, COPIES: no, ADDED: no, TWO_LAYERS: yes, TWO_COPIES: yes}
    rows = [
        {"task": task, "episode": episode, "subject": name, "value": hit, "left_out": None}
        for task in TASKS for name, values in hits.items() for episode, hit in enumerate(values)
    ]  # fmt: skip
    observations = pd.DataFrame(rows)
    regular = observations[observations["subject"] == PER_ARROW].set_index(["task", "episode"])["value"]
    table = several_table(observations, regular, "m", OF_LIMITS, list(TASKS), 0)
    assert set(table["method"]) == {*hits, REGULAR}
    choice = pd.DataFrame({"task": list(TASKS), "able": True, "common_layer": 1, "role": LIMIT})
    empty = pd.DataFrame(columns=["task", "reference"])
    tables = {"several": table, "layer_choice": choice, "limits": empty, "differences": empty}
    verdicts = {name: finding.verdict(claim.threshold) for name, claim, finding in claims(tables, {})}
    assert set(verdicts) == set(CLAIMS)
    assert verdicts["several_hold_more"] == SHOWN
    assert verdicts["two_layers_hold_more"] in (TOO_SMALL, "refuted"), "copies do as much"
