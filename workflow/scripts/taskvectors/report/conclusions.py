"""What the numbers say: every claim with a measure, a threshold fixed in advance, and a verdict, from the study's
tables."""

from collections.abc import Mapping
from dataclasses import astuple
from importlib import import_module
from typing import cast

import pandas as pd

from taskvectors.observations.claims import Claims
from taskvectors.observations.rows import Tables
from taskvectors.observations.summaries import with_bounds

COLUMNS = [
    "model",
    "question",
    "claim",
    "statement",
    "measure",
    "table",
    "n",
    *with_bounds("value"),
    "threshold",
    "no_effect",
    "verdict",
    "over",
    *with_bounds("other"),
    *with_bounds("across"),
]


def conclusions(tables: Tables, labels: Mapping[str, str], modules: Mapping[str, str]) -> pd.DataFrame:
    """Every claim for every model: the study's table `conclusions.csv`.

    Args:
        tables: of all models, by name.
        labels: of tasks.
        modules: by question the import name of its `claims.py`, in the order of the page.
    """
    rows = []
    for model in dict.fromkeys(tables["layer_choice"]["model"]):
        own = {name: table[table["model"] == model] for name, table in tables.items()}
        for question, module in modules.items():
            for name, claim, finding in cast(Claims, import_module(module)).claims(own, labels):
                values = (finding.n, finding.value, finding.low, finding.high, claim.threshold, claim.no_effect)
                verdict = finding.verdict(claim.threshold, claim.no_effect)
                further = (claim.over, *astuple(finding.beside), *astuple(finding.across))
                named = (model, question, name, claim.statement, claim.measure, claim.table)
                rows.append((*named, *values, verdict, *further))
    return pd.DataFrame(rows, columns=COLUMNS)
