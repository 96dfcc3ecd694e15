"""Numbers and tables on what shakes θ."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from taskvectors.names import ALL, MAIN
from taskvectors.observations.rows import Tables
from taskvectors.questions.robustness.names import (
    ANY,
    CENTRED,
    ELSEWHERE,
    INSTRUCTION,
    NO_TASK,
    NUMBER,
    OTHER_TASK,
    OWN,
    PUBLISHED,
    REGULAR,
    TEMPLATE,
    THETA,
    WRONG,
)
from taskvectors.report.cells import Config, decimal, in_points, means_of, model_labels, with_interval

WORDS = {
    WRONG: "{}% wrong answers",
    NUMBER: "{} demonstrations",
    INSTRUCTION: "instruction {}",
    NO_TASK: "demonstrations of many tasks",
    OTHER_TASK: "θ of another task",
}
LEAST_BASIS = 0.10  # accuracy with demonstrations from which on a share of it is written


def numbers(tables: Tables, config: Config) -> Mapping[str, Any]:
    table = tables["robustness"]
    left = table[table["left_out"].notna() & (table["aspect"] == TEMPLATE) & table["task"].isna()]
    labels = {model: entry["label"] for model, entry in config["models"].items()}
    return {
        "templates": {OWN: "example:{query}->{answer}"} | config.get("robustness", {}).get("templates", {}),
        "models": [
            {"label": labels[model]} | _of_model(rows) for model, rows in means_of(table).groupby("model", sort=False)
        ],
        "left_out": [f"{row['level']} for {labels[row['model']]}, as {row['left_out']}" for _, row in left.iterrows()],
    }


def _of_model(means: pd.DataFrame) -> dict[str, Any]:
    at = means[means["n"] > 0].set_index(["aspect", "level", "target", "measure"]).sort_index()

    def row(aspect: str, level: str, measure: str = THETA, target: str = OWN) -> pd.Series | None:
        return at.loc[aspect, level, target, measure] if (aspect, level, target, measure) in at.index else None

    elsewhere = row(TEMPLATE, ELSEWHERE, target=ANY)
    numbers = sorted({int(level) for aspect, level, *_ in at.index if aspect == NUMBER})
    return {
        "own": row(TEMPLATE, OWN),
        "elsewhere": None if elsewhere is None else in_points(elsewhere, "value"),
        "wrong": row(WRONG, "100"),
        "fewest": row(NUMBER, str(numbers[0])) if numbers else None,
        "most": row(NUMBER, str(numbers[-1])) if numbers else None,
        "numbers": (numbers[0], numbers[-1]) if numbers else None,
        "tasks": int(means.loc[(means["aspect"] == NUMBER) & (means["measure"] == THETA), "n"].max()) if numbers else 0,
        "instruction": row(INSTRUCTION, ANY),
        "instructed": row(INSTRUCTION, ANY, REGULAR),
        "cosine": row(INSTRUCTION, ANY, CENTRED),
    }


def robustness_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Every condition, mean over tasks: accuracy with θ and with the whole prompt, and the cosine with the study's own
    θ."""
    means = means_of(tables["robustness"])
    means = means[(means["n"] > 0) & (means["level"] != ELSEWHERE)]
    key = ["model", "aspect", "level", "target"]
    cells = means.assign(cell=with_interval(means, "value"))
    wide = cells.pivot(index=key, columns="measure", values="cell").reindex(columns=[THETA, REGULAR, CENTRED])
    order = list(dict.fromkeys(zip(*(means[column] for column in key), strict=True)))
    theta = means[means["measure"] == THETA].set_index(key)
    wide = wide.loc[[at for at in order if at in theta.index]].reset_index()
    points = [in_points(theta.loc[at], "to_own") for at in zip(*(wide[column] for column in key), strict=True)]
    return pd.DataFrame(
        {
            "model": model_labels(wide, config),
            "θ is read in": [_words(row["aspect"], row["level"]) for _, row in wide.iterrows()],
            "put into": wide["target"],
            "accuracy with θ": wide[THETA],
            "to own, points": points,
            "with the whole prompt": wide[REGULAR].fillna("–"),
            "cosine, centred": wide[CENTRED].fillna("–"),
        }
    )


def _words(aspect: str, level: str) -> str:
    if aspect == TEMPLATE:
        return f"template {level}"
    if aspect == PUBLISHED:
        return f"the target's template, {level} demonstrations"
    return WORDS[aspect].format(level)


def published_recovery_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Accuracy with θ as a share of that with demonstrations, means over the tasks of a family, beside published
    ranges."""
    rows = tables["robustness"]
    rows = rows[(rows["aspect"] == PUBLISHED) & (rows["role"] == MAIN) & (rows["family"] != ALL) & (rows["n"] > 0)]
    key = ["model", "family"]
    mean = rows[rows["measure"].isin([THETA, REGULAR])].groupby([*key, "measure"], sort=False)["value"].mean()
    wide = mean.unstack("measure").reindex(columns=[THETA, REGULAR]).reset_index()
    ours = pd.DataFrame(
        {
            "model": model_labels(wide, config),
            "tasks": wide["family"],
            "with θ": wide[THETA].map(decimal),
            "with demonstrations": wide[REGULAR].map(decimal),
            "share": [
                f"{theta / regular:.0%}" if regular >= LEAST_BASIS else "–"
                for theta, regular in zip(wide[THETA], wide[REGULAR], strict=True)
            ],
        }
    )
    published = tables["paper/recovery"]
    theirs = pd.DataFrame(
        {
            "model": published["model"] + " (published)",
            "tasks": published["kind"],
            "share": [f"{row['lowest']:.0%} to {row['highest']:.0%}" for _, row in published.iterrows()],
        }
    )
    return pd.concat([ours, theirs], ignore_index=True).fillna("–")


TABLES = {"robustness": robustness_table, "published_recovery": published_recovery_table}
