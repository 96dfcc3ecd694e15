"""What a study was made with, as tables of the page."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd


def provenance_table(provenance: Mapping[str, Any]) -> pd.DataFrame:
    """Code, settings, software and hardware of the study, a line each; of several studies, a column each."""
    of_each = provenance.get("joined", {"value": provenance})
    columns = [pd.Series(dict(_lines_of(content)), name=name) for name, content in of_each.items()]
    return pd.concat(columns, axis=1, sort=False).rename_axis("what").reset_index()


def _lines_of(provenance: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    code, hardware, study = provenance["code"], provenance["hardware"], provenance["config"]["study"]
    yield "date", provenance["date"]
    yield "code", _code(code)
    yield "study seeds", ", ".join(map(str, study["seeds"]))
    yield "processor", f"{hardware['cpu']}, {hardware['cores']} cores, {hardware['memory_gb']} GB"
    yield "GPU", ", ".join(hardware["gpus"]) or "none"
    yield "system", hardware["system"]
    yield from provenance["software"].items()
    for package, versions in provenance["differing"].items():
        used = "; ".join(f"{version} in {', '.join(rules)}" for version, rules in sorted(versions.items()))
        yield f"{package} differs", used


def _code(code: Mapping[str, Any]) -> str:
    """The version, and the commit where the workflow is a repository."""
    changes = ", with changes" if code.get("modified") else ""
    return f"version {code['version']}, {code.get('commit', 'not a git repository')}{changes}"


def weights_table(provenance: Mapping[str, Any]) -> pd.DataFrame:
    """Checksums of every model's files."""
    labels = {name: entry["label"] for name, entry in provenance["config"]["models"].items()}
    rows = [
        (labels.get(model, model), name, checksum)
        for model, files in provenance["weights"].items()
        for name, checksum in files.items()
    ]
    return pd.DataFrame(rows, columns=["model", "file", "sha256"])


def files_table(written: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Every table that a study writes: file, row, columns and notes; model, family, role and task are in nearly all.

    Args:
        written: entries of the tables, by name.
    """
    rows = []
    for name, entry in written.items():
        bounds = {f"{column}_{end}" for column in entry["intervals"] for end in ("low", "high")}
        columns = [column for column in entry["columns"] if column not in bounds | {"model", "family", "role", "task"}]
        columns = [f"{column} ±" if column in entry["intervals"] else column for column in columns]
        notes = " ".join(filter(None, (entry["note"], entry["about"])))
        file = f"{'' if entry['study'] else '<model>/'}{name}.csv"
        rows.append((file, entry["row"], ", ".join(columns), notes or None))
    return pd.DataFrame(rows, columns=["file", "one row is", "columns beside model, family, role and task", "notes"])
