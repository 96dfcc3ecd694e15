"""Tables on what θ says when it is unembedded."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from taskvectors.observations.rows import Tables, at_chosen_layer
from taskvectors.report.cells import Config, labelled

LAYERS_ABOVE = (0, 2)  # the chosen layer; the paper decodes two above
TOKENS = 10  # that are shown
VISIBLE = str.maketrans({" ": "␣", "\n": "↵", "\t": "⇥"})


def numbers(tables: Tables, config: Config) -> Mapping[str, Any]:
    return {}


def decoded_ranks_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Ranks of the answers and the name of a task at the layer chosen for it."""
    table = labelled(at_chosen_layer(tables["decoded_ranks"], tables["layer_choice"]), config)
    words = {
        "answer_rank_best": "best answer",
        "answer_rank_median": "median answer",
        "other_answer_rank_median": "median of other tasks' answers",
        "name_word": "word of the name",
        "name_rank": "its rank",
    }
    integers = ["answer_rank_median", "other_answer_rank_median", "name_rank"]
    return table.astype(dict.fromkeys(integers, "Int64")).rename(columns=words)


def decoded_tokens_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Top tokens of θ by task, at the chosen layer and two above: raw, spaces made visible, and filtered as in the
    paper."""
    tokens, layers = tables["decoded_tokens"], tables["layer_choice"].set_index(["model", "task"])["layer"]
    rows = []
    for (model, task), of_task in tokens.groupby(["model", "task"], sort=False):
        for layer in sorted({min(layers[model, task] + above, of_task["layer"].max()) for above in LAYERS_ABOVE}):
            group = of_task[of_task["layer"] == layer].sort_values("rank")
            raw = [token.translate(VISIBLE) for token in group["token"].fillna("").astype(str).head(TOKENS)]
            kept = group.sort_values("filtered_rank").dropna(subset="filtered_rank").head(TOKENS)
            words = kept["token"].astype(str).str.strip().str.lower()
            rows.append((model, task, layer, "  ".join(raw), ", ".join(words)))
    return labelled(pd.DataFrame(rows, columns=["model", "task", "layer", "raw", "filtered"]), config)


TABLES = {"decoded_ranks": decoded_ranks_table, "decoded_tokens": decoded_tokens_table}
