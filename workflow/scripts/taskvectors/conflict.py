"""Conflicting tasks as a table (paper, section 4.2, table 2)."""

import pandas as pd

from taskvectors.statistics import wilson


def conflict_table(predictions: pd.DataFrame, model: str) -> pd.DataFrame:
    """Shares answered as A and as B, by pair and layer: the study's table `conflict.csv`.

    `regular_*` is the prompt of A as it is, the same at every layer; `patched_*` has θ of B in it at `layer`.
    """
    rows = []
    for (task_a, task_b), pair in predictions.groupby(["task_a", "task_b"], sort=False):
        regular = pair[pair["layer"].isna()]
        for layer, patched in pair[pair["layer"].notna()].groupby("layer"):
            row: dict[str, object] = {
                "model": model,
                "task_a": task_a,
                "task_b": task_b,
                "layer": layer,
                "n": len(patched),
            }
            for name, table in (("regular", regular), ("patched", patched)):
                for side in ("a", "b"):
                    correct = int(table[f"correct_{side}"].sum())
                    low, high = wilson(correct, len(table))
                    row |= {
                        f"{name}_{side}": correct / len(table),
                        f"{name}_{side}_ci_low": low,
                        f"{name}_{side}_ci_high": high,
                    }
            rows.append(row)
    return pd.DataFrame(rows)
