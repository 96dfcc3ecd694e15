"""Claims on θ of one task in prompts of another."""

from collections.abc import Mapping

from taskvectors.names import WITHOUT
from taskvectors.observations.claims import Claim, Judged, judged, pooled
from taskvectors.observations.rows import Tables

OVERRIDES = "θ overrides demonstrations of a conflicting task, at"
TRANSFERS = "θ carries its task to bare queries of other tasks, at"
OF_PAIRS = "prompts of the configured pairs that are answered as the task of θ"
OF_QUERIES = "such prompts answered as the task of θ"
CLAIMS = {
    "overrides": Claim(f"{OVERRIDES} the layer of θ's task.", OF_PAIRS, "conflict", 0.50),
    "overrides_common": Claim(f"{OVERRIDES} the common layer.", OF_PAIRS, "conflict", 0.50),
    "transfers": Claim(f"{TRANSFERS} the layer of θ's task.", OF_QUERIES, "transfer", 0.50),
    "transfers_common": Claim(f"{TRANSFERS} the common layer.", OF_QUERIES, "transfer", 0.50),
}


def claims(tables: Tables, labels: Mapping[str, str]) -> Judged:
    choice, transfer = tables["layer_choice"], tables["transfer"]
    bare = transfer[transfer["demonstrations"] == WITHOUT]
    findings = {
        "overrides": pooled(tables["conflict"], "task_b", "patched_b", choice, "layer"),
        "overrides_common": pooled(tables["conflict"], "task_b", "patched_b", choice, "common_layer"),
        "transfers": pooled(bare, "theta_task", "as_theta", choice, "layer"),
        "transfers_common": pooled(bare, "theta_task", "as_theta", choice, "common_layer"),
    }
    return judged(CLAIMS, findings)
