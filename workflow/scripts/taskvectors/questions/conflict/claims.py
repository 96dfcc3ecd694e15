"""Claims on θ of one task in prompts of another."""

from collections.abc import Mapping

import numpy as np

from taskvectors.names import ALL, WITHOUT
from taskvectors.observations.claims import Claim, Finding, Judged, judged, weighted
from taskvectors.observations.intervals import ratio
from taskvectors.observations.rows import Tables, able_tasks, at_chosen_layer

OVERRIDES = "θ overrides demonstrations of a conflicting task, at"
TRANSFERS = "θ carries its task to bare queries of other tasks, at"
OF_PAIRS = (
    "share of prompts answered as the task of θ, minus that without a patch; mean over the configured pairs whose two "
    "tasks are above the floor"
)
OF_QUERIES = (
    "share of such queries answered as the task of θ, divided by that of θ in its own task; mean over pairs whose task of "
    "θ is above the floor"
)
CLAIMS = {
    "overrides": Claim(f"{OVERRIDES} the layer of θ's task.", OF_PAIRS, "conflict", 0.50),
    "overrides_common": Claim(f"{OVERRIDES} the common layer.", OF_PAIRS, "conflict", 0.50),
    "transfers": Claim(f"{TRANSFERS} the layer of θ's task.", OF_QUERIES, "transfer", 0.75),
    "transfers_common": Claim(f"{TRANSFERS} the common layer.", OF_QUERIES, "transfer", 0.75),
}
AT_HOME = {"layer": "hypothesis", "common_layer": "hypothesis_common"}  # a layer, and the method of θ in its own task


def claims(tables: Tables, labels: Mapping[str, str]) -> Judged:
    findings = {
        "overrides": overrides(tables, "layer"),
        "overrides_common": overrides(tables, "common_layer"),
        "transfers": transfers(tables, "layer"),
        "transfers_common": transfers(tables, "common_layer"),
    }
    return judged(CLAIMS, findings)


def overrides(tables: Tables, layer: str) -> Finding | None:
    """How much more often patched prompts are answered as the task of θ; None without pairs.

    Args:
        layer: the column of `layer_choice.csv`.
    """
    choice = tables["layer_choice"]
    chosen = at_chosen_layer(tables["conflict"], choice, "task_b", layer)
    if chosen.empty:
        return None
    able = able_tasks(choice)
    pairs = chosen[chosen["task_a"].isin(able) & chosen["task_b"].isin(able)]
    if pairs.empty:
        return Finding(np.nan, 0, basis=False)
    gain = weighted(pairs, "gain_b")
    return Finding(gain.value, int(pairs["n"].sum()), gain.low, gain.high, basis=gain.low < gain.high)


def transfers(tables: Tables, layer: str) -> Finding | None:
    """What θ does to bare queries of other tasks, as a share of what it does to those of its own; None without
    pairs."""
    choice, accuracy, transfer = tables["layer_choice"], tables["accuracy"], tables["transfer"]
    chosen = at_chosen_layer(transfer[transfer["demonstrations"] == WITHOUT], choice, "theta_task", layer)
    if chosen.empty:
        return None
    pairs = chosen[chosen["theta_task"].isin(able_tasks(choice))]
    if pairs.empty:
        return Finding(np.nan, 0, basis=False)
    counts = pairs["theta_task"].value_counts()
    home = accuracy[(accuracy["method"] == AT_HOME[layer]) & (accuracy["task"] != ALL)].set_index("task")
    share = ratio(weighted(pairs, "as_theta"), weighted(home.loc[counts.index], "accuracy", counts.tolist()))
    return Finding(share.value, int(pairs["n"].sum()), share.low, share.high, basis=share.low < share.high)
