"""What the page says first: true of any verdicts, of one model or many, and with numbers that add up."""

import re

import pandas as pd
import pytest

from prose import STUDY as OURS
from prose import methods, prose
from taskvectors.observations.claims import NO_BASIS, REFUTED, SHOWN, UNDECIDED

METHODS = {"baseline": 0.08, "zero_shot": 0.061, "hypothesis": 0.513, "regular": 0.592, "hypothesis_common": 0.453}
NAMES = ("m", "n", "o", "p")


def study(models: int, verdicts=(SHOWN,), held=(), reached=(), undecided=()):
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
    controls = [
        {"model": name, "family": "f", "role": "main", "task": task, "reached": (name, task) in (*reached, *undecided),
         "undecided": (name, task) in undecided}
        for name in names
        for task in ("t", "u")
    ]  # fmt: skip
    claims = [
        {
            "model": name,
            "question": "main_result",
            "claim": "vector_does_task",
            "verdict": verdicts[place % len(verdicts)],
            "value": 0.4,
        }
        for place, name in enumerate(names)
    ]
    claims += [
        {"model": names[0], "question": "limits", "claim": f"holds_{i}", "verdict": verdict, "value": 0.1}
        for i, verdict in enumerate(held)
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
    tables = {"accuracy": accuracy, "differences": differences, "controls": controls, "conclusions": claims}
    tables |= {"layer_choice": choice, "seed_spread": spread}
    return {name: pd.DataFrame(rows) for name, rows in tables.items()}, config


def lead(tables, config) -> str:
    text = prose("opening", tables, config)
    return text[text.index("## The answer") : text.index("## What is shown")].strip()


def answer(tables, config) -> str:
    return prose("main_result", tables, config | {"study": {"models": []}})


@pytest.mark.parametrize(
    ("models", "verdicts", "expected"),
    [
        (1, (SHOWN,), r"\*\*Yes: θ alone makes the model do the tasks\*\*\. Without"),
        (2, (SHOWN,), r"\*\*Yes: .*\*\*, in every model here\."),
        (2, (SHOWN, UNDECIDED), r"makes some models do the tasks\*\*: Model M\. In the others that is not shown\."),
        (2, (REFUTED,), r"\*\*This study does not show that θ alone makes the model do the tasks\.\*\*"),
    ],
)
def test_the_title_is_answered_by_the_verdicts(models, verdicts, expected):
    assert re.search(expected, lead(*study(models, verdicts)))


def test_numbers_stand_beside_their_models_and_of_many_models_as_a_range():
    assert "with θ alone 51% (Model M) and 61% (Model N)." in lead(*study(2))
    assert "51% (Model M), 61% (Model N) and 71% (Model O)" in lead(*study(3))
    assert "with θ alone 51% to 81%." in lead(*study(4)) and "with θ alone 51%." in lead(*study(1))
    assert "5 demonstrations 59%" in lead(*study(1))


def test_differences_of_numbers_that_stand_side_by_side_add_up():
    """All of the same test queries: those of the baseline are others."""
    paragraph = answer(*study(1))
    bare, regular, hypothesis = (int(re.search(pattern, paragraph)[1]) for pattern in (
        r"answers (\d+)%", r"(\d+)% \[0%, 100%\] with 5", r"and (\d+)% \[0%, 100%\] without"))  # fmt: skip
    assert (bare, regular, hypothesis) == (6, 59, 51)
    assert f"{hypothesis - regular} ".replace("-", "−") in paragraph and f"+{hypothesis - bare} " in paragraph
    assert "8%" not in paragraph


@pytest.mark.parametrize(
    ("reached", "undecided", "expected"),
    [
        ((), (), "In none of 4 cases"),
        ([("m", "t")], (), "In 1 of 4 cases (a model and a task) a control does as well as θ."),
        (
            [("m", "t")],
            [("n", "u"), ("n", "t")],
            "In 1 of 4 cases (a model and a task) a control does as well as θ; in 2 more",
        ),
        ((), [("n", "u")], "In none of 4 cases (a model and a task) a control does as well as θ; in 1 more"),
    ],
)
def test_controls_that_do_as_well_are_told_from_those_that_may(reached, undecided, expected):
    assert expected in lead(*study(2, reached=reached, undecided=undecided))


def test_limits_without_a_basis_are_no_failures():
    said = lead(*study(1, held=[NO_BASIS] * 7 + [REFUTED] * 2 + [UNDECIDED]))
    assert "We test 10 times whether one vector can hold a harder task: 7 cannot tell" in said
    assert said.endswith("in 2 one vector is not enough; in 1 the interval leaves it open.")
    assert lead(*study(1, held=[SHOWN])).endswith("a harder task: in 1 one vector holds the task.")
    assert "harder task" not in lead(*study(1))


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
