"""Where a study comes from: code, software, hardware, weights, settings; and what every rule took."""

import json
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

from taskvectors.weights import MANIFEST

LIBRARIES = ("snakemake", "torch", "transformers", "tokenizers", "safetensors", "numpy", "pandas", "scipy")
LIBRARIES += ("scikit-learn", "umap-learn", "matplotlib", "seaborn")


def provenance(weights: Mapping[str, str | Path], config: Mapping[str, Any]) -> dict[str, Any]:
    """What a reader needs to judge or repeat the study, as JSON.

    Args:
        weights: of each model the folder written by rule `weights`.
        config: of the study; kept whole.
    """
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "code": commit(),
        "software": {"python": platform.python_version(), **installed(LIBRARIES)},
        "hardware": hardware(),
        "weights": {model: checksums(folder) for model, folder in weights.items()},
        "config": config,
    }


def commit() -> dict[str, Any]:
    """The git commit of the working folder and whether files differ from it; empty outside a repository."""
    try:
        head, changes = (
            subprocess.run(["git", *command], capture_output=True, text=True, check=True).stdout.strip()
            for command in (["rev-parse", "HEAD"], ["status", "--porcelain"])
        )
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"commit": head, "modified": bool(changes)}


def installed(names: Iterable[str]) -> dict[str, str]:
    """Versions of the packages that are installed here; nothing is imported."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # another environment's
    return found


def hardware() -> dict[str, Any]:
    """Processor, cores that this process may use, memory in GB, and GPUs."""
    info = Path("/proc/cpuinfo")
    named = (
        re.search(r"^model name\s*:\s*(.+)$", info.read_text(encoding="utf-8"), re.MULTILINE) if info.exists() else None
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    try:
        listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=True).stdout
        gpus = [line.split(" (UUID")[0] for line in listed.splitlines()]
    except (OSError, subprocess.CalledProcessError):
        gpus = []
    cpu = named.group(1) if named else platform.processor()
    cores = len(os.sched_getaffinity(0))
    system = f"{platform.system()} {platform.machine()}"
    return {"system": system, "cpu": cpu, "cores": cores, "memory_gb": round(memory, 1), "gpus": gpus}


def checksums(folder: str | Path) -> dict[str, str]:
    """sha256 of the weights and tokenizer files, as rule `weights` wrote them down."""
    manifest = json.loads((Path(folder) / MANIFEST).read_text(encoding="utf-8"))
    return {name: entry["sha256"] for name, entry in manifest.items()}


def resources(benchmarks: Iterable[str | Path]) -> pd.DataFrame:
    """What every rule took: the study's table `resources.csv`.

    Args:
        benchmarks: Snakemake's files `<model>/benchmarks/<rule>[.<family>].tsv`.

    Returns:
        Columns model, rule, jobs, seconds (wall time of all jobs together), peak_memory_mb (of the largest).
    """
    rows = []
    for path in sorted(map(Path, benchmarks)):
        table = pd.read_csv(path, sep="\t", na_values="-")
        peak = table["max_rss"].max()
        rows.append((path.parents[1].name, path.stem.split(".")[0], table["s"].sum(), peak))
    jobs = pd.DataFrame(rows, columns=["model", "rule", "seconds", "peak_memory_mb"])
    groups = jobs.groupby(["model", "rule"], sort=False)
    return groups.agg(
        jobs=("seconds", "size"), seconds=("seconds", "sum"), peak_memory_mb=("peak_memory_mb", "max")
    ).reset_index()
