"""Rules as Snakemake sees them: code, logs and environments that they declare; and what the linters say."""

import ast
import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from snakemake.api import SnakemakeApi
from snakemake.settings.types import OutputSettings, Quietness, ResourceSettings

from conftest import ROOT
from taskvectors.store.code import used_by
from taskvectors.study import study_of

# Import names that differ from the names of packages on conda-forge.
PACKAGES = {
    "torch": "pytorch",
    "yaml": "pyyaml",
    "sklearn": "scikit-learn",
    "umap": "umap-learn",
    "matplotlib": "matplotlib-base",
}
PACKAGES |= {"seaborn": "seaborn-base", "IPython": "ipykernel", "mpl_toolkits": "matplotlib-base"}


@pytest.fixture(scope="module")
def workflow():
    """The default study as Snakemake sees it."""
    os.environ.pop("PYTHONNOUSERSITE", None)
    executable = sys.executable  # the workflow quotes it for Snakemake, whose process this one is not
    with contextlib.chdir(ROOT), SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow = api.workflow(resource_settings=ResourceSettings(cores=1), snakefile=Path("Snakefile"))
        found = workflow._workflow
        assert found.rules  # they are read here
    sys.executable = executable
    return found


@pytest.fixture(scope="module")
def rules(workflow):
    """Every rule, by name."""
    return {rule.name: rule for rule in workflow.rules}


def test_a_rule_of_families_is_known_as_one(workflow, rules):
    """Snakemake writes constraints into patterns: `{family,a|b}`. Time left, records of jobs and provenance ask."""
    of_families = {name for name, rule in rules.items() if any("{family" in str(file) for file in rule.output)}
    assert {"episodes", "extract_theta", "sweep_layers", "patch_variants"} <= of_families
    names = workflow.globals
    assert names["parts_of_rules"]() == dict.fromkeys(of_families, len(names["STUDY"].families))
    assert {name for name, parts in names["OWN_RULES"].items() if parts} == of_families


def test_provenance_waits_for_what_rules_that_load_the_model_leave(workflow, rules):
    stamped, tokens = workflow.globals["STAMPED"], workflow.globals["STUDY"].tokens
    assert all(set(re.findall(r"{(.*?)}", file)) <= {"model", "family"} for file in stamped)
    left = [str(file) for rule in tokens for file in rules[rule].output]
    names = {Path(file).name.split("{")[0] for file in left if file.endswith((".parquet", ".safetensors"))}
    assert {"extract_theta.", "robustness.parquet", "effects.parquet"} <= names
    assert {Path(file).name.split("{")[0] for file in stamped} == names


def test_jobs_do_not_see_packages_of_the_users_own_folder(rules):
    """With conda or without: jobs inherit what the workflow sets."""
    assert os.environ["PYTHONNOUSERSITE"] == "1"


def running(rules):
    return {name: rule for name, rule in rules.items() if rule.script or rule.notebook or rule.shellcmd}


def code_of(rule) -> set[str]:
    """Files whose fingerprints are parameters of a rule."""
    return {
        param(None).split()[0] for param in rule.params if callable(param) and param.__name__ == "fingerprint_of_file"
    }


def test_rules_have_the_fingerprints_of_their_script(rules):
    """And of what is imported by the name that an entry says."""
    study = study_of({})
    catalogue = study.questions
    more = {
        "rivals": study.representations.values(),
        "conclusions": catalogue.claims.values(),
        "study_notebook": ["taskvectors/report/page.py", *catalogue.page_modules.values()],
        "latex_tables": catalogue.latex_modules,
    }
    for name, rule in running(rules).items():
        script = Path(str(rule.script)).name
        expected = set(used_by(script))
        if script == "figure.py":
            expected |= set(used_by(catalogue.drawings[name.removeprefix("figure_")]))
            expected.add("taskvectors/drawing/study.mplstyle")
        expected |= {part for file in more.get(name, ()) for part in used_by(file)}
        assert code_of(rule) == expected, name
        assert script in ("figure.py", f"{name}.py")


def test_every_running_rule_has_log_and_environment(rules):
    for name, rule in running(rules).items():
        assert rule.conda_env, name
        assert rule.log, name
        for log in rule.log:
            assert name in str(log), f"{name}: {log}"


def third_party(file: Path) -> set[str]:
    """Packages a file imports, lazily or not, beside the standard library and ours."""
    names = set()
    text = file.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            names.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
    return {PACKAGES.get(name, name) for name in names - set(sys.stdlib_module_names) - {"taskvectors", "imported"}}


def test_environments_declare_what_their_scripts_import(rules):
    for name, rule in running(rules).items():
        environment = ROOT / "envs" / Path(str(rule.conda_env)).name
        declared = {re.split(r"[ =<>]", item)[0] for item in yaml.safe_load(environment.read_text())["dependencies"]}
        code = [ROOT / "workflow/scripts" / file for file in code_of(rule) if not file.endswith(".mplstyle")]
        needed = set().union(*map(third_party, code))
        assert needed <= declared, f"{name}: {environment.name} lacks {needed - declared}"


LINTERS = {
    "ruff check": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "snakefmt": ["snakefmt", "--check", "Snakefile", "workflow/Snakefile", "workflow/rules"],
    "mypy": ["mypy"],
    "snakemake --lint": ["snakemake", "--lint"],
}


@pytest.mark.parametrize("name", LINTERS)
def test_the_linters_find_nothing(name):
    executable, *arguments = LINTERS[name]
    command = [str(Path(sys.executable).parent / executable), *arguments]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
