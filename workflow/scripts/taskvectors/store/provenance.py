"""Where a study comes from: code, software, hardware, weights, settings; and what every rule took."""

import json
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from taskvectors.store.files import MANIFEST
from taskvectors.store.parquet import read_stamp
from taskvectors.store.software import SUFFIX
from taskvectors.store.stamps import Stamp, check_one_source, code_version


def provenance(
    weights: Mapping[str, str | Path],
    stamps: Mapping[str, Mapping[str, Stamp]],
    software: Mapping[str, Any],
    config: Mapping[str, Any],
    sources: Mapping[str, str],
) -> dict[str, Any]:
    """What a reader needs to judge or repeat the study, as JSON.

    Args:
        weights: of each model the folder written by rule `weights`.
        stamps: of each model its computed files and what they were computed with.
        software: what the jobs ran on (`taskvectors.store.software.merged_records`).
        config: of the study; kept, but for the folders in which the user's own files lie.
        sources: digests of the files that the numbers follow from (`taskvectors.store.sources`).

    Raises:
        StudyError: if files of one model differ in their weights, dtype, software or code.
    """
    for stamps_of_model in stamps.values():
        check_one_source(stamps_of_model)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "code": code_version(),
        **software,
        "hardware": hardware(),
        "weights": {model: checksums(folder) for model, folder in weights.items()},
        "runs": {model: runs(stamps_of_model.values()) for model, stamps_of_model in stamps.items()},
        "sources": dict(sources),
        "config": without_folders(config),
    }


def stamps_by_model(
    files: Iterable[str | Path], records: Mapping[str, Mapping[str, Mapping[str, Any]]], models: Iterable[str]
) -> dict[str, dict[str, Stamp]]:
    """What everything of a model was computed with: the stamps in its files, and those that its jobs left beside their
    logs.

    Args:
        files: Parquet and safetensors below `results/<model>/`.
        records: of all jobs (`taskvectors.store.software.read_records`).
    """
    found = {str(file): read_stamp(file) for file in files}
    found |= {file: record.get("made_by") for of_rule in records.values() for file, record in of_rule.items()}
    stamps: dict[str, dict[str, Stamp]] = {model: {} for model in models}
    for file, made_by in found.items():
        parts = Path(file).parts
        model = parts[len(parts) - parts[::-1].index("results")]  # the folder below it
        if made_by and model in stamps:
            stamps[model][file] = made_by
    return stamps


def of_model(provenance: Mapping[str, Any], model: str) -> dict[str, Any]:
    """The part of a provenance that concerns one model: what its folder of results keeps."""
    parts = {part: provenance[part][model] for part in ("weights", "runs")}
    settings = {"model": provenance["config"]["models"][model], "seeds": provenance["config"]["study"]["seeds"]}
    return (
        {part: provenance[part] for part in ("date", "code", "software", "differing", "environments", "hardware")}
        | parts
        | settings
    )


def runs(stamps: Iterable[Stamp]) -> dict[str, list[Any]]:
    """The different values of everything that a model's files were computed with; device and commit may have
    several."""
    values: dict[str, list[Any]] = {}
    for made_by in stamps:
        for what, value in made_by.items():
            if what not in ("rule", "code", "modified", "version") and value not in values.setdefault(what, []):
                values[what].append(value)
    return values


def without_folders(value: Any) -> Any:
    """A configuration in which an absolute path is its last part: where a user's files lie is private."""
    if isinstance(value, Mapping):
        return {key: without_folders(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [without_folders(entry) for entry in value]
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


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


def resources(benchmarks: Iterable[str | Path], records: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> pd.DataFrame:
    """What every rule took: the study's table `resources.csv`.

    Args:
        benchmarks: Snakemake's files `<model>/benchmarks/<rule>[.<family>].tsv`, for the wall time.
        records: of all jobs (`taskvectors.store.software.read_records`), for CPU time and memory.

    Returns:
        Columns model, rule, jobs, seconds (wall time of all jobs together), cpu_seconds (theirs), peak_memory_mb (of
        the largest).
    """
    rows = []
    for path in sorted(map(Path, benchmarks)):
        rule, model = path.stem.split(".")[0], path.parents[1]
        record = records.get(rule, {}).get(str(model / "logs" / f"{path.stem}{SUFFIX}"))
        if record is None:  # of a family or rule that the study no longer has
            continue
        used = record.get("usage", {})
        seconds = pd.read_csv(path, sep="\t", na_values="-")["s"].sum()
        rows.append((model.name, rule, seconds, used.get("cpu_seconds"), used.get("peak_memory_mb")))
    jobs = pd.DataFrame(rows, columns=["model", "rule", "seconds", "cpu_seconds", "peak_memory_mb"])
    groups = jobs.astype({"cpu_seconds": float, "peak_memory_mb": float}).groupby(["model", "rule"], sort=False)
    return groups.agg(
        jobs=("seconds", "size"),
        seconds=("seconds", "sum"),
        cpu_seconds=("cpu_seconds", lambda used: used.sum(min_count=len(used))),  # of jobs that all said so
        peak_memory_mb=("peak_memory_mb", "max"),
    ).reset_index()
