"""What a host of the repository reads: its files name what is there, and say what other files say."""

import json
import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CATALOG = ROOT / ".snakemake-workflow-catalog.yml"
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def steps():
    for file in WORKFLOWS:
        for name, job in yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"].items():
            for step in job["steps"]:
                yield f"{file.name}: {name}", job, step


def test_workflows_run_commands_that_are_there():
    targets = set(re.findall(r"^([a-z./-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        target
        for _, _, step in steps()
        for target in re.findall(r"(?:^|&& )make ([\w./-]+)", step.get("run", ""), re.MULTILINE)
    }
    assert {"lint", "test", "test-fast", "test-slow", "test-slurm", "figures"} <= named <= targets
    configs = {path for _, _, step in steps() for path in re.findall(r"--configfile (\S+)", step.get("run", ""))}
    assert configs and all((ROOT / path).is_file() for path in configs)


def test_every_job_ends_by_itself_and_actions_have_a_version():
    for where, job, step in steps():
        assert job["timeout-minutes"] <= 120, where
        assert {"run", "uses"} & set(step), where
        assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step.get("uses", "a/b@v1")), where


def test_every_supported_python_is_tested():
    tested = {tuple(job["strategy"]["matrix"]["python"]) for _, job, _ in steps() if "strategy" in job}
    low, high = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", PROJECT["requires-python"]).groups()
    assert tested == {tuple(f"3.{minor}" for minor in range(int(low), int(high)))}


def test_citation_and_archive_say_what_the_project_says():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    zenodo = json.loads((ROOT / ".zenodo.json").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"]
    assert citation["title"] == zenodo["title"] == PROJECT["description"]
    released = f"## {PROJECT['version']}, {citation['date-released']}"
    assert released in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert citation["license"] == zenodo["license"] == PROJECT["license"]


def test_hooks_are_the_linters_of_make_lint():
    lint = (ROOT / "Makefile").read_text(encoding="utf-8").split("\nlint:")[1].split("\n\n")[0]
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    for hook in hooks:
        program = hook["entry"].split()[0].removeprefix(".venv/bin/")
        assert program in lint, hook["id"]


def test_the_catalog_finds_what_it_asks_for():
    """Of a standardized workflow: how it is deployed, a configuration that is explained, rules in `workflow`."""
    usage = yaml.safe_load(CATALOG.read_text(encoding="utf-8"))["usage"]
    assert usage["software-stack-deployment"]["conda"] and usage["report"]
    for file in ("config/README.md", "config/config.yaml", "workflow/Snakefile", "LICENSE", "README.md"):
        assert (ROOT / file).is_file()
