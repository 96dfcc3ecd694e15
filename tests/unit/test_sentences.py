"""What the page says first: true of any verdicts, of one model or many, and with numbers that add up."""

import re
from dataclasses import replace

import pandas as pd
import pytest

from prose import STUDY as OURS
from prose import methods, prose, section
from taskvectors.observations.claims import NO_BASIS, OPEN, REFUTED, SHOWN, TOO_SMALL
from taskvectors.questions.ladder.names import CONSTANT, ELSEWHERE, MAP, NONE
from taskvectors.questions.limits.claims import HOLDS
from taskvectors.report.cells import takes
from taskvectors.report.frame.opening.page import HOLDS_CLAIM, TAKES
from taskvectors.report.html import verdicts_html
from taskvectors.report.pages import cells_of, findings

METHODS = {"baseline": 0.08, "zero_shot": 0.061, "hypothesis": 0.513, "regular": 0.592, "hypothesis_common": 0.453}
NAMES = ("m", "n", "o", "p")


def study(models: int, verdicts=None, held=None):
    """Tables of a small study, and its configuration."""
    names = NAMES[:models]
    config = {
        "models": {name: {"label": f"Model {name.upper()}"} for name in names},
        "tasks": {"t": {"label": "Task T"}, "u": {"label": "Task U"}},
        "episodes": {"demonstrations": 5},
    }
    accurate = {"accuracy_low": 0.0, "accuracy_high": 1.0}
    different = {"difference_low": 0.0, "difference_high": 1.0}
    accuracy = [
        {"model": name, "task": "all", "method": method, "accuracy": share + 0.1 * place, **accurate}
        for place, name in enumerate(names)
        for method, share in METHODS.items()
    ]
    differences = [
        {
            "model": name,
            "task": "all",
            "reference": method,
            "difference": METHODS["hypothesis"] - METHODS[method],
            **different,
        }
        for name in names
        for method in ("regular", "zero_shot")
    ]
    found = {
        "value": 0.4,
        "value_low": 0.3,
        "value_high": 0.5,
        "statement": "A claim.",
        "measure": "m",
        "threshold": 0.2,
        "no_effect": 0.0,
    }
    verdicts = {"vector_does_task": SHOWN} | (verdicts or {})
    question = {"necessary": "necessity", "recognises_task": "recognition"}
    claims = [
        {"model": name, "question": question.get(claim, "main_result"), "claim": claim, "verdict": verdict, **found}
        for claim, verdict in verdicts.items()
        for name in names
    ]
    claims += [
        {"model": name, "question": "limits", "claim": f"holds_{task}", "verdict": verdict, **found}
        for task, verdict in (held or {}).items()
        for name in names
    ]
    choice = [
        {"model": name, "family": "f", "role": "main", "task": task, "layer": 3, "common_layer": 4, "own": True}
        for name in names
        for task in ("t", "u")
    ]
    spread = [
        {"model": name, "task": "all", "method": "hypothesis", "seeds": 1, "lowest": 0.5, "highest": 0.5}
        for name in names
    ]
    tables = {"accuracy": accuracy, "differences": differences, "conclusions": claims}
    tables |= {"layer_choice": choice, "seed_spread": spread}
    return {name: pd.DataFrame(rows) for name, rows in tables.items()}, config


def lead(tables, config) -> str:
    text = prose("opening", tables, config)
    return text[text.index("## The answer") : text.index("Every verdict at a glance")].strip()


def answer(tables, config) -> str:
    return prose("main_result", tables, config | {"study": {"models": []}})


@pytest.mark.parametrize(
    ("low", "tasks", "needs"),
    [
        (0.02, "θ alone makes the model do the tasks in part.", "the model needs it in part."),
        (0.0, "little of the tasks, perhaps nothing.", "the model needs it little, perhaps not at all."),
        (-0.01, "little of the tasks, perhaps nothing.", "the model needs it little, perhaps not at all."),
    ],
)
def test_too_small_is_no_part_where_it_may_be_nothing(low, tasks, needs):
    """As of a model with random weights."""
    tables, config = study(1, {"vector_does_task": TOO_SMALL, "necessary": TOO_SMALL})
    tables["conclusions"] = tables["conclusions"].assign(value=0.03, value_low=low, value_high=0.06)
    text = " ".join(lead(tables, config).split())
    assert tasks in text and needs in text


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ({}, "θ alone makes the model do the tasks."),
        (
            {"as_demonstrations": SHOWN},
            "θ alone makes the model do the tasks, within ten points of the demonstrations.",
        ),
        (
            {"as_demonstrations": REFUTED, "necessary": REFUTED},
            "θ alone makes the model do the tasks, more than ten points below the demonstrations. With the "
            "demonstrations there, the model does without it.",
        ),
        ({"vector_does_task": REFUTED}, "θ alone does not make the model do the tasks."),
        ({"vector_does_task": OPEN}, "Whether θ alone makes the model do the tasks is open."),
        ({"vector_does_task": NO_BASIS}, "There is no basis to say whether θ alone makes the model do the tasks."),
        ({"recognises_task": SHOWN}, "θ of another episode of the task does as much on queries."),
    ],
)
def test_the_title_is_answered_by_the_verdicts(verdicts, expected):
    assert expected in lead(*study(1, verdicts))


def test_every_model_has_its_answer():
    said = lead(*study(3, {"vector_does_task": SHOWN}))
    assert [said.count(f"**Model {name}.** θ alone") for name in "MNO"] == [1, 1, 1]


def test_differences_of_numbers_that_stand_side_by_side_add_up():
    """All of the same test queries: those of the baseline are others."""
    paragraph = answer(*study(1))
    bare, regular, hypothesis = (int(re.search(pattern, paragraph)[1]) for pattern in (
        r"answers (\d+)%", r"(\d+)% \[0%, 100%\] with 5", r"and (\d+)% \[0%, 100%\] without"))  # fmt: skip
    assert (bare, regular, hypothesis) == (6, 59, 51)
    assert f"{hypothesis - regular} ".replace("-", "−") in paragraph and f"+{hypothesis - bare} " in paragraph
    assert "8%" not in paragraph


def test_limits_without_a_basis_are_no_failures():
    said = lead(*study(1, held={"t": NO_BASIS, "u": REFUTED}))
    assert "One vector does not hold Task U; 1 of 2 harder tasks tell nothing" in said
    assert "ne vector holds Task T." in lead(*study(1, held={"t": SHOWN})) and "harder" not in lead(*study(1))


def test_the_answer_counts_what_takes_more_than_a_constant():
    tables, config = study(1)
    tables["layer_choice"]["able"] = [True, False]
    ranks = pd.DataFrame({"model": "m", "task": ["t", "u"], "rank": ["0", "full"]})
    ranks = ranks.assign(rank_low=ranks["rank"], rank_high=ranks["rank"])
    assert "Of the 1 task that it does, a constant is enough for 1." in lead(tables | {"ranks": ranks}, config)
    tables["layer_choice"]["able"] = True
    assert "a constant is enough for 1, a linear map of the query, but no constant, for 1." in lead(
        tables | {"ranks": ranks}, config
    )
    ranks["rank_low"] = "0"
    assert "a constant is enough for 1, 1 are open." in lead(tables | {"ranks": ranks}, config)
    ranks[["rank", "rank_low", "rank_high"]] = [["none"] * 3, ["elsewhere"] * 3]
    both = lead(tables | {"ranks": ranks}, config)
    assert "no linear map is enough for 1, the state at this layer is not enough for 1." in both


def test_the_answer_calls_claims_and_ranks_as_their_questions_do():
    assert HOLDS_CLAIM == HOLDS
    ranks = pd.DataFrame({"rank": ["0", NONE, ELSEWHERE, "4", "full"]})
    taken = takes(ranks.assign(rank_low=ranks["rank"], rank_high=ranks["rank"]))
    assert taken == [CONSTANT, NONE, ELSEWHERE, MAP, MAP] and set(taken) | {OPEN} == set(TAKES)


def test_a_section_has_a_heading_first_and_an_anchor_of_its_question():
    """A heading opens a section of the page, and its line in the contents."""
    first = cells_of(replace(section("layers"), title="Where?"), *study(1))[0]
    assert first.source.split("\n")[0].startswith("## ") and '<a id="question-layers"></a>' in first.source


def test_a_section_begins_with_what_was_found():
    """Its claims with verdicts and values by model; a label that Markdown would read is shown as written."""
    tables, config = study(2, {"vector_does_task": SHOWN})
    tables["conclusions"].loc[1, "verdict"] = OPEN
    tables["conclusions"]["statement"] = "θ *alone*"
    (line,) = findings(section("main_result"), tables, config)
    assert line == (
        "* θ &#42;alone&#42; **shown** (Model M, 0.40 [0.30, 0.50]); **open** (Model N, 0.40 [0.30, 0.50])."
    )
    assert list(findings(section("layers"), tables, config)) == []


def test_the_strip_of_verdicts_has_every_claim_and_links_to_its_section():
    tables, _ = study(2, {"vector_does_task": SHOWN}, held={"t": NO_BASIS})
    names = {"main_result": "Main <result>", "limits": "Limits"}
    strip = verdicts_html(tables["conclusions"], names, {name: f"Model {name}" for name in "mn"})
    assert strip.count('class="verdict shown" href="#question-main_result"') == 2
    assert strip.count('class="verdict no-basis" href="#question-limits"') == 2 and "Main &lt;result&gt;" in strip


@pytest.mark.parametrize(
    ("episodes", "scoring", "said", "unsaid"),
    [
        (
            {},
            {},
            ["are sampled with study seed 0", "one greedy token is read", "the predicted token is an accepted"],
            ["are taken from"],
        ),
        (
            {},
            {"answer_tokens": 3},
            ["has at most 3 tokens", "3 greedy tokens are read", "the predicted line is an accepted"],
            ["one greedy token"],
        ),
        (
            {"source": "own/episodes.jsonl"},
            {},
            ["are taken from `own/episodes.jsonl`", "per task: baseline episodes without"],
            ["are sampled", "**Seeds.**", "dev and 100"],
        ),
    ],
)  # fmt: skip
def test_methods_are_those_of_the_configuration(episodes, scoring, said, unsaid):
    tables, ours = study(1)[0], OURS.config
    tasks = ours["tasks"] | {"t": {"label": "Task T", "scoring": "prefix"}, "u": {"label": "Task U"}}
    models = ours["models"] | {"m": ours["models"]["smollm2-135m"] | {"label": "Model M"}}
    config = ours | {"tasks": tasks, "models": models, "study": ours["study"] | {"models": ["m"]}}
    text = methods(
        "main_result",
        tables,
        config | {"episodes": ours["episodes"] | episodes, "scoring": ours["scoring"] | scoring},
    )
    assert all(part.lower() in text.lower() for part in said), text
    assert not any(part in text for part in unsaid), text
    assert "2 tasks: Task T, Task U." in text and "In Task T a prediction and an answer may be beginnings" in text
    assert "Model M (`m`), de-quantized from GGUF, sha256 `b179c9523d0e6a0f…`; computed in float32" in text
