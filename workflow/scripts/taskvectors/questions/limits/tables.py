"""Tasks that one vector may not hold: answers with demonstrations and with θ."""

from collections.abc import Iterable

import pandas as pd

from taskvectors.names import KEY, LIMIT
from taskvectors.observations.summaries import shares


def limits(chosen: pd.DataFrame, bijections: Iterable[str]) -> pd.DataFrame:
    """Regular and hypothesis where one vector may not suffice: the study's table `limits.csv`.

    Outcomes: `right`; and for bijections `wrong_direction`, the right item in the wrong form: the answer is the query
    itself.

    Args:
        chosen: test answers of every method.
        bijections: tasks that have two directions.
    """
    of_limits = chosen[chosen["role"] == LIMIT]
    queries = of_limits[of_limits["method"] == "copy_query"].set_index(["task", "episode"])["predicted"].str.strip()
    rows = of_limits[of_limits["method"].isin(["regular", "hypothesis"])]
    right = rows.assign(outcome="right")
    turned = rows[rows["task"].isin(list(bijections))].assign(outcome="wrong_direction")
    keys = pd.MultiIndex.from_frame(turned[["task", "episode"]])
    turned["correct"] = turned["predicted"].str.strip().to_numpy() == queries.reindex(keys).to_numpy()
    table = shares(pd.concat([right, turned]), [*KEY, "method", "outcome", "layer"], "share")
    return table.astype({"layer": "Int64"})
