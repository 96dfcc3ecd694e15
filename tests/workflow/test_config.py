"""The workflow refuses what the study refuses, plans the README's snippets, and plans before it runs."""

import re
import subprocess

import yaml


def test_a_bad_configuration_is_one_message(project):
    """What it says is tested without Snakemake (tests/unit/test_study.py)."""
    (project.folder / "mine.yaml").write_text("study: {models: [smollm2-135]}", encoding="utf-8")
    result = project.snakemake("-n", config="mine.yaml")
    assert result.returncode != 0
    assert "study: models: smollm2-135 is not in config/models.yaml. Did you mean smollm2-135m?" in result.stdout
    assert "Traceback" not in result.stdout and len(result.stdout.split("\n")) < 12
    assert not (project.folder / "results").exists()


def test_a_typo_in_an_entry_is_one_message(project):
    entry = project.folder / "workflow/scripts/taskvectors/questions/layers/question.yaml"
    entry.write_text(entry.read_text(encoding="utf-8").replace("tables: [views]", "tables: [view]"), encoding="utf-8")
    result = project.snakemake("-n")
    assert result.returncode != 0 and "Traceback" not in result.stdout
    assert re.search(r"layers/question.yaml, line \d+: layer_choice: tables: view is not known", result.stdout)


def test_readmes_snippets_fit_into_one_file(project, saved):
    """Pasted one after the other, with a folder and a table that are there."""
    readme = (project.folder / "README.md").read_text(encoding="utf-8")
    snippets = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    (table,) = re.findall(r"```csv\n(.*?)```", readme, re.DOTALL)
    assert len(snippets) == 1
    (project.folder / "my tables").mkdir()
    (project.folder / "my tables/thing_colour.csv").write_text(table, encoding="utf-8")
    mine = "".join(snippets).replace("/path/to/a/save_pretrained/folder", str(saved))
    (project.folder / "mine.yaml").write_text(mine, encoding="utf-8")
    assert yaml.safe_load(mine)["study"]["models"] == ["my-model"]
    result = project.snakemake("-n", config="mine.yaml")
    assert result.returncode == 0, result.stdout
    assert "my-model: θ of the own tasks" in result.stdout and "my-model: θ of the limits tasks" in result.stdout


def test_a_first_result_is_planned_in_a_folder_of_its_own(project):
    """As `make try` asks for it: the questions that every study asks, and nothing beside its folder."""
    (project.folder / "try").mkdir()
    result = project.snakemake("-n", "--directory", "try", config="config/try.yaml")
    assert result.returncode == 0, result.stdout
    rules = set(re.findall(r"^(\w+) +\d+$", result.stdout, re.MULTILINE))
    assert {"extract_theta", "sweep_layers", "controls_tables", "study_page"} <= rules
    assert not {"sweep_conflict", "several_vectors", "embed_theta", "rivals", "gradient"} & rules
    assert f"Working directory: {project.folder / 'try'}" in result.stdout


def plan(study, *overlays):
    command = [*study.command()[:1], "workflow/plan.py", *overlays]
    return subprocess.run(
        command, cwd=study.folder, env=study.environment(), capture_output=True, text=True, check=False
    )


def test_the_papers_study_is_planned_with_what_each_model_asks_for(project):
    result = plan(project, "config/paper.yaml")
    assert result.returncode == 0, result.stderr
    rows = {" ".join(line.split()[:2]): line for line in result.stdout.splitlines() if " GB " in line}
    models = {name: line for name, line in rows.items() if name.split()[0] in ("LLaMA", "GPT-J", "Pythia")}
    assert len(models) == 7
    assert "65.1 + 14.5" in rows["LLaMA 30B"] and not (project.folder / "results/llama-30b").exists()
    assert " 2 " in rows["LLaMA 30B"] and " 2 " not in rows["LLaMA 13B"]  # GPUs of 80 GB
    assert all(line.split()[-1] == "–" for line in models.values())  # hours: no shipped study has these models
    full = plan(project, "config/full.yaml").stdout
    (qwen,) = (line for line in full.splitlines() if line.startswith("Qwen2.5-Coder"))
    assert (
        0.5 < float(qwen.split()[-1]) < 20 and "Hours, as shipped: what the jobs of data/archive/full.zip took" in full
    )
    result = plan(project, "nowhere.yaml")
    assert result.returncode != 0 and "nowhere.yaml" in result.stderr and "Traceback" not in result.stderr


def test_a_plan_says_where_an_overlay_cannot_be_read(project):
    """Snakemake, which reads it first, would not."""
    (project.folder / "mine.yaml").write_text("study:\n  models: [a", encoding="utf-8")
    result = plan(project, "mine.yaml")
    assert result.returncode != 0 and result.stdout == ""
    assert re.fullmatch(r"mine.yaml, line \d+: not YAML \(.*\)\. Correct the line\.\n", result.stderr)


def test_the_default_study_is_planned(project):
    result = project.snakemake("-n", config="config/config.yaml")
    assert result.returncode == 0, result.stdout
    assert "study_page" in result.stdout
