"""The documentation: what follows from the code follows from it, it builds offline, and its examples run."""

import doctest
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

from taskvectors.questions.rivals.context import representation_of

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

import generated  # noqa: E402 (its folder must be found first)

PAGES = sorted((ROOT / "docs").rglob("*.md"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_configuration_is_explained_as_its_schema_says():
    shown = (ROOT / "config/README.md").read_text(encoding="utf-8")
    assert shown == generated.config_readme(), "`make docs` writes config/README.md anew"


def test_every_setting_says_what_it_is_and_the_page_lists_it():
    page = generated.settings_page()
    for keys, node in generated.settings_of(generated.schema()):
        if keys[-1] != generated.NAMED:
            assert node.get("description", "").endswith((".", "?")), keys
            assert f"`{': '.join(keys)}`" in page or "properties" in node, keys


def test_defaults_are_those_of_the_configuration():
    page = generated.settings_page()
    assert "| `episodes: demonstrations` | whole number, ≥ 1, ≤ 100000 | `5` |" in page
    assert "| `models: <name>: dtype` | `float32`, `bfloat16`, `float16`, `auto` | `float32` |" in page


def test_every_table_is_listed_with_its_columns():
    page = generated.tables_page()
    for question in generated.questions():
        for name, entry in question.tables.items():
            section = page.split(f"{name}.csv`\n")[1].split("\n#")[0]
            assert all(
                f"`{column}`" in section for column in entry["columns"] if not column.endswith(("_low", "_high"))
            )


def test_the_site_builds_offline_without_a_warning(tmp_path):
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("_build"))
    for name in ("workflow", "config", "data", "CONTRIBUTING.md", "pyproject.toml"):
        (tmp_path / name).symlink_to(ROOT / name)
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going", "docs", "site"]
    offline = {**os.environ, "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    result = subprocess.run(command, cwd=tmp_path, env=offline, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    for page in ("index", "explore", "reference/settings", "reference/tables", "how-to/question"):
        assert (tmp_path / f"site/{page}.html").exists()
    engine = (tmp_path / "site/reference/engine.html").read_text(encoding="utf-8")
    assert all(f'id="taskvectors.engine.{name}"' in engine for name in ("definition.plain_theta", "read.read_theta"))
    question = (tmp_path / "site/how-to/question.html").read_text(encoding="utf-8")
    assert "judged on" in question and "<h2>Tests" not in question  # CONTRIBUTING.md, and no more of it


def test_examples_of_the_engine_run():
    assert doctest.testfile(str(ROOT / "docs/reference/engine.md"), module_relative=False).attempted > 10


def test_every_page_is_in_the_contents():
    listed = set(re.findall(r"^([\w/-]+)$", (ROOT / "docs/index.md").read_text(encoding="utf-8"), re.MULTILINE))
    there = {str(page.relative_to(ROOT / "docs").with_suffix("")) for page in PAGES if "_build" not in page.parts}
    assert there - {"index"} <= listed <= there | {"explore", "reference/settings", "reference/tables"}


def test_every_command_of_make_is_explained_and_there():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"`make ([a-z-]+)", text))
    assert targets == explained


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.name)
def test_snippets_of_configuration_can_be_read(page):
    for snippet in re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        assert isinstance(yaml.safe_load(snippet), dict)


def test_the_example_of_a_representation_is_one(tmp_path):
    text = (ROOT / "docs/how-to/representation.md").read_text(encoding="utf-8")
    (tmp_path / "half_theta.py").write_text(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], encoding="utf-8")
    assert representation_of(str(tmp_path / "half_theta.py")).label == "half of θ"


def test_the_package_installs_by_itself_with_the_same_pins(tmp_path):
    pins = dict(
        line.split("==")
        for line in (ROOT / "envs/requirements.txt").read_text().splitlines()
        if not line.startswith("#")
    )
    assert all(pins[name] == version for name, version in (one.split("==") for one in PROJECT["dependencies"]))
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        tmp_path,
        ROOT,
    ]
    subprocess.run(command, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    example = (ROOT / "docs/reference/engine.md").read_text(encoding="utf-8")
    code = "\n".join(line[4:] for line in example.splitlines() if line.startswith((">>> ", "... ")))
    check = f"{code}\nimport taskvectors.engine.model_check\nassert theta.shape == (3, 16)\nprint(taskvectors.__file__)"
    alone = {"PYTHONPATH": str(tmp_path / "installed"), "PATH": os.environ["PATH"]}
    result = subprocess.run(
        [sys.executable, "-c", check], cwd=tmp_path, env=alone, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert str(tmp_path / "installed") in result.stdout
