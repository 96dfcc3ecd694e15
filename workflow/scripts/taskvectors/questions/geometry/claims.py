"""Claims on where the θ of different tasks lie."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from taskvectors.names import ALL, CENTRED
from taskvectors.observations.claims import Claim, Finding, Judged, judged
from taskvectors.observations.rows import Tables, main_tasks

CLAIMS = {
    "clusters": Claim(
        "θ of different tasks lie apart, at least by the space and format of their answers.",
        "silhouette at the common layer, mean over tasks; θ less the mean over tasks",
        "geometry",
        0.25,
    ),
    "separation_is_function": Claim(
        "Tasks lie apart most where patching works.",
        "mean dev accuracy at the layer of highest silhouette (θ less the mean over tasks), as a share of that at the common layer",
        "geometry",
        0.90,
    ),
}


def claims(tables: Tables, labels: Mapping[str, str]) -> Judged:
    geometry = tables["geometry"]
    findings = {
        "clusters": silhouette(geometry, tables["layer_choice"]),
        "separation_is_function": where_apart(geometry, tables["layer_sweep"], tables["layer_choice"]),
    }
    return judged(CLAIMS, findings)


def silhouettes(geometry: pd.DataFrame) -> pd.Series:
    """By layer, of centred θ, as a direction that all θ share would decide otherwise. Empty for a single task."""
    return geometry[(geometry["task"] == ALL) & (geometry["states"] == CENTRED)].set_index("layer")["silhouette"]


def silhouette(geometry: pd.DataFrame, choice: pd.DataFrame) -> Finding:
    score = silhouettes(geometry).get(choice["common_layer"].iloc[0], np.nan)
    return Finding(score, geometry["task"].nunique() - 1)


def where_apart(geometry: pd.DataFrame, sweep: pd.DataFrame, choice: pd.DataFrame) -> Finding:
    scores = silhouettes(geometry)
    dev = main_tasks(sweep[sweep["split"] == "dev"]).groupby("layer")["accuracy"].mean()
    at_common = dev[choice["common_layer"].iloc[0]]
    if scores.isna().all() or at_common == 0:
        return Finding(np.nan, 0)
    return Finding(dev[scores.idxmax()] / at_common, geometry["task"].nunique() - 1)
