"""Accuracies with their intervals."""

import pandas as pd
from scipy.stats import binomtest

CONFIDENCE = 0.95


def wilson(correct: int, n: int) -> tuple[float, float]:
    """95% Wilson score interval of a proportion (Wilson 1927)."""
    interval = binomtest(correct, n).proportion_ci(CONFIDENCE, method="wilson")
    return interval.low, interval.high


def accuracy_table(predictions: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Share of correct predictions per group: columns `by`, n, accuracy, ci_low, ci_high."""
    rows = []
    for key, group in predictions.groupby(by, sort=False, dropna=False):
        correct, n = int(group["correct"].sum()), len(group)
        low, high = wilson(correct, n)
        rows.append((*key, n, correct / n, low, high))
    return pd.DataFrame(rows, columns=[*by, "n", "accuracy", "ci_low", "ci_high"])
