"""The table on how θ forms."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from taskvectors.observations.rows import Tables
from taskvectors.report.cells import Config, means_of, model_labels, with_interval


def numbers(tables: Tables, config: Config) -> Mapping[str, Any]:
    return {}


def formation_table(tables: Tables, config: Config) -> pd.DataFrame:
    """θ after k demonstrations, mean over tasks."""
    mean = means_of(tables["formation"])
    return pd.DataFrame(
        {
            "model": model_labels(mean, config),
            "demonstrations": mean["demonstrations"],
            "accuracy": with_interval(mean),
            "cosine to θ": with_interval(mean, "cosine", digits=3),
            "less the mean over tasks": with_interval(mean, "cosine_centred", digits=3),
        }
    )


TABLES = {"formation": formation_table}
