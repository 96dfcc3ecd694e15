"""The paper's own numbers, kept in `data/paper/`."""

from pathlib import Path

import pandas as pd

from taskvectors.tables import read_csv


def published_accuracy(folder: str | Path) -> pd.DataFrame:
    """The paper's table 6: model, family, task, baseline, hypothesis, regular."""
    return read_csv(Path(folder) / "main_results.csv")


def published_layers(folder: str | Path) -> pd.DataFrame:
    """Dev accuracy by layer of the three models whose released results can be read: model, family, task, layer, dev_accuracy."""
    return read_csv(Path(folder) / "layer_curves.csv")


def published_conflict(folder: str | Path) -> pd.DataFrame:
    """The paper's table 2 and the released results: model, source, task_a, task_b, regular_a, regular_b, patched_a, patched_b."""
    return read_csv(Path(folder) / "conflicting_tasks.csv")
