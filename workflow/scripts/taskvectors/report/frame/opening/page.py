"""Sentences of the answer, and the tables of claims and of their power."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from taskvectors.observations.claims import NO_BASIS, OPEN, REFUTED, SHOWN, TOO_SMALL, worded
from taskvectors.observations.rows import Tables, able_tasks
from taskvectors.report.cells import Config, decimal, how_many, in_brackets, listed, takes

PERHAPS_NONE = "perhaps none"  # too small, and the interval holds what no effect would be
HOLDS_CLAIM = "holds_"  # begins the names of claims about harder tasks
SUFFICES = {
    SHOWN: "θ alone makes the model do the tasks",
    TOO_SMALL: "θ alone makes the model do the tasks in part",
    PERHAPS_NONE: "θ alone makes the model do little of the tasks, perhaps nothing",
    OPEN: "whether θ alone makes the model do the tasks is open",
    REFUTED: "θ alone does not make the model do the tasks",
    NO_BASIS: "there is no basis to say whether θ alone makes the model do the tasks",
}
AS_MUCH = {
    SHOWN: "within ten points of the demonstrations",
    OPEN: "perhaps more than ten points below the demonstrations",
    REFUTED: "more than ten points below the demonstrations",
}
CHANNEL = {
    SHOWN: "with the demonstrations there, the model needs it",
    TOO_SMALL: "with the demonstrations there, the model needs it in part",
    PERHAPS_NONE: "with the demonstrations there, the model needs it little, perhaps not at all",
    OPEN: "whether the model needs it where the demonstrations are there is open",
    REFUTED: "with the demonstrations there, the model does without it",
}
RECOGNISES = {
    SHOWN: "θ of another episode of the task does as much on queries",
    OPEN: "whether θ of another episode of the task does as much is open",
    REFUTED: "θ of another episode of the task does less on queries",
}
TAKES = {
    "constant": "a constant is enough for {}",
    "map": "a linear map of the query, but no constant, for {}",
    "none": "no linear map is enough for {}",
    "elsewhere": "the state at this layer is not enough for {}",
    OPEN: "{} are open",
}
HOLDS = {
    SHOWN: "one vector holds {}",
    OPEN: "whether one vector holds {} is open",
    REFUTED: "one vector does not hold {}",
}


def numbers(tables: Tables, config: Config) -> Mapping[str, Any]:
    conclusions = tables["conclusions"]
    return {
        "models": [
            {
                "label": config["models"][model]["label"],
                "sentences": [*_sentences(rows, config), *_of_ranks(tables, str(model))],
            }
            for model, rows in conclusions.groupby("model", sort=False)
        ],
        "counts": in_words(conclusions),
        "joined": config.get("joined", {"differing": {}}),
    }


def _sentences(conclusions: pd.DataFrame, config: Config) -> Iterator[str]:
    """What was found with one model, by the verdicts."""
    rows = conclusions.set_index("claim")
    nothing = (rows["verdict"] == TOO_SMALL) & ~(rows["value_low"] > rows["no_effect"])
    verdicts = rows["verdict"].mask(nothing, PERHAPS_NONE)
    suffices = verdicts["vector_does_task"]
    as_much = AS_MUCH.get(verdicts.get("as_demonstrations", ""), "")
    yield _sentence(SUFFICES[suffices] + (f", {as_much}" if suffices == SHOWN and as_much else ""))
    parts = [
        words[verdicts[claim]]
        for claim, words in (("necessary", CHANNEL), ("recognises_task", RECOGNISES))
        if verdicts.get(claim) in words
    ]
    if parts:
        yield _sentence("; ".join(parts))
    limits = conclusions[conclusions["claim"].str.startswith(HOLDS_CLAIM)]
    if len(limits):
        yield _sentence("; ".join(_of_limits(limits, config)))


def _of_limits(limits: pd.DataFrame, config: Config) -> Iterator[str]:
    """Where one vector is enough, and where not; tasks without a basis are counted."""
    for verdict, words in HOLDS.items():
        tasks = limits.loc[limits["verdict"] == verdict, "claim"].str.removeprefix(HOLDS_CLAIM)
        if len(tasks):
            yield words.format(listed(config["tasks"][task]["label"] for task in tasks))
    if without := int((limits["verdict"] == NO_BASIS).sum()):
        yield (
            f"{without} of {len(limits)} harder tasks tell nothing, as the model is not shown to do them with demonstrations, or "
            "episodes are too few"
        )


def _of_ranks(tables: Tables, model: str) -> Iterator[str]:
    """How much more than one vector the tasks take that the model can do; nothing in an archive without the table."""
    if "ranks" not in tables:
        return
    choice = tables["layer_choice"]
    able = able_tasks(choice[choice["model"] == model])
    ranks = tables["ranks"]
    taken = takes(ranks[(ranks["model"] == model) & ranks["task"].isin(able)])
    there = [words.format(taken.count(kind)) for kind, words in TAKES.items() if kind in taken]
    if there:
        yield _sentence(f"of the {how_many(len(taken), 'task')} that it does, {', '.join(there)}")


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}." if words[0] != "θ" else f"{words}."


def in_words(conclusions: pd.DataFrame) -> str:
    """How often each verdict occurs, over all models."""
    verdicts = conclusions["verdict"]
    return f"Of {len(verdicts)} verdicts (claims × models), {', '.join(worded(verdicts))}."


def conclusions_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Every claim: the measured value with its interval, the threshold and the verdict, by model."""
    table = tables["conclusions"].copy()
    bounds = [in_brackets(row.value_low, row.value_high, decimal) for row in table.itertuples()]
    table["cell"] = [
        ("–" if pd.isna(row.value) else f"{decimal(row.value)}{bound}") + f": {row.verdict}"
        for row, bound in zip(table.itertuples(), bounds, strict=True)
    ]
    table["over"] = table["over"].fillna("")
    key = ["claim", "statement", "measure", "over", "threshold", "table"]
    wide = table.pivot(index=key, columns="model", values="cell").reset_index().set_index("claim")
    wide = wide.loc[list(dict.fromkeys(table["claim"]))]
    models = {name: config["models"][name]["label"] for name in dict.fromkeys(table["model"])}
    wide["threshold"] = [f"≥ {decimal(threshold)}" for threshold in wide["threshold"]]
    wide = wide[["statement", *models, "threshold", "measure", "over", "table"]].rename(columns=models)
    return wide.rename(columns={"statement": "claim"})


def power_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Of every claim with an interval its half-width, and the value from which it would count as shown, by model."""
    table = tables["conclusions"]
    of_episodes = ~table["measure"].str.startswith("share of tasks")  # a share of tasks is a range of open ones
    table = table[of_episodes & table["value_low"].notna() & (table["value_low"] < table["value_high"])]
    if table.empty:
        return pd.DataFrame(columns=["claim"])
    half = (table["value_high"] - table["value_low"]) / 2
    cells = table.assign(
        cell=[
            f"± {decimal(width)}; from {decimal(row.threshold + row.value - row.value_low)} on"
            for width, row in zip(half, table.itertuples(), strict=True)
        ]
    )
    wide = cells.pivot(index=["claim", "statement", "threshold"], columns="model", values="cell").reset_index()
    wide = wide.set_index("claim").loc[list(dict.fromkeys(table["claim"]))]
    models = {name: config["models"][name]["label"] for name in dict.fromkeys(table["model"])}
    wide = wide[["statement", *models]].rename(columns={"statement": "claim", **models})
    return wide.fillna("–")


TABLES = {"conclusions": conclusions_table, "power": power_table}
