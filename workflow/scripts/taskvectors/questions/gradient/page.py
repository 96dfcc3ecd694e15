"""Numbers and tables on θ beside gradient descent."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from taskvectors.names import CENTRED, RAW, SCALED
from taskvectors.observations.claims import NO_BASIS, OPEN, REFUTED, SHOWN, TOO_SMALL
from taskvectors.observations.rows import Tables
from taskvectors.questions.gradient.claims import ALONG
from taskvectors.questions.gradient.names import (
    ACCURACY,
    CHANGES,
    COMPARED_WITH,
    CONTROLS_OF,
    COSINES,
    DESCENT,
    DIRECTION,
    DIVERGENCE,
    FEW,
    GRADIENT,
    INCREMENT,
    JUDGED,
    LOSS,
    ONLINE,
    ORDER,
    OTHER_THETA,
    QUERY_LOSS,
    SPREAD,
    THETA,
    TO_THETA,
    V0,
    VECTORS,
)
from taskvectors.questions.gradient.tables import rows_of
from taskvectors.report.cells import Config, decimal, how_many, means_of, model_labels, models_together, with_interval

# The claims, as what is to be expected if reading demonstrations were gradient descent on θ.
UNCOUNTED = ("lowers_loss", "order_as_online")  # see `_answer`
EXPECTED = {
    "lowers_loss": "θ lowers the loss that descent lowers",
    "along_gradient": "θ moves along the gradient",
    "increments_along_gradient": "a demonstration moves θ along its own gradient, on average",
    "few_steps": f"{FEW} steps do as much as θ",
    "order_as_online": "θ depends on order as online descent does",
}
SUBJECTS = {
    DIRECTION: "θ − v₀ with the descent direction (both centred)",
    INCREMENT: "what a demonstration adds with its own descent direction (both centred)",
    ORDER: "the deviations of θ from its mean over orders with those of online descent",
}
MEASURES = {
    LOSS: "loss",
    QUERY_LOSS: "query's loss",
    ACCURACY: "accuracy",
    DIVERGENCE: "divergence, bits",
    TO_THETA: "cosine with θ",
}


def numbers(tables: Tables, config: Config) -> Mapping[str, Any]:
    verdicts = tables["conclusions"].set_index(["model", "claim"])["verdict"]
    means = means_of(tables["gradient"])
    models = [
        {
            "label": config["models"][model]["label"],
            "left_out": "",
            **_of_model(rows, verdicts.get(model, pd.Series(dtype=str))),
        }
        if rows["left_out"].isna().all()
        else {"label": config["models"][model]["label"], "left_out": rows["left_out"].dropna().iloc[0]}
        for model, rows in means.groupby("model", sort=False)
    ]
    return {"models": models, "few": FEW, "along": ALONG}


def _of_model(means: pd.DataFrame, verdicts: pd.Series) -> dict[str, Any]:
    last = int(means.loc[means["subject"] == DESCENT, "step"].max())
    losses = {"v0": (V0, 0), "theta": (THETA, None), "other": (OTHER_THETA, None), "descent": (DESCENT, last)}
    vectors = {"theta": (THETA, None), "descent": (DESCENT, FEW), "online": (ONLINE, None)}
    loss = {name: _row(means, LOSS, *vector) for name, vector in losses.items()}
    return {
        **_answer(verdicts),
        "loss": {name: None if row is None else decimal(row["value"]) for name, row in loss.items()},
        "steps": last,
        "share": f"{means['share'].iloc[0]:g}",
        "queries": f"{means.loc[means['measure'] == ACCURACY, 'n'].max():.0f}",
        **{
            measure: {name: _row(means, measure, *vector) for name, vector in vectors.items()}
            for measure in (ACCURACY, DIVERGENCE)
        },
        "cosines": list(_cosines(means)),
        "ceilings": [
            {"steps": how_many(int(row["step"]), "step"), "cosine": decimal(row["value"])}
            for _, row in means[(means["measure"] == DIRECTION) & (means["subject"] == DESCENT)].iterrows()
        ],
    }


def _answer(verdicts: pd.Series) -> dict[str, Any]:
    """Yes if all that would follow is shown, no if none is and some is refuted or too small, mixed if both occur, else
    open.

    Not counted are the loss, which θ lowers by recognising the task alone (see the question on recognition), and
    dependence on order, as descent on all demonstrations at once has none.
    """
    claims = {
        verdict: [words for claim, words in EXPECTED.items() if verdicts.get(claim) == verdict]
        for verdict in (SHOWN, TOO_SMALL, OPEN, REFUTED, NO_BASIS)
    }
    counted = {verdicts.get(claim) for claim in EXPECTED if claim not in UNCOUNTED}
    if counted & {REFUTED, TOO_SMALL}:
        answer = "mixed" if SHOWN in counted else "no"
    else:
        answer = "yes, as far as this tests it" if counted == {SHOWN} else "open"
    expected = [(verdict, words) for verdict, words in claims.items() if words]
    return {"answer": answer, "expected": expected, "verdicts": sum(len(words) for _, words in expected)}


def _cosines(means: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for measure, subject in SUBJECTS.items():
        own = _row(means, measure, GRADIENT)
        if own is None:
            continue
        controls = {control: _row(means, measure, control) for control in CONTROLS_OF[measure]}
        there = {control: row for control, row in controls.items() if row is not None}
        nearest = max(there, key=lambda control: float(there[control]["value"]), default=None)
        named = COMPARED_WITH[measure]
        yield {
            "subject": subject,
            "own": own,
            "nearest": named[nearest] if nearest else "",
            "control": there[nearest] if nearest else None,
            "absent": [named[control] for control in controls if control not in there],
            "spread": {"theta": _row(means, SPREAD, THETA), "online": _row(means, SPREAD, ONLINE)}
            if measure == ORDER
            else None,
        }


def _row(means: pd.DataFrame, measure: str, subject: str, step: int | None = None) -> pd.Series | None:
    rows = rows_of(means, measure, subject, step, JUDGED.get(measure, (None,))[0])
    return None if rows.empty else rows.iloc[0]


def gradient_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Every vector in the place of the demonstrations; a model that is left out has the reason."""
    mean = _measured(tables)
    rows = mean[mean["measure"].isin(MEASURES)]
    cells = rows.assign(cell=with_interval(rows, "value"), vector=[_vector(row) for _, row in rows.iterrows()])
    wide = cells.pivot(index=["model", "vector"], columns="measure", values="cell")
    place = {subject: number for number, subject in enumerate(VECTORS)}
    cells = cells.sort_values(["subject", "step"], key=lambda own: own.replace(place), kind="stable")
    cells = models_together(cells, mean)
    order = list(dict.fromkeys(zip(cells["model"], cells["vector"], strict=True)))
    table = wide.reindex(index=pd.MultiIndex.from_tuples(order, names=["model", "vector"]), columns=list(MEASURES))
    table = table.rename(columns=MEASURES).fillna("–").reset_index()
    absent = tables["gradient"][tables["gradient"]["n"] == 0]
    lacking = pd.DataFrame({"model": absent["model"], "vector": absent["left_out"]}).reindex(columns=table.columns)
    table = pd.concat([table, lacking.fillna("–")], ignore_index=True)
    return table.assign(model=model_labels(table, config))


def gradient_cosines_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Every cosine with the descent direction and with that of controls."""
    mean = _measured(tables)
    rows = mean[mean["measure"].isin(COSINES) & mean["step"].isna()]
    rows = rows.sort_values("measure", key=lambda names: names.map(COSINES.index), kind="stable")
    lines = []
    for (model, measure, subject), own in models_together(rows, mean).groupby(
        ["model", "measure", "subject"], sort=False
    ):
        by_states = own.assign(cell=with_interval(own, "value")).set_index(own["states"].fillna(RAW))
        last = by_states.loc[[CENTRED if CENTRED in by_states.index else RAW]]
        lines.append({
            "model": model,
            "of": CHANGES[measure],
            "with": COMPARED_WITH[measure][subject],
            "cosine": by_states["cell"].get(RAW, "–"),
            "less what tasks share": by_states["cell"].get(CENTRED, "–"),
            "so, in units of deviation": by_states["cell"].get(SCALED, "–"),
            "to the gradient": "–" if subject == GRADIENT else with_interval(last, "difference")[0],
        })  # fmt: skip
    columns = ["model", "of", "with", "cosine", "less what tasks share", "so, in units of deviation", "to the gradient"]
    table = pd.DataFrame(lines, columns=columns)
    return table.assign(model=model_labels(table, config))


def _measured(tables: Tables) -> pd.DataFrame:
    means = means_of(tables["gradient"])
    return means[means["n"] > 0]


def _vector(row: pd.Series) -> str:
    """The label of a row's vector, with its steps."""
    label = VECTORS[row["subject"]]
    return f"{label}, {how_many(int(row['step']), 'step')}" if row["subject"] == DESCENT else label


TABLES = {"gradient": gradient_table, "gradient_cosines": gradient_cosines_table}
