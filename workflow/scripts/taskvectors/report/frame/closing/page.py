"""Tables on the data, and on time and memory."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from taskvectors.names import MARKED_FROM
from taskvectors.observations.rows import Tables
from taskvectors.report.cells import Config, labelled, model_labels
from taskvectors.report.html import entities

FEW_PAIRS = 30


def numbers(tables: Tables, config: Config) -> Mapping[str, Any]:
    differing = config.get("joined", {}).get("differing", {})
    as_written = {
        entities(key): {entities(name): entities(value) for name, value in values.items()}
        for key, values in differing.items()
    }
    return {"differing": as_written}


def filter_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Pairs kept by the filter of answer lengths, and the best constant answers. Tasks with few pairs left, or in
    which a constant answer is right too often, are marked."""
    filtered = tables["filter"]
    few = ["few pairs: episodes repeat inputs" if kept < FEW_PAIRS else "" for kept in filtered["kept"]]
    guess = [f"a constant answer passes {MARKED_FROM:.0%}" if marked else "" for marked in filtered["guessable"]]
    out = ["left out: too few pairs are left" if one else "" for one in filtered["left_out"].notna()]
    notes = ["; ".join(filter(None, parts)) for parts in zip(out, few, guess, strict=True)]
    table = filtered.drop(columns=["guessable", "left_out"]).assign(note=notes)
    for name, words in (("constant", "best constant"), ("constant_prefix", "best by prefix")):
        shares = zip(table[name], table.pop(f"{name}_share"), strict=True)
        table[name] = [f"{text} {share:.0%}" for text, share in shares]
        table = table.rename(columns={name: words})
    return labelled(table, config).rename(columns={"leading_space": "leading space", "too_long": "too long"})


def resources_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Wall time, CPU time and peak memory of every rule."""
    resources = tables["resources"]
    table = resources.assign(model=model_labels(resources, config))
    whole = {name: table[name].round().astype("Int64") for name in table if name.endswith(("seconds", "_mb"))}
    return table.assign(**whole).rename(columns={name: name.replace("_", " ") for name in whole})


TABLES = {"filter": filter_table, "resources": resources_table}
