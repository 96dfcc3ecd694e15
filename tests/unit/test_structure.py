"""The house: which room may know which, short files, one name for one thing; fingerprints, environments and pins."""

import ast
import html
import json
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from taskvectors.data.prompts import prompt
from taskvectors.store.code import used_by
from taskvectors.study import read_study

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "workflow/scripts").glob("*.py"))
LIBRARY = ROOT / "workflow/scripts/taskvectors"
STUDY = read_study()
# Which rooms of the library may import which; every room may import itself.
BASICS = {"errors", "progress", "store", "names", "observations"}
MEASURING = BASICS | {"data", "models", "engine", "measuring", "sizing"}
ROOMS = {
    "data": BASICS,
    "models": BASICS | {"data", "sizing"},
    "engine": BASICS | {"data.tokens", "data.prompts", "models"},
    "measuring": MEASURING | {"job"},
    "observations": {"names"},
    "drawing": BASICS,
    "report": BASICS | {"drawing.colours"},
    "store": {"errors", "progress", "surroundings", "observations.intervals"},
    "names": set(),
    "surroundings": set(),
    "errors": set(),
    "progress": {"errors"},
    "sizing": set(),
    "estimates": {"sizing"},
    "settings": {"errors", "names", "data.pairs", "data.text", "store.files"},
    "resolving": {"errors", "settings"},
    "entries": {"errors", "settings", "store.files"},
    "archives": {"errors", "settings", "store.archived"},
    "time_left": set(),
    "catalogue": {"entries", "errors"},
    "paths": {"data.pairs", "data.tasks", "errors", "resolving", "settings", "store.files"},
    "question_settings": {"data.templates", "errors", "paths", "resolving", "store"},
    "job": {"errors", "progress", "store", "surroundings"},
    "study": {
        "archives",
        "errors",
        "paths",
        "settings",
        "resolving",
        "entries",
        "catalogue",
        "question_settings",
        "estimates",
        "sizing",
        "store",
        "names",
    },
}
# In the folder of a question: which of its modules, and what else, each may import. All others measure.
READING = BASICS | {"names", "tables", "views"}
IN_A_QUESTION = {
    "names": {"names"},
    "tables": BASICS | {"names"},
    "views": BASICS | {"tables"},
    "summary": BASICS | {"report.cells"},
    "claims": READING,
    "page": READING | {"claims", "report.cells"},
    "figures": READING | {"drawing"},
    "episodes": BASICS | {"data"},
}


def modules() -> dict[str, Path]:
    return {".".join(file.relative_to(LIBRARY).with_suffix("").parts): file for file in LIBRARY.rglob("*.py")}


def imports(file: Path) -> set[str]:
    """Modules of the library that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "taskvectors":
            inside = ".".join(node.module.split(".")[1:])
            names = [f"{inside}.{alias.name}".lstrip(".") for alias in node.names]
            found |= {name if name in modules() else inside for name in names}
    return found - {""}


def among(imported: str, rooms: set[str]) -> bool:
    return any(imported == one or imported.startswith(f"{one}.") for one in rooms)


def allowed(module: str, imported: str) -> bool:
    room, *inside = module.split(".")
    if room != "questions":
        return imported.split(".", maxsplit=1)[0] == room or among(imported, ROOMS[room])
    question, kind = inside[0], inside[1]
    own = imported.removeprefix(f"questions.{question}.")
    if kind not in IN_A_QUESTION:  # it measures
        return among(imported, MEASURING) or (own != imported and own not in ("tables", "claims", "page"))
    return among(own, IN_A_QUESTION[kind]) or own.split(".")[0] == kind


def test_rooms_import_one_way():
    wrong = [
        f"{module} imports {imported}"
        for module, file in modules().items()
        if module != "__init__"
        for imported in imports(file)
        if not allowed(module, imported)
    ]
    assert wrong == []


def test_questions_know_each_other_through_tables_alone():
    for module in modules():
        if module.startswith("questions."):
            others = {one for one in imports(modules()[module]) if one.startswith("questions.")}
            assert all(one.split(".")[1] == module.split(".")[1] for one in others), module


def test_tables_claims_pages_and_figures_do_not_need_torch(really_imported):
    """Nor does anything that they import."""
    for script, files in really_imported.items():
        parts = Path(script).parts
        if parts[:2] == ("taskvectors", "questions") and (
            parts[3] == "figures" or parts[3].removesuffix(".py") in IN_A_QUESTION
        ):
            heavy = [file for file in files if "torch" in external(ROOT / "workflow/scripts" / file)]
            assert not heavy, (script, heavy)


def test_nothing_is_looked_up_by_globals_or_vars_of_a_module():
    for file in LIBRARY.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"globals\(\)|vars\(\w*(module|representation)|ModuleType", text), file


def test_nothing_but_the_job_knows_snakemake():
    for file in (*LIBRARY.rglob("*.py"), *SCRIPTS):
        text = file.read_text(encoding="utf-8")
        names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
        assert "snakemake" not in names and not re.search(r"^(from|import) snakemake", text, re.MULTILINE), file
    assert ".snakemake" in (LIBRARY / "job.py").read_text(encoding="utf-8")


def test_files_are_short_scripts_shorter_and_names_mean_one_thing():
    files = [*LIBRARY.rglob("*.py"), *(ROOT / "workflow").glob("*.py"), *(ROOT / "workflow/rules").glob("*.smk")]
    for file in files:
        assert len(file.read_text(encoding="utf-8").splitlines()) <= 400, file
    for script in SCRIPTS:
        lines = [line for line in script.read_text(encoding="utf-8").splitlines() if line.strip()]
        code = [line for line in lines if not line.startswith(("from ", "import ", '"""'))]
        assert len(code) <= 20, script
    # Every question has the same modules; all other names mean one thing.
    names = [name for name in modules() if not re.fullmatch(r"(questions|report\.frame)\.\w+\.(\w+)", name)]
    names = [name.rsplit(".", maxsplit=1)[-1] for name in names]
    assert sorted(names) == sorted(set(names))


def test_functions_fit_a_screen():
    for file in (*LIBRARY.rglob("*.py"), *(ROOT / "workflow").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 75, f"{file.name}: {node.name}"


@pytest.fixture(scope="module")
def really_imported():
    """By script, and by module of a figure: files of the library in memory after its imports, each in a process forked
    for it."""
    code = """
import json, os, runpy, sys
sys.path.insert(0, "workflow/scripts")
import matplotlib.figure, numpy, pandas, pyarrow.parquet, seaborn, sklearn.metrics, torch, transformers
import papermill, nbconvert, rocrate.rocrate
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
for script in sys.argv[1:]:
    read, write = os.pipe()
    if os.fork() == 0:
        runpy.run_path(script, run_name="imported")
        files = [m.__file__ for n, m in sys.modules.items() if n.split(".")[0] == "taskvectors" and getattr(m, "__file__", None)]
        os.write(write, json.dumps(files).encode())
        os._exit(0)
    os.close(write)
    print(script, os.fdopen(read).read(), sep="\\t", flush=True)
    os.wait()
"""
    scripts = [*SCRIPTS, *LIBRARY.glob("questions/**/*.py"), *LIBRARY.glob("report/frame/**/*.py")]
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, scripts)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = dict(line.split("\t") for line in result.stdout.splitlines())
    base = ROOT / "workflow/scripts"
    return {
        Path(script).relative_to(base).as_posix(): {
            Path(ROOT, file).relative_to(base).as_posix() for file in json.loads(files)
        }
        for script, files in found.items()
    }


def test_fingerprints_are_of_all_that_scripts_import(really_imported):
    """And of no more; what is imported by the name in an entry is tested with the workflow's rules."""
    for script, files in really_imported.items():
        assert set(used_by(script)) == files | {script}, script


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
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    assert set(groups) == {"study", "report", "explore", "docs", "test", "lint"}
    direct = [name for key, group in groups.items() for name in group if key != "explore"]
    assert {re.split(r"[\[=]", name)[0].replace("_", "-") for name in direct} <= pinned


def test_every_rule_that_loads_a_model_says_what_it_reads():
    """Its time on a cluster, and `make plan`, follow from that."""
    rules = "\n".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "workflow/rules").glob("*.smk")))
    named = re.findall(r"^rule (\w+):\n(.*?)(?=^rule |\Z)", rules, re.MULTILINE | re.DOTALL)
    with_model = {name for name, body in named if "gpu=model_gpus" in body}
    assert len(with_model) > 5 and set(STUDY.tokens) == with_model
    assert all(count > 0 for count in STUDY.tokens.values())
    descending = {rule for question in STUDY.questions for rule in question.descends}
    assert descending == {name for name, body in named if f'model_memory(wildcards, attempt, "{name}")' in body}


def test_what_is_said_of_the_prompt_is_the_template():
    lines = prompt((("{x}", "{y}"),), "{query}").split("\n")
    said = (ROOT / STUDY.questions.pages["main_result"]).read_text(encoding="utf-8")
    assert all(f"`{line}`" in said for line in lines), "questions/main_result/page.md"
    drawn = html.unescape((ROOT / "workflow/report/page/method.svg").read_text(encoding="utf-8"))
    shown = [*prompt((("a", "b"), ("m", "n")), "q").split("\n"), prompt((), "x")]
    assert all(f">{line}<" in drawn for line in shown), "report/page/method.svg"


# --- who has which package

# Packages by the module that is imported, where the two differ; as conda-forge calls them.
PACKAGES = {"torch": "pytorch", "sklearn": "scikit-learn", "umap": "umap-learn", "yaml": "pyyaml"}
PACKAGES |= {"matplotlib": "matplotlib-base", "seaborn": "seaborn-base"}


def external(file: Path) -> set[str]:
    """Modules of other projects that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
    return found - set(sys.stdlib_module_names) - {"taskvectors"}


def rules_in_environments() -> list[tuple[str, str, list[str]]]:
    """Every rule's name and environment, and the files of code that its jobs may import."""
    pages = [*STUDY.questions.page_modules.values(), "taskvectors/report/page.py"]
    by_name = {
        "figure.py": list(STUDY.questions.drawings.values()),
        "rivals.py": list(STUDY.representations.values()),
        "conclusions.py": list(STUDY.questions.claims.values()),
        "study_notebook.py": pages,
        "latex_tables.py": pages,
    }
    found = []
    for file in sorted((ROOT / "workflow/rules").glob("*.smk")):
        for body in re.split(r"^ *rule\b", file.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            (environment,), (script,) = (
                re.findall(pattern, body) for pattern in (r'"../../envs/([\w.]+)"', r'script:\s+"../scripts/([\w.]+)"')
            )
            used = {name for one in [script, *by_name.get(script, [])] for name in used_by(one)}
            found.append((script, environment, sorted(name for name in used if name.endswith(".py"))))
    return found


def test_every_environment_has_what_its_scripts_import():
    """With conda, jobs see Snakemake's own packages as a fallback, which would hide what an environment lacks."""
    lacking = set()
    for script, environment, files in rules_in_environments():
        listed = yaml.safe_load((ROOT / "envs" / environment).read_text())["dependencies"]
        named = {item.split()[0].replace("_", "-") for item in listed}
        for file in files:
            modules = external(ROOT / "workflow/scripts" / file)
            packages = {PACKAGES.get(module, module).replace("_", "-") for module in modules}
            lacking |= {f"{environment}: {package} for {script} ({file})" for package in packages - named}
    assert lacking == set()
    assert len(rules_in_environments()) > 30


BLOCKED = """
import importlib.abc, importlib.metadata, re, sys

def closure(name, seen):
    key = re.sub(r"[-_.]+", "-", name).lower()
    if key in seen:
        return seen
    seen.add(key)
    try:
        needs = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return seen
    for need in needs:
        if "extra ==" not in need:
            closure(re.match(r"[A-Za-z0-9._-]+", need).group(), seen)
    return seen

own = closure("snakemake", set())
class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, module, path, target=None):
        packages = tops.get(module.split(".")[0])
        if packages and not any(re.sub(r"[-_.]+", "-", name).lower() in own for name in packages):
            raise ImportError(f"{module} is none of Snakemake's own packages")
tops = importlib.metadata.packages_distributions()
sys.meta_path.insert(0, Block())
import pkgutil
everything = pkgutil.iter_modules
def without_plugins(*given, **named):
    return (one for one in everything(*given, **named) if not one.name.startswith("snakemake_executor_plugin"))
pkgutil.iter_modules = without_plugins
"""


@pytest.mark.parametrize(
    "start",
    [
        "import snakemake.cli; sys.argv = ['snakemake']; snakemake.cli.main(['-n', '--cores', '1', '--quiet', 'all'])",
        "import snakemake.cli; sys.argv = ['snakemake']; "
        "snakemake.cli.main(['-n', '--cores', '1', '--quiet', 'all', '--configfile', 'config/archive.yaml'])",
        "import runpy; sys.argv = ['plan.py', 'config/paper.yaml']; runpy.run_path('workflow/plan.py', run_name='__main__')",
    ],
    ids=["the Snakefile", "an archive", "make plan"],
)  # fmt: skip
def test_a_start_needs_snakemakes_own_packages_alone(start, tmp_path):
    """README: with Snakemake at hand, the rest comes by conda. It makes every start faster, too."""
    folder = tmp_path / "clone"
    ignored = shutil.ignore_patterns(".git", ".venv", ".snakemake", "__pycache__", "results", "reports", ".*_cache")
    shutil.copytree(ROOT, folder, ignore=ignored)
    found = subprocess.run(
        [sys.executable, "-c", f"{BLOCKED}\n{start}"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr[-2000:]


def test_what_the_environment_holds_does_not_slow_every_start():
    """JupyterLab brought a grammar that `import jsonschema` compiles: more than a second of every start."""
    pinned = (ROOT / "envs/requirements.txt").read_text().lower()
    assert not re.search(r"^(jupyterlab|jupyter-server|jupyter-events|rfc3987-syntax)\b", pinned, re.MULTILINE)
