"""The workflow on a real SLURM of one node, started here: same tables as a local run, GPUs asked for, jobs and
Snakemake killed.

`make test-slurm`; needs root and Debian's packages, and is skipped where it cannot have them.
"""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT, SMOKE, Study, copy_project, wait_for
from taskvectors.study import read_study

pytestmark = pytest.mark.slurm
MODEL = "results/smollm2-135m"
SMALL = "tests/cluster/slurm/small.yaml"
UP = [str(ROOT / "tests/cluster/slurm/slurm-up.sh")]
# What this little cluster is, in place of the profile's: no accounting, two cores, a disk of its own.
SITE = ["--workflow-profile", "profiles/slurm", "--slurm-status-command", "squeue", "--latency-wait", "5"]
SITE += ["--slurm-init-seconds-before-status-checks", "3"]


@pytest.fixture(scope="session")
def cluster():
    """A running SLURM; stopped at the end, as a configuration left behind slows every Snakemake."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        pytest.skip("SLURM can be installed and started here by root on Debian alone")
    started = subprocess.run([*UP, "start"], capture_output=True, text=True, check=False, timeout=300)
    if started.returncode:
        pytest.skip(f"SLURM does not start here: {started.stderr[-500:]}")
    yield
    subprocess.run([*UP, "stop"], capture_output=True, check=True)


def arguments(*more: str) -> list[str]:
    """Of a Snakemake that submits."""
    return ["--configfile", SMOKE, SMALL, *SITE, "--jobs", "4", *more]


def command(study: Study, *more: str) -> list[str]:
    python, *_ = study.command()
    return [python, "-m", "snakemake", *arguments(*more)]


def run(study: Study, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(study, *more), cwd=study.folder, env=study.environment(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip


def start(study: Study, log: Path, *more: str) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        return subprocess.Popen(
            command(study, *more), cwd=study.folder, env=study.environment(),
            stdout=file, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip


def jobs(study: Study, states: str = "all") -> dict[int, dict[str, str]]:
    """SLURM's jobs of this study: state, rule with wildcards, memory, GPUs."""
    listed = subprocess.run(
        ["squeue", "--noheader", "--states", states, "--format", "%A|%T|%k|%m|%b|%Z"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    found = {}
    for line in listed.splitlines():
        number, state, rule, memory, gpus, folder = line.split("|")
        if folder == str(study.folder):
            found[int(number)] = {"state": state, "rule": rule, "memory": memory, "gpus": gpus}
    return found


def running(study: Study, rule: str) -> int | None:
    return next(
        (number for number, job in jobs(study, "RUNNING").items() if job["rule"].startswith(f"rule_{rule}_")), None
    )


def tables(study: Study) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((study.folder / MODEL).glob("*.csv"))}


@pytest.fixture(scope="session")
def local(tmp_path_factory):
    """The small study, run without SLURM."""
    study = copy_project(tmp_path_factory.mktemp("local") / "study")
    result = study.snakemake(SMALL)
    assert result.returncode == 0, result.stdout[-6000:]
    return study


@pytest.fixture(scope="session")
def submitted(cluster, tmp_path_factory):
    """The small study from nothing, through SLURM."""
    study = copy_project(tmp_path_factory.mktemp("submitted") / "a study")
    result = run(study)
    assert result.returncode == 0, result.stdout[-6000:]
    return study


def test_a_cluster_makes_the_tables_of_a_local_run(local, submitted):
    assert tables(submitted) == tables(local)
    for name in ("results/conclusions.csv", "reports/figures/accuracy_bars.svg"):
        assert (submitted.folder / name).read_bytes() == (local.folder / name).read_bytes(), name


def test_rules_that_load_a_model_ask_for_gpus_and_no_others(submitted):
    asked = {}
    for number, job in jobs(submitted).items():
        shown = subprocess.run(
            ["scontrol", "show", "job", str(number)], capture_output=True, text=True, check=True
        ).stdout
        asked[job["rule"].split("_wildcards")[0].removeprefix("rule_")] = "gpu:1" in shown
    assert {rule for rule, gpu in asked.items() if gpu} == set(read_study([ROOT / SMOKE]).tokens)
    assert {"weights", "episodes", "accuracy", "study_notebook"} <= set(asked)
    assert not {"download_weights", "figure_embedding", "study_page", "provenance"} & set(asked)  # on the head node


@pytest.fixture
def redone(local, tmp_path):
    """A copy of the finished study whose results but the weights are gone."""
    folder = tmp_path / "redone"
    shutil.copytree(local.folder, folder, symlinks=True)
    study = Study(folder)
    study.forget()
    return study


def test_jobs_that_the_scheduler_kills_come_again(cluster, local, redone, tmp_path):
    """One is cancelled, some run out of memory, one out of time; the study ends as if nothing had happened."""
    log = tmp_path / "log"
    less = ["--set-resources", "sweep_layers:mem_mb=700 if attempt == 1 else 5000", "patch_variants:runtime=attempt"]
    with start(redone, log, *less, "--", f"{MODEL}/accuracy.csv") as snakemake:
        cancelled = wait_for(lambda: running(redone, "extract_theta"), 120, "extraction")
        subprocess.run(["scancel", str(cancelled)], check=True)
        stopped = wait_for(lambda: running(redone, "patch_variants"), 400, "variants")
        pids = subprocess.run(["scontrol", "listpids", str(stopped)], capture_output=True, text=True, check=True).stdout
        for pid in re.findall(r"^(\d+)", pids, re.MULTILINE):
            if Path(f"/proc/{pid}/comm").read_text().startswith("python"):
                os.kill(int(pid), signal.SIGSTOP)
        assert snakemake.wait(400) == 0, log.read_text()[-6000:]
    ends = {(job["rule"].split("_wildcards")[0], job["state"]) for job in jobs(redone).values()}
    assert ("rule_extract_theta", "CANCELLED") in ends
    assert ends & {("rule_sweep_layers", "FAILED"), ("rule_sweep_layers", "OUT_OF_MEMORY")}
    assert ("rule_patch_variants", "TIMEOUT") in ends
    assert "Trying to restart job" in log.read_text()
    for name in ("accuracy", "controls", "layer_sweep"):
        assert (redone.folder / MODEL / f"{name}.csv").read_bytes() == (
            local.folder / MODEL / f"{name}.csv"
        ).read_bytes()


def test_a_job_that_fails_to_the_end_is_reported_with_its_log(cluster, redone):
    table = redone.folder / "data/tasks/present_simple_gerund.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    given = lines[1].split(",")[0]
    table.write_text("\n".join([*lines, f"{given},another,"]) + "\n", encoding="utf-8")
    result = run(redone, "--retries", "0", "--", f"{MODEL}/episodes/linguistic.jsonl")
    assert result.returncode != 0
    assert "logs/episodes.linguistic.log" in result.stdout
    assert f"input {given!r} has the answer 'another', but" in result.stdout and "in line 2" in result.stdout


def test_a_killed_snakemake_leaves_jobs_that_are_recovered(cluster, local, redone, tmp_path):
    with start(redone, tmp_path / "log", "--", f"{MODEL}/layer_choice.csv") as snakemake:
        wait_for(lambda: running(redone, "extract_theta"), 120, "extraction")
        os.killpg(snakemake.pid, signal.SIGKILL)
    assert jobs(redone, "PENDING,RUNNING")  # orphans
    recover = [str(redone.folder / "profiles/slurm/recover.sh"), "--configfile", SMOKE, SMALL]
    result = subprocess.run(
        recover,
        cwd=tmp_path,
        env=redone.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    assert not jobs(redone, "PENDING,RUNNING,COMPLETING")
    result = run(redone, "--rerun-incomplete", "--", f"{MODEL}/layer_choice.csv")
    assert result.returncode == 0, result.stdout[-4000:]
    for name in ("layer_choice", "layer_sweep"):
        assert (redone.folder / MODEL / f"{name}.csv").read_bytes() == (
            local.folder / MODEL / f"{name}.csv"
        ).read_bytes()
