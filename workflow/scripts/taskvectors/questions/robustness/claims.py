"""Claims on what shakes θ."""

from collections.abc import Mapping

import pandas as pd

from taskvectors.observations.claims import (
    ABLE_TASKS,
    Claim,
    Finding,
    Judged,
    judged,
    negated,
    only_if,
    over_tasks,
    theta_does_something,
)
from taskvectors.observations.rows import Tables
from taskvectors.questions.robustness.names import ANY, ELSEWHERE, INSTRUCTION, NUMBER, TEMPLATE, THETA, WRONG

MORE = 0.10
CLAIMS = {
    "carries_over_templates": Claim(
        "θ carries over to other templates: read in one and put into another it does as much as read there.",
        "accuracy with θ of another template − with θ of the query's, mean over pairs of templates and tasks",
        "robustness",
        -0.10,
        over=ABLE_TASKS,
    ),
    "needs_right_answers": Claim(
        "θ needs right answers: behind wrong ones alone it does less.",
        "accuracy with θ − with θ behind demonstrations that are all wrong, mean over tasks",
        "robustness",
        MORE,
        over=ABLE_TASKS,
    ),
    "more_demonstrations": Claim(
        "More demonstrations make a better θ: the most that were tried do more than the study's number.",
        "accuracy with θ behind the most demonstrations − behind the study's number, mean over tasks",
        "robustness",
        0.05,
        over=ABLE_TASKS,
    ),
    "instruction_is_enough": Claim(
        "An instruction does as much as demonstrations: θ read behind it, mean over wordings.",
        "accuracy with θ behind an instruction − behind demonstrations, mean over tasks",
        "robustness",
        -0.10,
        over=ABLE_TASKS,
    ),
}


def claims(tables: Tables, labels: Mapping[str, str]) -> Judged:
    """None in an archive without the table. To do as much as a θ that does nothing shows nothing."""
    if "robustness" not in tables:
        return judged(CLAIMS, {})
    table, choice = tables["robustness"], tables["layer_choice"]
    accuracy = table[(table["measure"] == THETA) & (table["n"] > 0)]
    does = theta_does_something(tables)

    def mean(aspect: str, level: str, column: str = "to_own") -> Finding | None:
        rows = accuracy[(accuracy["aspect"] == aspect) & (accuracy["level"].astype(str) == level)]
        return over_tasks(rows, column, choice, ABLE_TASKS) if rows[column].notna().any() else None

    wrong, numbers = (highest(accuracy, aspect) for aspect in (WRONG, NUMBER))
    elsewhere, instructed = mean(TEMPLATE, ELSEWHERE, "value"), mean(INSTRUCTION, ANY)
    lost = mean(WRONG, wrong) if wrong == "100" else None
    # The study's own number is the level that is compared with nothing.
    own = accuracy.loc[(accuracy["aspect"] == NUMBER) & accuracy["to_own"].isna(), "level"]
    most = mean(NUMBER, numbers) if len(own) and int(numbers) > max(map(int, own)) else None
    findings = {
        "carries_over_templates": None if elsewhere is None else only_if(does, elsewhere),
        "needs_right_answers": None if lost is None else only_if(does, negated(lost)),
        "more_demonstrations": None if most is None else only_if(does, most),
        "instruction_is_enough": None if instructed is None else only_if(does, instructed),
    }
    return judged(CLAIMS, findings)


def highest(table: pd.DataFrame, aspect: str) -> str:
    """The highest level of an aspect that is a number."""
    levels = table.loc[table["aspect"] == aspect, "level"]
    return str(max(map(int, levels), default=0))
