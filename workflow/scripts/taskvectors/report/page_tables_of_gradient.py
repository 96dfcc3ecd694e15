"""Tables of the page on gradient descent; see `taskvectors.report.page_tables`."""

import pandas as pd

from taskvectors.analysis.gradient_measures import (
    ACCURACY,
    CHANGES,
    COSINES,
    DESCENT,
    DIVERGENCE,
    GRADIENT,
    LOSS,
    QUERY_LOSS,
    TO_THETA,
    VECTORS,
    WAYS_OF,
)
from taskvectors.analysis.roles import Tables
from taskvectors.names import ALL, CENTRED, RAW
from taskvectors.report.cells import Config, how_many, model_labels, models_together, with_interval

MEASURES = {
    LOSS: "loss",
    QUERY_LOSS: "query's loss",
    ACCURACY: "accuracy",
    DIVERGENCE: "divergence, bits",
    TO_THETA: "cosine with θ",
}


def gradient_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Every vector in the place of the demonstrations; of a model that is left out, why."""
    mean = _means(tables)
    rows = mean[mean["measure"].isin(MEASURES)]
    cells = rows.assign(cell=with_interval(rows, "value"), vector=[_vector(row) for _, row in rows.iterrows()])
    wide = cells.pivot(index=["model", "vector"], columns="measure", values="cell")
    place = {of: number for number, of in enumerate(VECTORS)}
    cells = models_together(cells.sort_values(["of", "step"], key=lambda own: own.replace(place), kind="stable"), mean)
    order = list(dict.fromkeys(zip(cells["model"], cells["vector"], strict=True)))
    table = wide.reindex(index=pd.MultiIndex.from_tuples(order, names=["model", "vector"]), columns=list(MEASURES))
    table = table.rename(columns=MEASURES).fillna("–").reset_index()
    absent = tables["gradient"][tables["gradient"]["n"] == 0]
    lacking = pd.DataFrame({"model": absent["model"], "vector": absent["left_out"]}).reindex(columns=table.columns)
    table = pd.concat([table, lacking.fillna("–")], ignore_index=True)
    return table.assign(model=model_labels(table, config))


def gradient_cosines_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Every cosine with the gradient's way and with that of controls."""
    mean = _means(tables)
    rows = mean[mean["measure"].isin(COSINES) & mean["step"].isna()]
    lines = []
    rows = rows.sort_values("measure", key=lambda names: names.map(COSINES.index), kind="stable")
    for (model, measure, of), own in models_together(rows, mean).groupby(["model", "measure", "of"], sort=False):
        by_states = own.assign(cell=with_interval(own, "value")).set_index(own["states"].fillna(RAW))
        last = by_states.loc[CENTRED if CENTRED in by_states.index else RAW]
        lines.append({
            "model": model,
            "of": CHANGES[measure],
            "with": WAYS_OF[measure][of],
            "cosine": by_states["cell"].get(RAW, "–"),
            "less what tasks share": by_states["cell"].get(CENTRED, "–"),
            "to the gradient": "–" if of == GRADIENT else with_interval(last.to_frame().T, "difference", "difference_ci")[0],
        })  # fmt: skip
    columns = ["model", "of", "with", "cosine", "less what tasks share", "to the gradient"]
    table = pd.DataFrame(lines, columns=columns)
    return table.assign(model=model_labels(table, config))


def _means(tables: Tables) -> pd.DataFrame:
    table = tables["gradient"]
    return table[(table["task"] == ALL) & (table["n"] > 0)]


def _vector(row: pd.Series) -> str:
    """What a row's vector is called, with its steps."""
    called = VECTORS[row["of"]]
    return f"{called}, {how_many(int(row['step']), 'step')}" if row["of"] == DESCENT else called
