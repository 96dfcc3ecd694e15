"""What a study would take, before anything runs: jobs, GPUs, memory, disk and an estimate of time per model.

python workflow/plan.py [overlay.yaml ...]; `make plan CONFIG="overlay.yaml ..."` calls it. The jobs are those that
Snakemake would run; nothing is run, loaded or downloaded.
"""

import csv
import io
import json
import logging
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from snakemake.api import SnakemakeApi
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, Quietness, ResourceSettings
from snakemake_interface_logger_plugins.common import LogEvent
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parent / "scripts"))

from taskvectors import sizing
from taskvectors.errors import StudyError
from taskvectors.estimates import Planned, half_widths, scaled_hours, tokens_of
from taskvectors.store.archived import PROVENANCE, archived_config, member, read_archive
from taskvectors.study import Study, read_study


class Jobs(logging.Handler):
    """Every job that Snakemake says it would run."""

    def __init__(self, families: int) -> None:
        super().__init__()
        self.families = families
        self.planned: list[Planned] = []

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "event", None) == LogEvent.JOB_INFO:
            wildcards = record.wildcards or {}  # type: ignore[attr-defined]
            share = 1 / self.families if "family" in wildcards else 1.0
            self.planned.append(Planned(record.rule_name, wildcards.get("model"), share))  # type: ignore[attr-defined]


def planned(overlays: list[Path], families: int) -> list[Planned]:
    """The jobs that would run, of a study with so many families of tasks."""
    jobs = Jobs(families)
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(nodes=1),
            config_settings=ConfigSettings(configfiles=overlays),
            snakefile=Path("Snakefile"),
        )
        dag = workflow.dag(DAGSettings())
        logger.addHandler(jobs)
        dag.execute_workflow(executor="dryrun")
    return jobs.planned


def by_model(study: Study, jobs: list[Planned], measured: dict[str, float]) -> list[dict[str, Any]]:
    """One row per model: what its jobs ask for, at most at once, and the hours of all of them: estimated, and as a
    shipped study took."""
    compute = study.config["compute"]
    rates = {"hours, GPU": compute["gpu"]["teraflops"], "hours, CPU": compute["cpu_teraflops"]}
    rows, of_rules = [], study.tokens
    for model, entry in study.models.items():
        own = [job for job in jobs if job.model == model]
        loading = [job.rule for job in own if job.rule in of_rules]
        tokens = tokens_of(own, of_rules)
        weights, activations = sizing.weight_bytes(entry) / 1e9, sizing.activation_bytes(entry) / 1e9
        assumed = "" if entry.get("parameters") else " (assumed)"
        rows.append(
            {
                "model": entry["label"],
                "parameters": f"{sizing.parameters(entry) / 1e9:.2f} B{assumed}",
                "jobs": len(own),
                "load the model": len(loading),
                "GPUs a job": study.gpus(model) if loading else 0,
                "GPU memory": f"{weights + activations:.1f} GB",
                "weights + pass": f"{weights:.1f} + {activations:.1f}",
                "memory a job, at most": f"{max((study.memory_mb(model, rule) for rule in loading), default=0) / 1000:.0f} GB",
                "disk": f"{sizing.disk_gb(entry):.1f} GB",
                **{
                    name: f"{sizing.hours(entry, tokens, rate) + len(loading) / 60:.1f}" for name, rate in rates.items()
                },
                "hours, as shipped": f"{measured[model]:.1f}" if model in measured else "–",
            }
        )
    return rows


class Shipped(NamedTuple):
    """A finished study that comes with the workflow: its archive, what that holds, and its settings."""

    path: str
    contents: dict[str, bytes]
    study: Study

    def rows(self, table: str) -> Iterator[dict[str, str]]:
        return csv.DictReader(io.StringIO(member(self.path, self.contents, table).decode()))


def shipped_like(study: Study) -> Shipped | None:
    """The shipped study of the nearest settings; none in a workflow without archives."""
    if not any((study.root / "data/archive").glob("*.zip")):
        return None
    path = study.shipped
    return Shipped(path, read_archive(path), Study(archived_config(path), study.root))


def hours_as_shipped(study: Study, shipped: Shipped, jobs: list[Planned]) -> tuple[dict[str, float], str]:
    """By model the hours that jobs would take on the machine of a shipped study, and that machine.

    A model is left out if its weights, dtype or device are not those of the shipped study.
    """
    hardware = json.loads(shipped.contents[PROVENANCE])["hardware"]
    machine = ", ".join([hardware["cpu"], f"{hardware['cores']} cores", *hardware["gpus"]])
    hours = scaled_hours(shipped.rows("resources.csv"), shipped.study.tokens, study.tokens, jobs)
    there = shipped.study.models
    return {name: each for name, each in hours.items() if alike(study.models[name], there[name])}, machine


def alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two entries of models are of the same weights in the same dtype on the same device."""
    ignored = ("label", "licence", "parameters")
    first, second = ({key: value for key, value in entry.items() if key not in ignored} for entry in (one, other))
    return first == second


def expected(study: Study, shipped: Shipped) -> list[dict[str, str]]:
    """One row per claim: what its interval is like in a shipped study, and what to expect in this one."""
    rows = shipped.rows("tables/conclusions.csv")
    judged_on = {(one.name, name): size for one in study.questions for name, size in one.judged_on.items()}
    widths = half_widths(rows, judged_on, shipped.study.config, study.config)
    return [
        {
            "claim": statement,
            "shipped": f"± {known:.2f}",
            "here, about": f"± {estimate:.2f}",
            "shown from about": f"{threshold + estimate:.2f}",
        }
        for statement, threshold, known, estimate in widths.values()
    ]


def main(overlays: list[Path]) -> None:
    study = read_study(overlays)
    jobs = planned(overlays, len(study.families))
    if not jobs:
        print("Nothing to be done: all results are there and up to date.")
        return
    compute = study.config["compute"]
    shipped = shipped_like(study)
    measured, machine = hours_as_shipped(study, shipped, jobs) if shipped else ({}, "")
    rows = by_model(study, jobs, measured)
    print(tabulate(rows, headers="keys", tablefmt="plain", disable_numparse=True, stralign="right"))
    print(
        f"\n{len(jobs)} jobs in all. GPU memory: weights and a pass of {sizing.TOKENS} tokens; GPUs of "
        f"{compute['gpu']['memory_gb']} GB are requested.\nHours: estimated from parameters and tokens, jobs one after another, "
        f"at {compute['gpu']['teraflops']} sustained teraflops on a GPU and {compute['cpu_teraflops']} on a CPU, a minute a job to "
        "load."
    )
    if shipped and measured:
        print(
            f"Hours, as shipped: what the jobs of {shipped.path} took, by the tokens read here, added up ({machine}). Jobs that run "
            "at once take less."
        )
    print("Settings: `compute` in config/config.yaml. Nothing was run.")
    if shipped and (claims := expected(study, shipped)):
        print(f"\nWhat the claims can tell: half-widths of 95% intervals, estimated from {shipped.path}.\n")
        widths = [80, None, None, None]
        print(tabulate(claims, headers="keys", tablefmt="plain", disable_numparse=True, maxcolwidths=widths))


if __name__ == "__main__":
    try:
        main(list(map(Path, sys.argv[1:])))
    except (StudyError, WorkflowError, OSError) as error:
        sys.exit(f"{error}")
