"""The workflow in surroundings that people have: a container's user, a hub's kernels, a notebook's variables, a memory
limit."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from conftest import SMOKE, Study

MODEL = "results/smollm2-135m"
NOBODY = "12345"  # an id without a name
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="takes root and setpriv")


def hostile(folder: Path) -> dict[str, str]:
    """Variables of shells, notebooks and hubs that break jobs, or change what they make, unless they are set or
    cleared."""
    startup, kernel, library = (
        folder / name for name in ("ipython/profile_default/startup", "jupyter/kernels/python3", "library")
    )
    for made in (startup, kernel, library):
        made.mkdir(parents=True)
    (startup / "00.py").write_text("raise SystemExit('a start-up file of the user')")
    (folder / "startup.py").write_text("raise SystemExit('a start-up file of the user')")
    spec = {"argv": ["/bin/false", "{connection_file}"], "display_name": "Another Python", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    (library / "seaborn.py").write_text("raise ImportError('a library of the user')")
    (folder / "matplotlibrc").write_text("font.size: 40\nsvg.hashsalt: theirs\n")
    return {
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MATPLOTLIBRC": str(folder / "matplotlibrc"),
        "PYTHONPATH": str(library),
        "PYTHONSTARTUP": str(folder / "startup.py"),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_PATH": str(folder / "jupyter"),
        "OMP_NUM_THREADS": "3",
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
        "LC_ALL": "C",
    }


def redrawn(study: Study, command: list[str], environment: dict[str, str]) -> str:
    """What Snakemake says while a figure, the notebook and the page are made anew."""
    rules = ["figure_accuracy_bars", "figure_embedding", "study_notebook"]
    command += [
        "-m",
        "snakemake",
        "--cores",
        "2",
        "--configfile",
        SMOKE,
        "--forcerun",
        *rules,
        "--",
        "reports/study.html",
    ]
    result = subprocess.run(command, cwd=study.folder, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-4000:]
    return result.stderr


def same_figures_and_page(study: Study, finished: Study) -> None:
    for file in ("figures/accuracy_bars.svg", "figures/embedding.pdf", "figures/embedding.png", "study.html"):
        made, expected = ((of.folder / "reports" / file).read_bytes() for of in (study, finished))
        assert made == expected, file


def test_what_a_shell_a_notebook_or_a_hub_sets_changes_nothing(finished, changed, tmp_path):
    redrawn(changed, [sys.executable], changed.environment() | hostile(tmp_path / "theirs"))
    same_figures_and_page(changed, finished)


@ROOT_ONLY
def test_a_user_without_name_home_or_rights_makes_the_same(finished, changed, tmp_path):
    """The Dockerfile's command under another id; with the right to read all, as the environment may lie in root's
    home."""
    for path in [tmp_path, changed.folder, *changed.folder.rglob("*")]:
        os.chown(path, int(NOBODY), int(NOBODY), follow_symlinks=False)
    reads = "+dac_read_search"
    command = [
        "setpriv",
        "--reuid",
        NOBODY,
        "--regid",
        NOBODY,
        "--clear-groups",
        "--inh-caps",
        reads,
        "--ambient-caps",
        reads,
    ]
    command += ["--bounding-set", reads, sys.executable]
    environment = {"PATH": os.environ["PATH"], "HOME": "/", "XDG_CACHE_HOME": str(changed.folder / ".snakemake/cache")}
    said = redrawn(changed, command, environment)
    assert f"User: user-{NOBODY}" in said
    same_figures_and_page(changed, finished)


def test_the_makefile_finds_a_cache_where_there_is_no_home(tmp_path):
    """Snakemake makes one before it reads anything of ours."""
    root = Path(__file__).parents[2]
    for home, cache, moved in (
        (str(tmp_path), "", False),
        ("/not/there", "", True),
        ("", "", True),
        (str(tmp_path), "/no", True),
    ):
        shown = ["make", "--no-print-directory", "--file", str(root / "Makefile")]
        shown += ["--eval", "cache: ; @echo $$XDG_CACHE_HOME; echo $${HOME:-none}", "cache"]
        environment = {"PATH": os.environ["PATH"], "HOME": home} | ({"XDG_CACHE_HOME": cache} if cache else {})
        said = subprocess.run(shown, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
        found, of_user = said.split("\n")[:2]
        assert found == (f"{tmp_path}/.snakemake/cache" if moved else "")
        assert of_user == (home or f"{tmp_path}/.snakemake/home")


@contextlib.contextmanager
def group_of(megabytes: int):
    """A control group with so much memory, of whichever version this machine has."""
    top, limit = Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"
    if not top.is_dir():
        top, limit = Path("/sys/fs/cgroup"), "memory.max"
    group = top / f"study-{os.getpid()}"
    try:
        group.mkdir()
        (group / limit).write_text(str(megabytes * 10**6))
    except OSError:
        with contextlib.suppress(OSError):
            group.rmdir()
        pytest.skip("no control group can be made here")
    try:
        yield group
    finally:
        with contextlib.suppress(OSError):
            group.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a control group")
@pytest.mark.parametrize("megabytes", [250, 600])
def test_a_job_without_memory_says_so_and_what_helps(changed, megabytes):
    """It refuses, or is killed; the user reads the same."""
    shutil.rmtree(changed.folder / MODEL / "theta")
    with group_of(megabytes) as group:
        script = f'echo 0 > "{group}/cgroup.procs" && exec "$@"'
        command = ["sh", "-c", script, "sh", sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", SMOKE]
        result = subprocess.run(
            [*command, "--", f"{MODEL}/theta/linguistic.safetensors"],
            cwd=changed.folder, env=changed.environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert result.returncode != 0
    assert "jobs_at_once: 1" in result.stderr and "Traceback" not in result.stderr, result.stderr[-3000:]


def test_another_processors_kernels_answer_alike_and_are_recorded(finished, changed):
    """What a study on another maker's processor computes, whichever this machine has: other roundings, the same
    answers."""
    made = {}
    for number, processor in enumerate(
        ("GenuineIntel avx2", "AuthenticAMD avx2 avx512f", "AuthenticAMD avx2 avx512f avx512_bf16")
    ):
        target = f"{MODEL}/predictions/extract_theta.linguistic.parquet"
        result = changed.snakemake("--forcerun", "extract_theta", "--", target, STUDY_PROCESSOR=processor)
        assert result.returncode == 0, result.stdout[-3000:]
        record = json.loads((changed.folder / MODEL / "logs/extract_theta.linguistic.software.json").read_text())
        assert record["made_by"]["kernels"] == ("oneDNN" if number else "torch")
        made[processor] = pd.read_parquet(changed.folder / target)
    expected = pd.read_parquet(finished.folder / target)
    for table in made.values():
        assert (table["correct"] == expected["correct"]).mean() > 0.97 and list(table) == list(expected)
