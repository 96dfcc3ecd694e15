"""Our models beside the paper's: `summary.csv`."""

import pandas as pd

from taskvectors.names import ALL
from taskvectors.report.cells import MAIN_METHODS, Config, model_labels


def summary(accuracy: pd.DataFrame, published: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Mean accuracy over tasks of our models and the paper's: model, source, n, baseline, hypothesis, regular,
    ratio."""
    pooled = accuracy[accuracy["task"] == ALL]
    ours = pooled.pivot(index="model", columns="method", values="accuracy")[list(MAIN_METHODS)]
    ours = ours.loc[list(dict.fromkeys(pooled["model"]))].reset_index()
    n = pooled[pooled["method"] == "hypothesis"].set_index("model")["n"]
    ours.insert(1, "source", "this study")
    ours.insert(2, "n", ours["model"].map(n).astype("Int64"))
    ours["model"] = model_labels(ours, config)
    papers = published.groupby("model", sort=False)[list(MAIN_METHODS)].mean().reset_index()
    papers.insert(1, "source", "published")
    papers.insert(2, "n", pd.NA)
    table = pd.concat([ours, papers], ignore_index=True)
    return table.assign(ratio=table["hypothesis"] / table["regular"])
