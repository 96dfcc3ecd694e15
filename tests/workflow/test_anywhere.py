"""The workflow run from elsewhere: in another folder, twice at a time from one clone, and as a module of another
workflow."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from conftest import ROOT, SMOKE, Study, run_snakemake

ARCHIVE = ROOT / "data/archive/default.zip"
FIGURE = "reports/figures/accuracy_bars.svg"


def environment() -> dict[str, str]:
    return Study(ROOT).environment()


@pytest.fixture
def elsewhere(tmp_path) -> Path:
    folder = tmp_path / "a folder of mine"
    folder.mkdir()
    return folder


def test_a_study_in_another_folder_leaves_its_clone_alone(project, elsewhere, saved):
    """With a model and a table of the user's in that folder, named from there; real jobs."""
    (elsewhere / "my tables").mkdir()
    rows = "".join(f"{word},{word.upper()},\n" for word in "abcdefghijklmnop")
    (elsewhere / "my tables/shout.csv").write_text(f"input,output,also_accepted\n{rows}", encoding="utf-8")
    shutil.copytree(saved, elsewhere / "my model")
    mine = {"models": {"mine": {"label": "Mine", "folder": "my model"}}, "task_folders": [{"folder": "my tables"}]}
    mine |= {"study": {"models": ["mine"], "tasks": ["shout", "antonyms"], "seeds": [0]}}
    (elsewhere / "mine.yaml").write_text(yaml.safe_dump(mine), encoding="utf-8")
    before = sorted(project.folder.rglob("*"))
    arguments = ["--snakefile", str(project.folder / "Snakefile"), "--directory", str(elsewhere), "--cores", "2"]
    arguments += ["--configfile", str(elsewhere / "mine.yaml"), "--", "results/mine/filter.csv"]
    result = run_snakemake(project.folder, arguments, environment())
    assert result.returncode == 0, result.stdout[-3000:]
    assert set(pd.read_csv(elsewhere / "results/mine/filter.csv")["task"]) == {"shout", "antonyms"}
    added = set(project.folder.rglob("*")) - set(before)
    assert not [path for path in added if "__pycache__" not in path.parts]


def test_two_studies_are_drawn_from_one_clone_at_a_time(project, tmp_path):
    """Of an archive, in two folders at once: the same bytes, and published numbers of the clone in both."""
    folders = [tmp_path / name for name in ("one", "two")]
    running = []
    for folder in folders:
        folder.mkdir()
        (folder / "mine.yaml").write_text(f"archive: {ARCHIVE}", encoding="utf-8")
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(project.folder / "Snakefile"), "--cores", "1"]
        command += ["--directory", str(folder), "--configfile", "mine.yaml", "--", FIGURE]
        running.append(subprocess.Popen(
            command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ))  # fmt: skip
    for run in running:
        said, _ = run.communicate(timeout=300)
        assert run.returncode == 0, said[-3000:]
    one, two = ((folder / FIGURE).read_bytes() for folder in folders)
    assert one == two
    source = pd.read_csv(folders[0] / FIGURE.replace(".svg", ".csv"))
    assert set(source["table"]) == {"accuracy", "main_results"}


MODULE = """
configfile: "config/config.yaml"


module task_vectors:
    snakefile:
        "{clone}/workflow/Snakefile"
    config:
        config


use rule * from task_vectors as task_vectors_*


use rule figure_accuracy_bars from task_vectors as task_vectors_figure_accuracy_bars with:
    log:
        "logs/my_own.log",


rule all:
    default_target: True
    input:
        rules.task_vectors_all.input,
"""


def test_it_is_a_module_of_another_workflow(project, elsewhere):
    """In the form that snakedeploy writes, from a local path: results here, tables from there, rules overridable."""
    (elsewhere / "config").mkdir()
    (elsewhere / "config/config.yaml").write_text(f"archive: {ARCHIVE}", encoding="utf-8")
    (elsewhere / "Snakefile").write_text(MODULE.format(clone=project.folder), encoding="utf-8")
    dry = run_snakemake(elsewhere, ["-n", "--cores", "2"], environment())
    assert dry.returncode == 0, dry.stdout[-3000:]
    assert "task_vectors_study_page" in dry.stdout and "task_vectors_figure_transfer" in dry.stdout
    result = run_snakemake(elsewhere, ["--cores", "2", "--", FIGURE], environment())
    assert result.returncode == 0, result.stdout[-3000:]
    assert (elsewhere / FIGURE).exists() and (elsewhere / "logs/my_own.log").exists()
    lines = re.findall(r"^Study: (\d+) of (\d+) jobs done in ", result.stdout, re.MULTILINE)
    assert lines and [int(done) for done, _ in lines] == list(range(1, int(lines[0][1]) + 1))
    assert json.loads((elsewhere / "results/archive/default/provenance.json").read_text())["config"]["study"]["models"]
    plan = run_snakemake(elsewhere, ["-n", "--cores", "2", "--", FIGURE], environment())
    assert "Nothing to be done" in plan.stdout, plan.stdout[-2000:]


def packages_in(folder: Path, *wanted: str) -> dict[str, str]:
    """The environment of a process that has these packages, too. They are not pinned: one does not run on every Python
    that is supported, and every start of Snakemake imports the other."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, *wanted]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip(f"{', '.join(wanted)} cannot be had")
    return environment() | {"PYTHONPATH": str(folder)}


def test_snakedeploy_writes_a_workflow_that_runs_to_its_end(project, elsewhere, tmp_path):
    """From a local clone, of which it does not write the path: see docs/how-to/elsewhere.md."""
    deployed = elsewhere / "deployed"
    deployed.mkdir()
    with_it = packages_in(tmp_path / "packages", "snakedeploy==0.17.1")
    command = [tmp_path / "packages/bin/snakedeploy", "deploy-workflow", project.folder, deployed, "--branch", "main"]
    command += ["--name", "task_vectors"]
    subprocess.run(command, check=True, capture_output=True, env=with_it)
    written = deployed / "workflow/Snakefile"
    text = written.read_text(encoding="utf-8")
    assert '"workflow/Snakefile"' in text and (deployed / "config/README.md").exists()
    written.write_text(text.replace('"workflow/Snakefile"', repr(f"{project.folder}/workflow/Snakefile")), "utf-8")
    (deployed / "mine.yaml").write_text(f"archive: {ARCHIVE}", encoding="utf-8")
    result = run_snakemake(deployed, ["--cores", "2", "--configfile", "mine.yaml"], environment())
    assert result.returncode == 0, result.stdout[-3000:]
    assert (deployed / "reports/study.html").exists()


STORAGE = ["snakemake-storage-plugin-fs==1.1.3", "sysrsync==1.1.1", "reretry==0.11.8", "toml==0.10.2"]


def without_shared_files(project: Study, tmp_path: Path, config: str, *targets: str) -> Path:
    """The store in which a study has left its results, and no other place."""
    if shutil.which("rsync") is None:
        pytest.skip("no rsync here, by which the plugin copies")
    with_it, store = packages_in(tmp_path / "packages", "--no-deps", *STORAGE), tmp_path / "store"
    store.mkdir()
    options = ["--default-storage-provider", "fs", "--default-storage-prefix", str(store), "--shared-fs-usage", "none"]
    command = [*project.command("--configfile", config, *options), "--", *targets]
    result = subprocess.run(command, cwd=project.folder, env=with_it, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-3000:]
    return store


def test_results_may_lie_in_a_storage_and_files_of_the_workflow_need_not(project, tmp_path):
    (project.folder / "mine.yaml").write_text(f"archive: {ARCHIVE}", encoding="utf-8")
    store = without_shared_files(project, tmp_path, "mine.yaml", "reports/study.html")
    assert "SmolLM2 135M" in (store / "reports/study.html").read_text(encoding="utf-8")
    assert not (project.folder / "reports/study.html").exists()


@pytest.mark.extended
def test_a_study_without_a_shared_file_system_is_the_same_study(project, finished, tmp_path):
    store = without_shared_files(project, tmp_path, SMOKE)
    for table in (finished.folder / "results/smollm2-135m").glob("*.csv"):
        assert (store / "results/smollm2-135m" / table.name).read_bytes() == table.read_bytes(), table
    of_rules = pd.read_csv(store / "results/resources.csv")
    assert set(of_rules["rule"]) == set(pd.read_csv(finished.folder / "results/resources.csv")["rule"])


def test_a_workflow_named_by_an_address_is_refused(project, elsewhere):
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "all"]):
        subprocess.run(["git", *command], cwd=project.folder, check=True)
    (elsewhere / "Snakefile").write_text(
        MODULE.format(clone="").replace(
            '"/workflow/Snakefile"', repr(f"git+file://{project.folder}/workflow/Snakefile@HEAD")
        ),
        encoding="utf-8",
    )
    (elsewhere / "config").mkdir()
    (elsewhere / "config/config.yaml").write_text("study: {}", encoding="utf-8")
    result = run_snakemake(elsewhere, ["-n", "--cores", "2"], environment())
    assert result.returncode != 0 and "library must lie beside its rules" in result.stdout, result.stdout[-2000:]


@pytest.mark.parametrize("key", ['prefix: "tv"', 'replace_prefix: {"results/": "tv/"}'])
def test_a_module_with_a_prefix_is_refused_before_anything_runs(project, elsewhere, key):
    (elsewhere / "config").mkdir()
    (elsewhere / "config/config.yaml").write_text(f"archive: {ARCHIVE}", encoding="utf-8")
    text = MODULE.format(clone=project.folder).replace("    config:\n", f"    {key}\n    config:\n")
    (elsewhere / "Snakefile").write_text(text, encoding="utf-8")
    result = run_snakemake(elsewhere, ["-n", "--cores", "2"], environment())
    assert result.returncode != 0 and "cannot be a module with `prefix`" in result.stdout, result.stdout[-2000:]
    assert "--directory" in result.stdout and "Traceback" not in result.stdout


def test_a_module_studies_a_model_of_its_own(project, elsewhere, saved):
    (elsewhere / "config").mkdir()
    mine = {
        "models": {"mine": {"label": "Mine", "folder": str(saved)}},
        "study": {"models": ["mine"], "tasks": ["antonyms"]},
    }
    (elsewhere / "config/config.yaml").write_text(yaml.safe_dump(mine), encoding="utf-8")
    (elsewhere / "Snakefile").write_text(MODULE.format(clone=project.folder), encoding="utf-8")
    dry = run_snakemake(elsewhere, ["-n", "--cores", "2"], environment())
    assert dry.returncode == 0, dry.stdout[-3000:]
    assert "mine: θ of the linguistic tasks" in dry.stdout
    result = run_snakemake(elsewhere, ["--cores", "2", "--", "results/mine/filter.csv"], environment())
    assert result.returncode == 0, result.stdout[-3000:]
    assert (elsewhere / "results/mine/filter.csv").exists()
