"""What the commands of the Makefile run: a program in the place of Python writes its arguments down."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# As json: an argument with a blank is one argument.
RECORDER = """#!/bin/sh
{python} -c 'import json, os, sys; print(json.dumps([*sys.argv[1:], os.environ.get("PYTHONPATH")]), file=open("said", "a"))' "$@"
"""


@pytest.fixture
def make(tmp_path, request):
    """Runs make in a folder with the Makefile and environments that need no installing; returns what Python was asked
    for."""
    folder = tmp_path / "a folder"
    for environment in (".venv", ".venv/explore"):
        (folder / environment / "bin").mkdir(parents=True)
        program = folder / environment / "bin/python"
        program.write_text(RECORDER.format(python=shutil.which("python3")), encoding="utf-8")
        program.chmod(0o755)
    (folder / "envs").mkdir()
    (folder / "docs").mkdir()
    for file in ("Makefile", "envs/requirements.txt", "docs/explore.ipynb"):
        shutil.copyfile(ROOT / file, folder / file)
    for place, file in enumerate(("envs/requirements.txt", ".venv/installed", ".venv/explore/installed")):
        (folder / file).touch()
        os.utime(folder / file, (1e9 + place, 1e9 + place))

    def run(*arguments: str) -> list[list[str]]:
        clean = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "PYTHONPATH", "CORES")}
        clean |= {"CONFIG": "of another program", "ARCHIVE": "of another program"}  # as a user's shell may have
        done = subprocess.run(
            ["make", "--no-print-directory", *arguments],
            cwd=folder,
            env=clean,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said = (folder / "said").read_text(encoding="utf-8").splitlines()
        (folder / "said").unlink()
        return [json.loads(line) for line in said]

    run.folder = folder
    return run


SNAKEMAKE = ["-m", "snakemake", "--cores", "all"]


@pytest.mark.parametrize(
    "command, expected",
    [
        ("study", [*SNAKEMAKE, "--configfile", "mine.yaml"]),
        ("archive", [*SNAKEMAKE, "--configfile", "mine.yaml", "--", "reports/archive.zip"]),
        ("check-results", [*SNAKEMAKE, "--configfile", "mine.yaml", "--", "results/check_results.csv"]),
        ("plan", ["workflow/plan.py", "mine.yaml"]),
        ("report", ["-m", "snakemake", "--configfile", "mine.yaml", "--report", "reports/workflow.zip"]),
    ],
)
def test_a_study_of_ones_own_is_meant_everywhere(make, command, expected):
    assert make(command, "CONFIG=mine.yaml") == [[*expected, None]]
    without = [part for part in expected if part not in ("--configfile", "mine.yaml")]
    assert make(command) == [[*without, None]]


def test_several_overlays_are_all_named(make):
    assert make("study", "CONFIG=one.yaml two.yaml", "CORES=3") == [
        ["-m", "snakemake", "--cores", "3", "--configfile", "one.yaml", "two.yaml", None]
    ]


def test_figures_are_of_the_archive_that_is_named(make):
    of_archive = [*SNAKEMAKE, "--configfile", "config/archive.yaml"]
    assert make("figures") == [[*of_archive, None]]
    assert make("figures", "ARCHIVE=my own.zip") == [[*of_archive, "--config", "archive=my own.zip", None]]
    (make.folder / "data/archive").mkdir(parents=True)
    (make.folder / "data/archive/full.zip").touch()
    for named, file in (
        ("full", "data/archive/full.zip"),
        ("full.zip", "full.zip"),
        ("[a.zip, b.zip]", "[a.zip, b.zip]"),
    ):
        assert make("figures", f"ARCHIVE={named}") == [[*of_archive, "--config", f"archive={file}", None]]


def test_the_archive_that_is_shipped_has_the_name_of_its_configuration(make):
    (make.folder / "reports").mkdir()
    packed = make.folder / "reports/archive_tables.zip"
    for config, name in ((None, "default"), ("config/full.yaml", "full")):
        packed.write_text(name, encoding="utf-8")
        make("ship", *([f"CONFIG={config}"] if config else []))
        assert (make.folder / f"data/archive/{name}.zip").read_text(encoding="utf-8") == name


def test_the_notebook_is_the_readers_once_it_is_there(make):
    weights, opened = make("explore")
    assert weights == [*SNAKEMAKE, "--quiet", "all", "--", "results/smollm2-135m/weights", None]
    assert opened[:2] == ["-m", "jupyterlab"] and opened[-2:] == ["explore.ipynb", "workflow/scripts"]
    copy = make.folder / "explore.ipynb"
    assert copy.read_bytes() == (ROOT / "docs/explore.ipynb").read_bytes()
    copy.write_text("mine", encoding="utf-8")
    make("explore")
    assert copy.read_text(encoding="utf-8") == "mine"


def test_a_first_result_has_a_folder_of_its_own(make):
    assert make("try") == [[*SNAKEMAKE, "--directory", "try", "--configfile", "config/try.yaml", None]]


def test_the_site_follows_from_the_code_and_stops_at_a_warning(make):
    generated, built = make("docs")
    assert generated == ["docs/generated.py", None]
    assert built[:2] == ["-m", "sphinx"] and "--fail-on-warning" in built
