"""Claims on rivals of θ and on attention heads."""

from collections.abc import Mapping

import pandas as pd

from taskvectors.names import ALL
from taskvectors.observations.claims import Claim, Finding, Judged, finding_of, judged, negated, several
from taskvectors.observations.rows import Tables

CLAIMS = {
    "function_vector": Claim(
        "A function vector does as much as θ.", "function vector − θ, mean over tasks", "rivals", -0.10
    ),
    "learned_vector": Claim(
        "One vector could do as much as the demonstrations: a learned one does.",
        "learned θ with many labels − regular, mean over tasks",
        "rivals",
        -0.10,
    ),
    "averaging_beats": Claim(
        "The mean θ of other episodes beats the episode's own.", "mean θ − θ, mean over tasks", "rivals", 0.02
    ),
    "top_heads": Claim(
        "Without the heads of largest effect demonstrations do less than without random ones.",
        "random heads ablated − top heads ablated, mean over tasks",
        "ablation",
        0.10,
    ),
}


def claims(tables: Tables, labels: Mapping[str, str]) -> Judged:
    findings: dict[str, Finding | None] = {}
    if "rivals" in tables:
        findings["function_vector"] = beside(tables["rivals"], "function_vector", "to_theta")
        findings["learned_vector"] = beside(tables["rivals"], "learned_many", "to_regular")
        findings["averaging_beats"] = beside(tables["rivals"], "mean_theta", "to_theta")
    if "ablation" in tables:
        findings["top_heads"] = without_top_heads(tables["ablation"])
    return judged(CLAIMS, findings)


def beside(rivals: pd.DataFrame, representation: str, difference: str) -> Finding | None:
    """How much a representation does beyond another, mean over tasks; None if the study has not tried it."""
    tried = rivals[rivals["representation"] == representation]
    mean = tried[tried["task"] == ALL]
    return None if mean.empty else finding_of(mean.iloc[0], difference, several(tried))


def without_top_heads(ablation: pd.DataFrame) -> Finding | None:
    top = ablation[(ablation["task"] == ALL) & (ablation["ablated"] == "top_heads")]
    return None if top.empty else negated(finding_of(top.iloc[0], "to_random", several(ablation)))
