"""Claims on rivals of θ and on attention heads."""

from collections.abc import Mapping

import pandas as pd

from taskvectors.observations.claims import (
    ABLE_TASKS,
    ALL_TASKS,
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

CLAIMS = {
    "function_vector": Claim(
        "A function vector, the outputs of at most 5% of the heads, does as much as θ.",
        "function vector − θ, mean over tasks",
        "rivals",
        -0.10,
        over=ABLE_TASKS,
    ),
    "learned_vector": Claim(
        "One vector could do as much as the demonstrations: a learned one does.",
        "learned θ with many labels − regular, mean over tasks",
        "rivals",
        -0.10,
        over=ABLE_TASKS,
    ),
    "top_heads": Claim(
        "Without the heads of largest effect demonstrations do less than without random ones.",
        "random heads ablated − top heads ablated, mean over tasks",
        "ablation",
        0.10,
        over=ALL_TASKS,
    ),
}


def claims(tables: Tables, labels: Mapping[str, str]) -> Judged:
    findings: dict[str, Finding | None] = {}
    choice = tables["layer_choice"]
    if "rivals" in tables:
        vector = beside(tables["rivals"], "function_vector", "to_theta", choice)
        findings["function_vector"] = None if vector is None else only_if(theta_does_something(tables), vector)
        findings["learned_vector"] = beside(tables["rivals"], "learned_many", "to_regular", choice)
    if "ablation" in tables:
        ablated = tables["ablation"]
        top = over_tasks(ablated[ablated["ablated"] == "top_heads"], "to_random", choice, ALL_TASKS)
        findings["top_heads"] = None if top is None else negated(top)
    return judged(CLAIMS, findings)


def beside(rivals: pd.DataFrame, representation: str, difference: str, choice: pd.DataFrame) -> Finding | None:
    """How much a representation does beyond another, mean over tasks; None if the study has not tried it."""
    return over_tasks(rivals[rivals["representation"] == representation], difference, choice, ABLE_TASKS)
