"""What is left of the demonstrations when the last token's state is changed, by task and layer."""

from collections.abc import Collection

import pandas as pd

from taskvectors.names import ACCURACY, DIVERGENCE, KEY, THETA
from taskvectors.observations.intervals import ANSWERS, DIFFERENCES, NUMBERS
from taskvectors.observations.rows import Kinds, with_kinds
from taskvectors.observations.summaries import paired, summarized, with_bounds
from taskvectors.questions.necessity.names import OTHER_PART, RANDOM_PART, REGULAR, REMOVED, ZERO_SHOT

COLUMNS = [
    *KEY,
    "change",
    "layer",
    "n",
    *with_bounds("accuracy", "divergence", "lost", "to_theta", "to_random", "to_other"),
]


def necessity(
    observations: pd.DataFrame, model: str, kinds: Kinds, common: int, able: Collection[str], seed: int
) -> pd.DataFrame:
    """The study's table `necessity.csv`: accuracy and divergence under every change and at every layer.

    Paired differences are there at the common layer: `lost`, what accuracy loses beside the unchanged prompt (also
    without demonstrations); `to_theta`, beside θ itself in the same place; and for removed parts `to_random` and
    `to_other`, beside a random vector and another task's part.

    Args:
        observations: as `taskvectors.questions.necessity.measure` returns them.
        common: the common layer.
        able: tasks above the floor.
        seed: of the bootstrap.
    """
    by_subject = {
        (subject, None if pd.isna(layer) else int(layer), measure): rows.set_index(["task", "episode"])["value"]
        for (subject, layer, measure), rows in observations.groupby(
            ["subject", "step", "measure"], sort=False, dropna=False
        )
    }
    regular = by_subject[REGULAR, None, ACCURACY]
    tables = []
    for (subject, layer, measure), correct in by_subject.items():
        if measure != ACCURACY:
            continue
        divergence = summarized(by_subject[subject, layer, DIVERGENCE], "divergence", NUMBERS, seed, able=able)
        table = summarized(correct, "accuracy", ANSWERS, seed, able=able).merge(
            divergence.drop(columns="n"), "left", "task"
        )
        compared = {"lost": paired(regular, correct)} if layer == common or subject == ZERO_SHOT else {}
        if layer == common:
            references = {"to_theta": THETA} | (
                {"to_random": RANDOM_PART, "to_other": OTHER_PART} if subject in REMOVED else {}
            )
            for column, reference in references.items():
                other = by_subject.get((reference, layer, ACCURACY))
                if other is not None and reference != subject:
                    compared[column] = paired(correct, other)
        for column, difference in compared.items():
            rows = summarized(difference, column, DIFFERENCES, seed, able=able)
            table = table.merge(rows.drop(columns="n"), "left", "task")
        tables.append(table.assign(change=subject, layer=layer))
    table = with_kinds(pd.concat(tables, ignore_index=True), model, kinds).reindex(columns=COLUMNS)
    return table.astype({"layer": "Int64"})
