"""What shakes θ: templates and their faults, changed demonstrations, θ beside plain passes, the table by hand."""

from dataclasses import replace
from statistics import mean

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_gradient import KINDS, LAYER, PREFIX, SEED, TASKS, drawn

from taskvectors.data.episodes import TEST, by_task
from taskvectors.data.prompts import prompt, zero_shot_prompt
from taskvectors.data.scoring import is_correct
from taskvectors.data.templates import OWN, STUDYS, parsed, parsed_all
from taskvectors.data.tokens import decode_answers, prompt_ids
from taskvectors.drawing.style import Labels
from taskvectors.engine.definition import Intervention, plain_answer, plain_theta
from taskvectors.errors import StudyError
from taskvectors.observations.claims import REFUTED, SHOWN, TOO_SMALL
from taskvectors.questions.robustness.claims import CLAIMS, claims
from taskvectors.questions.robustness.figures.robustness import draw
from taskvectors.questions.robustness.measure import (
    conditions_of,
    extended,
    of_many_tasks,
    robustness,
    shares_of_wrong,
    usable_templates,
    with_wrong_answers,
)
from taskvectors.questions.robustness.names import (
    ANY,
    COSINE,
    ELSEWHERE,
    INSTRUCTION,
    NO_TASK,
    NUMBER,
    OTHER_TASK,
    PUBLISHED,
    REGULAR,
    TEMPLATE,
    THETA,
    WRONG,
)
from taskvectors.questions.robustness.names import OWN as NAMED
from taskvectors.questions.robustness.page import numbers
from taskvectors.questions.robustness.tables import AT
from taskvectors.questions.robustness.tables import robustness as robustness_table

SETTINGS = {
    "episodes": 2, "wrong": [50, 100], "demonstrations": [1, 4], "published": {"template": "question", "demonstrations": 4},
}  # fmt: skip
TEXTS = {"question": "Q: {query}\nA: {answer}", "arrow": "{query} -> {answer}"}
INSTRUCTIONS = {task: ["do it", "do it now"] for task in TASKS}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("example:{query}->{answer}", "example:a->b\nexample:c->"),
        ("Q: {query}\nA: {answer}", "Q: a\nA: b\nQ: c\nA:"),
        ("{query} → {answer}", "a → b\nc →"),
        ("[{query}] = {answer};", "[a] = b;\n[c] ="),
    ],
)
def test_a_template_is_written_as_it_reads(text, shown):
    template = parsed(text, "here")
    assert template.prompt((("a", "b"),), "c") == shown
    assert template.prompt((), " c", "Say it.") == "Say it.\n" + template.prompt((), "c")
    assert template.prompt(((" a", " b"),), " c") == shown, "outer blanks are the template's"


def test_the_answer_takes_the_blank_before_it():
    assert parsed("Q: {query}\nA: {answer}", "").answer(" b") == " b"
    assert parsed("{query}:{answer}", "").answer("b") == "b"


def test_the_studys_own_template_has_one_name_and_one_text():
    config = {"models": {"m": {"label": "M"}}, "robustness": {"templates": {}}}
    empty = robustness_table(
        pd.DataFrame([], columns=[*AT, "task", "episode", "value", "left_out"]), "m", KINDS, 1, 3, [], 0
    )
    (shown,) = numbers({"robustness": empty}, config)["templates"].items()
    assert shown[0] == NAMED == OWN
    assert parsed(shown[1], "").prompt((), "q") == STUDYS.prompt((), "q")


@given(st.lists(st.tuples(st.text(), st.text()), max_size=3), st.text())
def test_the_studys_own_template_is_that_of_its_prompts(demos, query):
    assert STUDYS.prompt(tuple(demos), query) == prompt(tuple(demos), query)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{query} is", "0 places for {answer}"),
        ("is {answer}", "0 places for {query}"),
        ("{query}{query}->{answer}", "2 places for {query}"),
        ("{answer}<-{query}", "Write {query} first"),
        ("{query}{answer}", "nothing but blanks"),
        ("{query} {answer}", "nothing but blanks"),
        ("{query}:\n{answer}", "end of a line"),
        ("{query}:  {answer}", "more than one blank"),
        ("{query}->{answer} ", "begins or ends in a blank"),
        (" {query}->{answer}", "begins or ends in a blank"),
        ("{query}->{answer}\n", "begins or ends in a blank"),
        ("{query} {x} ->{answer}", "a brace"),
        ("{query}\u200b->{answer}", "cannot be seen"),
        ("{query}->{answer}" + "x" * 300, "characters"),
    ],
)
def test_what_is_no_template_is_refused_by_name(text, fault):
    with pytest.raises(StudyError, match="robustness: templates: mine") as error:
        parsed_all({"mine": text})
    assert fault.replace("{", "").replace("}", "") in str(error.value).replace("{", "").replace("}", "")


def test_two_templates_that_are_the_same_are_refused():
    with pytest.raises(StudyError, match="the same template as paper"):
        parsed_all({"again": "example:{query}->{answer}"})
    with pytest.raises(StudyError, match="the same template as one"):
        parsed_all({"one": "{query}:{answer}", "two": "{query}:{answer}"})
    with pytest.raises(StudyError, match="paper: this is the name"):
        parsed_all({OWN: "{query}:{answer}"})


@pytest.fixture(scope="module")
def measured(lm):
    episodes = drawn(3)
    choice = pd.DataFrame({"task": list(TASKS), "layer": LAYER, "common_layer": LAYER})
    templates = parsed_all(TEXTS)
    table = robustness(lm, episodes, choice, SETTINGS, templates, INSTRUCTIONS, [], PREFIX, SEED)
    return episodes, templates, table


def test_every_condition_is_read_and_put_in_as_in_plain_passes(lm, measured):
    episodes, templates, table = measured
    pools = by_task(episodes)
    rows = table[table["left_out"].isna()].set_index(["task", "episode", "aspect", "level", "target", "measure"])[
        "value"
    ]
    test = [e for e in episodes if e.split == TEST and (e.task, e.episode) in {at[:2] for at in rows.index}]
    assert len(test) > len(TASKS)
    for episode in test:
        pool = pools[episode.task]
        named = {
            (TEMPLATE, OWN, OWN): (OWN, episode.demos, "", OWN),
            (TEMPLATE, "question", "arrow"): ("question", episode.demos, "", "arrow"),
            (TEMPLATE, OWN, "question"): (OWN, episode.demos, "", "question"),
            (WRONG, "100", OWN): (OWN, with_wrong_answers(episode, pool, 100, SEED), "", OWN),
            (NUMBER, "1", OWN): (OWN, episode.demos[:1], "", OWN),
            (INSTRUCTION, "2", OWN): (OWN, (), "do it now", OWN),
        }
        for (aspect, level, target), (template, demos, told, into) in named.items():
            texts = [templates[template].prompt(tuple(demos), x, told) for x in (episode.query, *episode.dummies)]
            whole, *dummies = prompt_ids(lm.tokenizer, texts)
            theta = plain_theta(lm, dummies)[LAYER]
            (bare,) = prompt_ids(lm.tokenizer, [templates[into].prompt((), episode.query)])
            for measure, answer in (
                (THETA, plain_answer(lm, bare, change=Intervention(LAYER, theta[None]))[0]),
                (REGULAR, plain_answer(lm, whole)[0]),
            ):
                if measure == REGULAR and template != target:
                    continue
                word = decode_answers(lm.tokenizer, [answer], lm.ends)[0]
                correct = is_correct(word, episode.answers, prefix_scored=False, query=episode.query)
                assert rows[episode.task, episode.episode, aspect, level, target, measure] == correct
        assert rows[episode.task, episode.episode, TEMPLATE, OWN, OWN, COSINE] == pytest.approx(1)
        (bare,) = prompt_ids(lm.tokenizer, [zero_shot_prompt(episode)])
        assert bare == prompt_ids(lm.tokenizer, [templates[OWN].prompt((), episode.query)])[0]
    assert {NO_TASK, OTHER_TASK, PUBLISHED} <= set(table["aspect"])


def test_wrong_answers_are_wrong_and_nested():
    episodes = drawn(3)
    for episode in (e for e in episodes if e.split == TEST):
        pool = by_task(episodes)[episode.task]
        right = dict(episode.demos)
        by_share = {percent: with_wrong_answers(episode, pool, percent, SEED) for percent in (0, 34, 67, 100)}
        assert by_share[0] == list(episode.demos)
        wrong = {percent: {x for x, y in demos if y != right[x]} for percent, demos in by_share.items()}
        assert [len(wrong[percent]) for percent in (34, 67, 100)] == [1, 2, 3]
        assert wrong[34] < wrong[67] < wrong[100]


def test_more_demonstrations_begin_with_the_episodes_own_and_never_show_the_query():
    episodes = drawn(3)
    for episode in (e for e in episodes if e.split == TEST):
        pool = by_task(episodes)[episode.task]
        demos = extended(episode, pool, 6, SEED)
        assert tuple(demos[:3]) == episode.demos and len({x for x, _ in demos}) == len(demos) <= 6
        assert not {episode.query, *episode.dummies} & {x for x, _ in demos}
        assert extended(episode, pool, 2, SEED) == list(episode.demos[:2])


def test_demonstrations_of_many_tasks_have_none_of_its_own():
    episodes = [e for e in drawn(3) if e.split == TEST]
    for episode, demos in zip(episodes, of_many_tasks(episodes), strict=True):
        others = {pair for e in episodes if e.task != episode.task for pair in e.demos}
        assert len(demos) == 3 and set(demos) <= others


def test_a_task_with_too_few_pairs_is_left_out_by_name(lm):
    episodes = drawn(3)
    choice = pd.DataFrame({"task": list(TASKS), "layer": LAYER, "common_layer": LAYER})
    sizes = SETTINGS | {"demonstrations": [500]}
    table = robustness(lm, episodes, choice, sizes, parsed_all({"question": TEXTS["question"]}), {}, [], PREFIX, SEED)
    lost = table[table["left_out"].notna() & (table["aspect"] == NUMBER)]
    no_token = set(table.loc[table["left_out"].fillna("").str.contains("one token"), "task"])
    assert set(lost["task"]) == set(TASKS) - no_token and lost["left_out"].str.contains("too few pairs").all()
    written = robustness_table(table, "m", KINDS, 1, 3, [], 0)
    assert (written.loc[written["left_out"].notna(), "n"] == 0).all()


def test_a_template_whose_end_the_tokenizer_joins_with_the_query_is_left_out(lm):
    class Joining:
        """The tokens of texts, the last two characters as one."""

        def __init__(self, tokenizer):
            self.tokenizer = tokenizer

        def __getattr__(self, name):
            return getattr(self.tokenizer, name)

        def __call__(self, texts, **options):
            return {"input_ids": [[*map(ord, text[:-2]), *self.joined(text[-2:])] for text in texts]}

        def joined(self, pair):
            """One token, a different one for every two characters."""
            return [2**21 * (1 + ord(pair[0])) + ord(pair[1])]

    joined = replace_tokenizer(lm, Joining(lm.tokenizer))
    episodes = [e for e in drawn(3) if e.split == TEST]
    templates = parsed_all({"short": "{query}:{answer}", "long": "{query} :: {answer}"})
    why = usable_templates(joined, episodes, templates)
    assert "joins the end" in why["short"] and not why["long"]


def replace_tokenizer(lm, tokenizer):
    class Other:
        def __init__(self):
            self.tokenizer = tokenizer

    return Other()


def test_the_table_pairs_conditions_with_the_studys_own():
    rows = []
    hits = {
        (TEMPLATE, OWN, OWN): [1, 1, 1, 0], (TEMPLATE, OWN, "arrow"): [1, 0, 0, 0], (TEMPLATE, "arrow", OWN): [1, 1, 0, 0],
        (TEMPLATE, "arrow", "arrow"): [1, 1, 0, 0], (WRONG, "100", OWN): [0, 0, 0, 0], (INSTRUCTION, "1", OWN): [1, 1, 1, 1],
        (INSTRUCTION, "2", OWN): [0, 0, 0, 0], (NUMBER, "9", OWN): [1, 1, 1, 1],
        (NUMBER, "3", OWN): [1, 1, 1, 0],
    }  # fmt: skip
    for task in TASKS:
        for (aspect, level, target), values in hits.items():
            for episode, hit in enumerate(values * 5):
                rows.append(
                    {"task": task, "episode": episode, "aspect": aspect, "level": level, "target": target, "value": hit}
                )
    observations = pd.DataFrame(rows).assign(measure=THETA, layer=1, left_out=None)
    table = robustness_table(observations, "m", KINDS, 1, 3, list(TASKS), 0)
    at = table[table["task"] == "able"].set_index(["aspect", "level", "target"])
    assert at.loc[(TEMPLATE, ELSEWHERE, ANY), "value"] == pytest.approx(mean([-0.25, -0.25]))
    assert at.loc[(WRONG, "100", OWN), "to_own"] == pytest.approx(-0.75)
    assert at.loc[(INSTRUCTION, ANY, OWN), "value"] == 0.5
    assert at.loc[(TEMPLATE, "arrow", "arrow"), "to_own"] is not None
    choice = pd.DataFrame({"task": list(TASKS), "able": True, "common_layer": 1, "role": "main"})
    does = table[table["aspect"] == WRONG].assign(
        reference="zero_shot", difference=0.9, difference_low=0.8, difference_high=1.0
    )
    tables = {"robustness": table, "layer_choice": choice, "differences": does}
    found = {name: finding.verdict(claim.threshold, claim.no_effect) for name, claim, finding in claims(tables, {})}
    assert found["needs_right_answers"] == SHOWN and found["more_demonstrations"] == SHOWN
    assert found["carries_over_templates"] in (TOO_SMALL, REFUTED)
    assert set(found) == set(CLAIMS)
    assert not list(claims({"layer_choice": choice}, {}))  # an archive of before


def test_conditions_are_those_of_the_settings():
    episodes = [e for e in drawn(3) if e.split == TEST]
    settings = SETTINGS | {"published": {"template": "gone", "demonstrations": 2}}
    made = list(conditions_of(episodes, by_task(episodes), settings, [OWN, "arrow"], {}, [], SEED))
    assert [c.aspect for c in made].count(TEMPLATE) == 2 and PUBLISHED not in {c.aspect for c in made}
    assert made[0].level == OWN and INSTRUCTION not in {c.aspect for c in made}
    assert np.all([len(c.episodes) == len(c.demos) for c in made])


def test_where_nothing_is_left_out_the_table_is_whole(lm):
    episodes = [e for e in drawn(3) if e.task != "to_upper"]
    choice = pd.DataFrame({"task": list(TASKS), "layer": LAYER, "common_layer": LAYER})
    table = robustness(lm, episodes, choice, SETTINGS, parsed_all({}), INSTRUCTIONS, [], PREFIX, SEED)
    written = robustness_table(table, "m", KINDS, 1, 3, [], 0)
    assert written["left_out"].isna().all() and (written["n"] > 0).all()


def test_a_study_without_answers_of_one_token_says_so(lm):
    episodes = [replace(e, answers=("no such answer as this",)) for e in drawn(3)]
    choice = pd.DataFrame({"task": list(TASKS), "layer": LAYER, "common_layer": LAYER})
    table = robustness(lm, episodes, choice, SETTINGS, parsed_all(TEXTS), {}, [], PREFIX, SEED)
    assert set(table["task"]) == set(TASKS) and table["left_out"].str.contains("one token").all()
    written = robustness_table(table, "m", KINDS, 1, 3, [], 0)
    assert (written["n"] == 0).all() and draw({"robustness": written}, Labels({"m": "M"}, {})) is not None


def test_every_task_has_its_own_wordings():
    episodes = [e for e in drawn(3) if e.split == TEST]
    first, *others = TASKS
    told = {first: ["do it", "do it now"], "a task of another study": ["never"], others[0]: ["go"]}
    made = [
        c
        for c in conditions_of(episodes, by_task(episodes), SETTINGS, [OWN], told, [], SEED)
        if c.aspect == INSTRUCTION
    ]
    assert [set(by_task(c.episodes)) for c in made] == [{first, others[0]}, {first}]


def test_tasks_whose_rule_is_that_of_an_episode_keep_its_demonstrations():
    episodes = [e for e in drawn(3) if e.split == TEST]
    first = next(iter(TASKS))
    for condition in conditions_of(episodes, by_task(episodes), SETTINGS, [OWN, "question"], {}, [first], SEED):
        assert (first in by_task(condition.episodes)) == (condition.aspect in (TEMPLATE, NO_TASK))


def test_shares_of_wrong_answers_are_those_that_there_can_be():
    three = [e for e in drawn(3) if e.split == TEST]
    assert shares_of_wrong(three, [20, 40, 60, 80, 100]) == [33, 67, 100]
    assert shares_of_wrong([replace(e, demos=e.demos[:1]) for e in three], [20, 60, 100]) == [100]
    mixed = [three[0], replace(three[1], demos=three[1].demos[:1])]
    assert shares_of_wrong(mixed, [20, 100]) == [20, 100]


def test_differences_that_are_all_zero_may_be_of_either_sign():
    rows = [
        {"task": task, "episode": episode, "aspect": TEMPLATE, "level": level, "target": target, "value": 1.0}
        for task in TASKS for episode in range(4) for level in (OWN, "arrow") for target in (OWN, "arrow")
    ]  # fmt: skip
    table = robustness_table(pd.DataFrame(rows).assign(measure=THETA, left_out=None), "m", KINDS, 1, 3, list(TASKS), 0)
    row = table[(table["level"] == ELSEWHERE) & (table["task"] == "able")].iloc[0]
    assert row["value"] == 0 and row["value_low"] == pytest.approx(-row["value_high"]) and row["value_low"] < -0.1
