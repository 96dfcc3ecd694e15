"""What rules declare against what their scripts import; environments; pins; the config schema."""

import ast
import contextlib
import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet
from snakemake.api import SnakemakeApi
from snakemake.settings.types import OutputSettings, Quietness, ResourceSettings

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "workflow/scripts").glob("*.py"))
NOTEBOOK = ROOT / "workflow/notebooks/study.py.ipynb"
LIBRARY = "workflow/scripts/taskvectors"
FIGURES = yaml.safe_load((ROOT / "workflow/figures.yaml").read_text(encoding="utf-8"))
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
def rules():
    """Every rule of the default study as Snakemake sees it."""
    os.environ.pop("PYTHONNOUSERSITE", None)
    executable = sys.executable  # the workflow quotes it for Snakemake, whose process this one is not
    with contextlib.chdir(ROOT), SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow = api.workflow(resource_settings=ResourceSettings(cores=1), snakefile=Path("Snakefile"))
        found = {rule.name: rule for rule in workflow._workflow.rules}
    sys.executable = executable
    return found


def test_jobs_do_not_see_packages_of_the_users_own_folder(rules):
    """With conda or without: jobs inherit what the workflow sets."""
    assert os.environ["PYTHONNOUSERSITE"] == "1"


def running(rules):
    return {name: rule for name, rule in rules.items() if rule.script or rule.notebook or rule.shellcmd}


def really_imported(script: Path) -> set[str]:
    """Library files in memory after the script's own imports, in a fresh interpreter."""
    code = (
        "import sys, runpy; sys.path.insert(0, 'workflow/scripts'); runpy.run_path(sys.argv[1], run_name='imported');"
        "print(*(m.__file__ for n, m in sys.modules.items() if n.split('.')[0] == 'taskvectors' and m.__file__), sep='\\n')"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(script)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {str(Path(ROOT, line).relative_to(ROOT)) for line in result.stdout.split("\n") if line}


@pytest.mark.parametrize("script", [path for path in SCRIPTS if path.stem != "figure"], ids=lambda path: path.stem)
def test_rules_declare_the_library_files_their_script_imports(rules, script):
    declared = set(map(str, rules[script.stem].input["library"]))
    assert declared == really_imported(script)
    assert rules[script.stem].script.endswith(f"scripts/{script.name}")


@pytest.mark.parametrize("name", FIGURES)
def test_figures_declare_what_their_script_and_their_module_import(rules, name):
    rule, module = rules[f"figure_{name}"], f"{LIBRARY}/figures/{name}.py"
    imported = really_imported(ROOT / "workflow/scripts/figure.py") | really_imported(ROOT / module)
    assert set(map(str, rule.input["library"])) == imported | {module}
    assert rule.script.endswith("scripts/figure.py")


def test_the_notebook_rule_declares_what_the_notebook_imports(rules, tmp_path):
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    imports = [
        ast.unparse(node)
        for cell in cells
        if cell["cell_type"] == "code"
        for node in ast.walk(ast.parse("".join(cell["source"])))
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    script = tmp_path / "imports.py"
    script.write_text("\n".join(imports), encoding="utf-8")
    assert set(map(str, rules["study_notebook"].input["library"])) == really_imported(script)


def test_every_running_rule_has_log_and_environment(rules):
    for name, rule in running(rules).items():
        assert rule.conda_env, name
        assert rule.log, name
        for log in rule.log:
            assert name in str(log) or name == "study_notebook", f"{name}: {log}"


def third_party(file: Path) -> set[str]:
    """Packages a file imports, lazily or not, beside the standard library and ours."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
    return {PACKAGES.get(name, name) for name in names - set(sys.stdlib_module_names) - {"taskvectors", "imported"}}


def test_environments_declare_what_their_scripts_import(rules):
    for name, rule in running(rules).items():
        environment = ROOT / "envs" / Path(str(rule.conda_env)).name
        declared = {re.split(r"[ =<>]", item)[0] for item in yaml.safe_load(environment.read_text())["dependencies"]}
        files = [ROOT / file for file in rule.input.get("library", [])]
        if rule.script:
            files.append(ROOT / "workflow/scripts" / Path(str(rule.script)).name)
        needed = set().union(*map(third_party, files)) if files else set()
        assert needed <= declared, f"{name}: {environment.name} lacks {needed - declared}"


def test_environments_are_conda_forge_without_pip_section():
    for file in (ROOT / "envs").glob("*.yaml"):
        environment = yaml.safe_load(file.read_text())
        assert environment["channels"] == ["conda-forge", "nodefaults"]
        assert all(isinstance(item, str) for item in environment["dependencies"])


def test_environments_agree_with_the_pins():
    """Every version is bounded on both sides, and what the pip path installs lies between the bounds."""
    lines = (ROOT / "envs/requirements.txt").read_text().splitlines()
    pinned = {name.lower(): version for name, _, version in (line.partition("==") for line in lines if "==" in line)}
    on_pypi = {"pytorch": "torch", "matplotlib-base": "matplotlib", "seaborn-base": "seaborn"}
    for file in (ROOT / "envs").glob("*.yaml"):
        for item in yaml.safe_load(file.read_text())["dependencies"]:
            name, bounds = item.split()
            assert re.fullmatch(r">=[\d.]+,<[\d.]+", bounds), f"{file.name}: {item}"
            if name not in ("python", "pip"):  # the pip path takes those that are there
                version = pinned[on_pypi.get(name, name).lower()]
                assert SpecifierSet(bounds).contains(version), f"{file.name}: {item}, but the pins have {version}"


def test_pins_install_on_every_python_supported():
    """Minor releases matter: soupsieve 3 asks for 3.11.5, and Debian 12 has 3.11.2."""
    refused = [
        f"{installed.name} {installed.version} needs Python {wanted}"
        for installed in distributions()
        if (wanted := installed.metadata["Requires-Python"])
        and not all(python in SpecifierSet(wanted) for python in ("3.11.0", "3.12.0", "3.13.0"))
    ]
    assert refused == []


def test_pins_are_exact_and_hold_all_direct_dependencies():
    lines = (ROOT / "envs/requirements.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", pin) for pin in pins)
    pinned = {pin.split("==")[0].lower().replace("_", "-") for pin in pins}
    direct = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {re.split(r"[\[=]", name)[0].replace("_", "-") for name in direct} <= pinned


LINTERS = {
    "ruff check": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "snakefmt": ["snakefmt", "--check", "Snakefile", "workflow/rules"],
    "snakemake --lint": ["snakemake", "--lint"],
}


@pytest.mark.parametrize("name", LINTERS)
def test_the_linters_find_nothing(name):
    executable, *arguments = LINTERS[name]
    command = [str(Path(sys.executable).parent / executable), *arguments]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
