"""What a study would take, before anything runs: jobs, GPUs, memory, disk and an estimate of time per model.

python workflow/plan.py [overlay.yaml ...]; `make plan CONFIG="overlay.yaml ..."` calls it. Jobs and resources are those
that Snakemake plans; nothing is run, loaded or downloaded.
"""

import sys
from pathlib import Path
from typing import Any

import pandas as pd
from snakemake.api import SnakemakeApi
from snakemake.exceptions import WorkflowError
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, Quietness, ResourceSettings

sys.path.insert(0, str(Path(__file__).parent / "scripts"))

from taskvectors import sizing
from taskvectors.errors import StudyError
from taskvectors.settings import check_yaml


def planned(overlays: list[Path]) -> tuple[list[Any], dict[str, Any], dict[str, Any]]:
    """The jobs that would run, the configuration, and the globals of the Snakefile."""
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow_api = api.workflow(
            resource_settings=ResourceSettings(nodes=1),
            config_settings=ConfigSettings(configfiles=overlays),
            snakefile=Path("Snakefile"),
        )
        dag_api = workflow_api.dag(DAGSettings())
        dag_api.execute_workflow(executor="dryrun")
        workflow = workflow_api._workflow
        return (
            [job for job in workflow.dag.jobs if workflow.dag.needrun(job)],
            workflow.globals["config"],
            workflow.globals,
        )


def by_model(jobs: list[Any], config: dict[str, Any], names: dict[str, Any]) -> pd.DataFrame:
    """One row per model: what its jobs ask for, at most at once, and the estimated hours of all of them."""
    rows = []
    for model in names["MODELS"]:
        entry = config["models"][model]
        its = [job for job in jobs if dict(job.wildcards_dict).get("model") == model]
        loading = [job for job in its if job.resources.get("gpu") is not None]
        left = {job.rule.name for job in loading}
        tokens = sizing.tokens_read(config, len(names["TASKS"]), len(names["PAIRS"]))
        read = sum(count for rule, count in tokens.items() if rule in left)
        rates = {"hours, GPU": config["compute"]["gpu"]["teraflops"], "hours, CPU": config["compute"]["cpu_teraflops"]}
        rows.append(
            {
                "model": entry["label"],
                "parameters": f"{sizing.parameters(entry) / 1e9:.2f} B"
                + ("" if entry.get("parameters") else " (assumed)"),
                "jobs": len(its),
                "load the model": len(loading),
                "GPUs a job": max((job.resources["gpu"] for job in loading), default=0),
                "GPU memory": f"{(sizing.weight_bytes(entry) + sizing.activation_bytes(entry)) / 1e9:.1f} GB",
                "weights + pass": f"{sizing.weight_bytes(entry) / 1e9:.1f} + {sizing.activation_bytes(entry) / 1e9:.1f}",
                "memory a job": f"{max((job.resources['mem_mb'] for job in loading), default=0) / 1000:.0f} GB",
                "disk": f"{sizing.disk_gb(entry):.1f} GB",
                **{name: f"{sizing.hours(entry, read, rate) + len(loading) / 60:.1f}" for name, rate in rates.items()},
            }
        )
    return pd.DataFrame(rows)


def main(overlays: list[Path]) -> None:
    jobs, config, names = planned(overlays)
    if not jobs:
        print("Nothing to be done: all results are there and up to date.")
        return
    compute = config["compute"]
    print(by_model(jobs, config, names).to_string(index=False))
    print(
        f"\n{len(jobs)} jobs in all. GPU memory: weights and a pass of {sizing.TOKENS} tokens; GPUs of "
        f"{compute['gpu']['memory_gb']} GB are asked for.\nHours: estimated from parameters and tokens, jobs one after another, "
        f"at {compute['gpu']['teraflops']} sustained teraflops on a GPU and {compute['cpu_teraflops']} on a CPU, a minute a job to "
        "load.\nSettings: `compute` in config/config.yaml. Nothing was run."
    )


if __name__ == "__main__":
    try:
        overlays = [Path(argument) for argument in sys.argv[1:]]
        for overlay in overlays:
            check_yaml(overlay)  # before Snakemake reads it, which does not say where it cannot
        main(overlays)
    except (StudyError, WorkflowError, OSError) as error:
        sys.exit(f"{error}")
