"""θ of one task in prompts of another as tables: conflicting tasks (paper, section 4.2, table 2) and the transfer
matrix."""

from collections.abc import Sequence

import pandas as pd

from taskvectors.names import KEPT
from taskvectors.observations.intervals import DIFFERENCES, bootstrap_mean
from taskvectors.observations.summaries import share, with_bounds

PAIR = ["task_a", "task_b"]


def conflicts(predictions: pd.DataFrame, model: str, pairs: Sequence[Sequence[str]], seed: int) -> pd.DataFrame:
    """Shares answered as A and as B, by pair and layer: the study's table `conflict.csv`.

    `regular_*` is the unpatched prompt of A, the same at every layer; `patched_*` has θ of B in it at `layer`.
    `gain_b` is the paired difference: how much more often the patched prompt is answered as B.

    Args:
        seed: of the bootstrap over episodes.
    """
    wanted = {tuple(pair) for pair in pairs}
    kept = predictions[predictions["demonstrations"] == KEPT]
    rows = []
    for (task_a, task_b), pair in kept.groupby(PAIR, sort=False):
        if (task_a, task_b) not in wanted:
            continue
        regular = pair[pair["layer"].isna()]
        for layer, patched in pair[pair["layer"].notna()].groupby("layer"):
            row: dict[str, object] = {"model": model, "task_a": task_a, "task_b": task_b, "layer": layer}
            row["n"] = len(patched)
            for name, table in (("regular", regular), ("patched", patched)):
                row |= share(f"{name}_a", table["correct_a"]) | share(f"{name}_b", table["correct_b"])
            after, before = (rows_of.set_index("episode")["correct_b"].astype(float) for rows_of in (patched, regular))
            gain = bootstrap_mean([(after - before).to_numpy()], seed, DIFFERENCES)
            row |= dict(zip(with_bounds("gain_b"), gain, strict=True))
            rows.append(row)
    columns = with_bounds(*(f"{name}_{side}" for name in ("regular", "patched") for side in "ab"), "gain_b")
    return pd.DataFrame(rows, columns=["model", *PAIR, "layer", "n", *columns])


def transfers(predictions: pd.DataFrame, model: str) -> pd.DataFrame:
    """What θ of one task does to queries of another, by pair, kind of prompt and layer: the study's table
    `transfer.csv`.

    `as_theta`, `as_query` and `as_neither` are the shares answered as the task of θ, as the task of the prompt, as
    neither. `demonstrations` is `kept` where the prompt shows the query's own task, `none` where it is the bare query;
    rows without a layer are prompts without a patch.
    """
    rows = []
    for key, group in predictions.groupby([*PAIR, "demonstrations", "layer"], sort=False, dropna=False):
        query_task, theta_task, demonstrations, layer = key
        row = {"model": model, "theta_task": theta_task, "query_task": query_task, "demonstrations": demonstrations}
        row |= {"layer": layer, "n": len(group)}
        row |= share("as_theta", group["correct_b"]) | share("as_query", group["correct_a"])
        row |= share("as_neither", ~(group["correct_a"] | group["correct_b"]))
        rows.append(row)
    columns = ["model", "theta_task", "query_task", "demonstrations", "layer", "n"]
    columns += with_bounds("as_theta", "as_query", "as_neither")
    return pd.DataFrame(rows, columns=columns).astype({"layer": "Int64"})
