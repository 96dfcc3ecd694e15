"""What shakes θ, by task and on means over tasks."""

from collections.abc import Collection

import pandas as pd

from taskvectors.names import KEY
from taskvectors.observations.intervals import ANSWERS, DIFFERENCES, NUMBERS
from taskvectors.observations.rows import Kinds, with_kinds
from taskvectors.observations.summaries import paired, summarized, with_bounds
from taskvectors.questions.robustness.names import (
    ANY,
    COSINES,
    ELSEWHERE,
    INSTRUCTION,
    NUMBER,
    OWN,
    PUBLISHED,
    REGULAR,
    TEMPLATE,
    THETA,
)

AT = ["aspect", "level", "target", "measure"]
COLUMNS = [*KEY, "layer", *AT, "n", *with_bounds("value", "to_own"), "left_out"]


def robustness(
    observations: pd.DataFrame, model: str, kinds: Kinds, layer: int, shown: int, able: Collection[str], seed: int
) -> pd.DataFrame:
    """The study's table `robustness.csv`: every measure under every condition.

    `to_own` is the paired difference to the same measure of the study's own prompts; of templates, to that of the
    template which θ is put into. Level `elsewhere` is the mean over the other templates, `any` that over wordings
    of an instruction.

    Args:
        observations: as `taskvectors.questions.robustness.measure` returns them.
        layer: the common layer.
        shown: demonstrations in the study's own prompts; other numbers are compared with it on the same tasks.
        able: tasks above the floor.
        seed: of the bootstrap.
    """
    there = observations[observations["left_out"].isna()]
    values = {
        tuple(map(str, at)): rows.set_index(["task", "episode"])["value"].astype(float)
        for at, rows in there.groupby(AT, sort=False)
    }
    values |= means_over_levels(values)
    tables = []
    for at, of_episodes in values.items():
        aspect, level, target, measure = at
        between = NUMBERS if measure in COSINES else DIFFERENCES if level == ELSEWHERE else ANSWERS
        table = summarized(of_episodes, "value", between, seed, able=able)
        own = (TEMPLATE, target if aspect in (TEMPLATE, PUBLISHED) else OWN, target, measure)
        if aspect == NUMBER:
            own = (NUMBER, f"{shown}", OWN, measure)
        if own in values and own != at and measure not in COSINES:
            difference = paired(of_episodes, values[own])
            if len(difference):
                rows = summarized(difference, "to_own", DIFFERENCES, seed, able=able)
                table = table.merge(rows.drop(columns="n"), "left", "task")
        tables.append(table.assign(**dict(zip(AT, at, strict=True))))
    without = observations[observations["left_out"].notna()].assign(n=0)
    tables.append(without[["task", *AT, "n", "left_out"]])
    table = pd.concat([one for one in tables if len(one)] or tables, ignore_index=True)
    return with_kinds(table, model, kinds).assign(layer=layer).reindex(columns=COLUMNS)


def means_over_levels(values: dict[tuple[str, ...], pd.Series]) -> dict[tuple[str, ...], pd.Series]:
    """Of every episode the mean over the templates that θ was not read in, less θ read there, and over wordings."""
    homes = {at[2]: of for at, of in values.items() if at[0] == TEMPLATE and at[3] == THETA and at[1] == at[2]}
    pairs = [at for at in values if at[0] == TEMPLATE and at[3] == THETA and at[1] != at[2] and at[2] in homes]
    added = dict[tuple[str, ...], pd.Series]()
    home = [paired(values[at], homes[at[2]]) for at in pairs]
    if home:
        added[TEMPLATE, ELSEWHERE, ANY, THETA] = pd.concat(home).groupby(level=[0, 1], sort=False).mean()
    for measure in (THETA, REGULAR, *COSINES):
        wordings = [of for at, of in values.items() if at[0] == INSTRUCTION and at[3] == measure]
        if wordings:
            mean = pd.concat(wordings).groupby(level=[0, 1], sort=False).mean()
            added[INSTRUCTION, ANY, OWN, measure] = mean
    return added
