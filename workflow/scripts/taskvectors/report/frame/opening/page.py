"""Numbers of the answer, and the table of claims."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from taskvectors.observations.claims import NO_BASIS, REFUTED, SHOWN, UNDECIDED
from taskvectors.observations.rows import Tables, main_tasks
from taskvectors.report.cells import Config, by_model, in_brackets, means_of, signed_points

LIMITS = "limits"  # the question whose claims are about harder tasks


def numbers(tables: Tables, config: Config) -> Mapping[str, Any]:
    accuracy, controls, differences, conclusions = (
        tables[name] for name in ("accuracy", "controls", "differences", "conclusions")
    )
    means = means_of(accuracy).set_index(["method", "model"])["accuracy"]
    paired = means_of(differences).set_index(["reference", "model"])["difference"]
    claims = conclusions.set_index(["claim", "model"])
    answered = claims.loc["vector_does_task", "verdict"]
    reached, undecided = reached_tasks(main_tasks(controls))
    return {
        "verdicts": len(answered),
        "shown": [config["models"][model]["label"] for model, verdict in answered.items() if verdict == SHOWN],
        **{method: by_model(means[method], config) for method in ("zero_shot", "regular", "hypothesis")},
        "difference": by_model(paired["regular"], config, lambda share: f"{signed_points(share)} points"),
        "cases": len(reached),
        "reached": int((reached & ~undecided).sum()),
        "undecided": int(undecided.sum()),
        "overrides": by_model(claims.loc["overrides", "value"], config) if "overrides" in claims.index else "",
        "limits": int((conclusions["question"] == LIMITS).sum()),
        "outcomes": list(_outcomes(conclusions.loc[conclusions["question"] == LIMITS, "verdict"])),
        "counts": in_words(conclusions),
    }


def _outcomes(verdicts: pd.Series) -> Iterator[str]:
    """What was found where one vector may not suffice."""
    counts = verdicts.value_counts()
    words = {
        NO_BASIS: "{} cannot tell, because the model fails even with demonstrations or episodes are too few",
        SHOWN: "in {} one vector holds the task",
        REFUTED: "in {} one vector is not enough",
        UNDECIDED: "in {} the interval leaves it open",
    }
    yield from (found.format(counts[verdict]) for verdict, found in words.items() if verdict in counts)


def reached_tasks(controls: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """By model and task: whether a control reaches the hypothesis, and whether that is undecided of each that does."""
    key = [controls["model"], controls["task"]]
    reached = controls["reached"].groupby(key, sort=False).any()
    sure = (controls["reached"] & ~controls["undecided"]).groupby(key, sort=False).any()
    return reached, reached & ~sure


def in_words(conclusions: pd.DataFrame) -> str:
    """How many claims are shown, not shown, undecided and without a basis, over all models."""
    verdicts = conclusions.loc[conclusions["question"] != LIMITS, "verdict"]
    counts = verdicts.value_counts()
    found = (f"{counts[name]} {name}" for name in (SHOWN, REFUTED, UNDECIDED, NO_BASIS) if name in counts)
    return f"Of {len(verdicts)} verdicts (claims × models), {', '.join(found)}."


def conclusions_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Every claim: the measured value with its interval, the threshold and the verdict, by model."""
    table = tables["conclusions"].copy()
    bounds = [in_brackets(row.value_low, row.value_high, "{:.2f}".format) for row in table.itertuples()]
    table["cell"] = [
        ("–" if pd.isna(row.value) else f"{row.value:.2f}{bound}") + f": {row.verdict}"
        for row, bound in zip(table.itertuples(), bounds, strict=True)
    ]
    key = ["claim", "statement", "measure", "threshold", "table"]
    wide = table.pivot(index=key, columns="model", values="cell").reset_index().set_index("claim")
    wide = wide.loc[list(dict.fromkeys(table["claim"]))]
    models = {name: config["models"][name]["label"] for name in dict.fromkeys(table["model"])}
    wide["threshold"] = [f"≥ {threshold:.2f}".replace("-", "−") for threshold in wide["threshold"]]
    wide = wide[["statement", *models, "threshold", "measure", "table"]].rename(columns=models)
    return wide.rename(columns={"statement": "claim"}).replace(r"-(?=\d)", "−", regex=True)


TABLES = {"conclusions": conclusions_table}
