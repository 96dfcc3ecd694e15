"""What a study was made with, as tables of the page."""

from collections.abc import Mapping
from typing import Any

import pandas as pd


def provenance_table(provenance: Mapping[str, Any]) -> pd.DataFrame:
    """Code, settings, software and hardware of the study, a line each."""
    code, hardware, study = provenance["code"], provenance["hardware"], provenance["config"]["study"]
    rows = [
        ("date", provenance["date"]),
        ("code", _code(code)),
        ("study seeds", ", ".join(map(str, study["seeds"]))),
        ("processor", f"{hardware['cpu']}, {hardware['cores']} cores, {hardware['memory_gb']} GB"),
        ("GPU", ", ".join(hardware["gpus"]) or "none"),
        ("system", hardware["system"]),
    ]
    rows += list(provenance["software"].items())
    for package, versions in provenance["differing"].items():
        used = "; ".join(f"{version} in {', '.join(rules)}" for version, rules in sorted(versions.items()))
        rows.append((f"{package} differs", used))
    return pd.DataFrame(rows, columns=["what", "value"])


def _code(code: Mapping[str, Any]) -> str:
    """The version, and the commit where the workflow is a repository."""
    changes = ", with changes" if code.get("modified") else ""
    return f"version {code['version']}, {code.get('commit', 'not a git repository')}{changes}"


def weights_table(provenance: Mapping[str, Any]) -> pd.DataFrame:
    """Checksums of every model's files."""
    labels = {name: entry["label"] for name, entry in provenance["config"]["models"].items()}
    rows = [
        (labels[model], name, checksum)
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
