"""What software a job ran on: the versions that it imported itself, and the exact packages of its environment.

Every job leaves this beside its log; `provenance` merges it. With conda, jobs of one study run in several
environments, none of which knows the others.
"""

import json
import platform
import re
import resource
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from taskvectors.store.files import sha256_of, write_json, write_text

# Packages that decide on results, by the module that is imported.
LIBRARIES = {"snakemake": "snakemake", "torch": "torch", "transformers": "transformers", "tokenizers": "tokenizers"}
LIBRARIES |= {
    "safetensors": "safetensors",
    "numpy": "numpy",
    "pandas": "pandas",
    "pyarrow": "pyarrow",
    "scipy": "scipy",
}
LIBRARIES |= {"scikit-learn": "sklearn", "umap-learn": "umap", "matplotlib": "matplotlib", "seaborn": "seaborn"}
SUFFIX = ".software.json"
ENVIRONMENTS = Path("results/environments")


def imported() -> dict[str, str]:
    """Versions of the packages that this process has imported, Python first."""
    versions = {"python": platform.python_version()}
    for package, module in LIBRARIES.items():
        version = getattr(sys.modules.get(module), "__version__", None)
        if version is not None:
            versions[package] = str(version)
    return versions


def packages(prefix: str | Path = sys.prefix) -> list[str]:
    """Every package of an environment with its exact version (and build, of conda's), sorted."""
    of_conda = {file.stem for file in Path(prefix).glob("conda-meta/*.json")}
    names = {_normal(package.rsplit("-", 1)[0]) for package in of_conda}  # and version, without the build
    others = set()
    for info in Path(prefix).glob("lib/python*/site-packages/*.dist-info"):
        name, _, version = info.stem.rpartition("-")
        installer = info / "INSTALLER"
        by_conda = installer.is_file() and installer.read_text(encoding="utf-8").strip() == "conda"
        if not by_conda and _normal(info.stem) not in names:
            others.add(f"{name}=={version}")
    return sorted(of_conda | others, key=str.lower)


def _normal(name: str) -> str:
    """A name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def record(log_file: str | Path, made_by: Mapping[str, Any] | None = None) -> None:
    """Write down beside a job's log what it ran on, and once for each environment its packages.

    Args:
        made_by: the stamp of the job (`taskvectors.store.stamps`).
    """
    text = "".join(f"{package}\n" for package in packages())
    environment = sha256_of(text.encode())[:12]
    listed = ENVIRONMENTS / f"{environment}.txt"
    if not listed.exists():
        write_text(listed, text)
    written = {"imported": imported(), "environment": environment, "made_by": made_by, "usage": usage()}
    write_json(Path(log_file).with_suffix(SUFFIX), written)


def usage() -> dict[str, float]:
    """CPU seconds that this process and those it waited for have taken, and the largest one's peak of memory in MB:
    the kernel's own count."""
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    seconds = own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime
    kilobytes = max(own.ru_maxrss, others.ru_maxrss)  # as Linux counts
    return {"cpu_seconds": round(seconds, 1), "peak_memory_mb": round(kilobytes / 1024, 1)}


def read_records(
    folders: Iterable[str | Path], families: Iterable[str], rules: Mapping[str, bool]
) -> dict[str, dict[str, dict[str, Any]]]:
    """The records in folders of logs, by rule and file; of jobs of a family, only those of the given ones.

    Args:
        rules: of the workflow, and whether each has a job for every family; records of others were left by another
            version of it.
    """
    known = set(families)
    records: dict[str, dict[str, dict[str, Any]]] = {}
    for folder in folders:
        for file in sorted(Path(folder).glob(f"*{SUFFIX}")):
            rule, _, part = file.name.removesuffix(SUFFIX).partition(".")
            if rule in rules and (part in known or not rules[rule]):
                records.setdefault(rule, {})[str(file)] = json.loads(file.read_text(encoding="utf-8"))
    return records


def merged_records(records: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """What the jobs of a study ran on.

    Returns:
        `software`: the version of every package, or all of them where jobs differ; `differing`: of those, the rules by
            version;
        `environments`: the rules by environment.
    """
    versions: dict[str, dict[str, list[str]]] = {}
    environments: dict[str, list[str]] = {}
    for rule, of_rule in records.items():
        for record in of_rule.values():
            for package, version in record["imported"].items():
                _note(versions.setdefault(package, {}), version, rule)
            _note(environments, record["environment"], rule)
    order = ["python", *LIBRARIES]
    versions = {package: versions[package] for package in order if package in versions}
    return {
        "software": {package: " and ".join(sorted(numbers)) for package, numbers in versions.items()},
        "differing": {package: numbers for package, numbers in versions.items() if len(numbers) > 1},
        "environments": environments,
    }


def _note(rules: dict[str, list[str]], key: str, rule: str) -> None:
    if rule not in rules.setdefault(key, []):
        rules[key].append(rule)
