"""Bad input to the workflow: one clear message, an exit code, and nothing left behind."""

import re
import subprocess
import time

import psutil
import pytest
import yaml

from taskvectors import sizing
from taskvectors.models.memory import memory_at_hand


def refused(project, yaml: str) -> str:
    (project.folder / "mine.yaml").write_text(yaml, encoding="utf-8")
    result = project.snakemake("-n", config="mine.yaml")
    assert result.returncode != 0
    assert "Traceback" not in result.stdout and len(result.stdout.split("\n")) < 12
    assert not (project.folder / "results").exists()
    return result.stdout


@pytest.mark.parametrize(
    ("yaml", "parts"),
    [
        ("episodes: {demonstratoins: 4}", ["demonstratoins", "episodes"]),
        ("episodes: {dev: none}", ["'none' is not of type 'integer'", "episodes"]),
        (
            "study: {models: [smollm2-135]}",
            ["study: models", "smollm2-135 ", "Did you mean smollm2-135m?", "config/models.yaml"],
        ),
        ("study: {tasks: [next_leter]}", ["study: tasks", "Did you mean next_letter?", "config/tasks.yaml"]),
        ("study: {tasks: [papr]}", ["study: tasks", "Did you mean paper?"]),
        ("study: {seeds: []}", ["[] should be non-empty", "mine.yaml: study: seeds"]),
        ("{models: null}", ["mine.yaml: models: None is not of type 'object'"]),
        (
            "study: {models: smollm2-135m}",
            ["mine.yaml: study: models: 'smollm2-135m' is not of type 'array'. Correct it"],
        ),
        ("study: {seeds: [010]}", ["mine.yaml, line 1: study: seeds: 010 is 8 to YAML"]),
        ("study: {seeds: [1, 1]}", ["[1, 1]", "study"]),
        ("conflict: {pairs: [[to_upper, to_lowr]]}", ["conflict: pairs", "Did you mean to_lower?"]),
        ("models: {mine: {label: Mine, hub: a/b}}", ["models", "mine"]),
        (
            "{models: {mine: {label: Mine, folder: /nowhere}}, study: {models: [mine]}}",
            ["models: mine: folder: /nowhere holds no model", "save_pretrained"],
        ),
        (
            "{tasks: {mine: {label: M, family: own, table: data/none.csv}}, study: {tasks: all}}",
            ["tasks: mine: table: data/none.csv: no such file"],
        ),
        ("tasks: {mine: {label: M, family: own, inverse_of: antonym}}", ["mine: inverse_of", "Did you mean antonyms?"]),
        ("tasks: {mine: {label: M, family: own, inverse_of: copy}}", ["copy is itself made of another task"]),
        ("task_folders: [{folder: /nowhere}]", ["task_folders: /nowhere holds no table"]),
        ("study: {seeds: [1]}\nstudy: {seeds: [2]}", ["mine.yaml, line 2", "the key study", "line 1"]),
        ("models: {007: {label: A, folder: x}}", ["mine.yaml, line 1", "007 is no string", "'007'"]),
        ("study: {seeds: [20261125133000]}", ["20261125133000", "maximum of 4294967295"]),
        ("embedding: {umap: {min_dist: 1.5}}", ["1.5", "maximum of 1"]),
        ("embedding: {tsne: {perplexity: .nan}}", ["embedding: tsne: perplexity", "no number to compute with"]),
        ("episodes: {dev: 1000000000000}", ["maximum of 100000"]),
        ("conflict: {pairs: [[to_upper, to_upper]]}", ["to_upper", "non-unique"]),
        ("conflict: {pairs: [[next_letter, to_upper], [next_letter, to_upper]]}", ["non-unique"]),
        ("study: {tasks: [own]}", ["study: tasks", "no task is of this family"]),
        ("{models: {all: {label: A, folder: x}}}", ["models: all: the name means"]),
        (
            "{models: {a: {label: SmolLM2 135M, source: random, hub: a/b, revision: c, "
            "shape: {model_type: llama, vocab_size: 9, hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 1, "
            "max_position_embeddings: 9}}, b: {label: SmolLM2 135M, hub: a/b, revision: c}}, study: {models: [b, smollm2-135m]}}",
            ["models: b and smollm2-135m are both labelled"],
        ),
        ("task_folders: [{folder: data/tasks}]", ["a task animal_tool is known already", "Rename the table"]),
    ],
    ids=[
        "key typo",
        "wrong type",
        "model",
        "task",
        "group",
        "no seed",
        "nothing",
        "no list",
        "octal",
        "seed twice",
        "pair",
        "hub without revision",
        "empty folder",
        "no table",
        "inverse",
        "made of made",
        "no tables",
        "key twice",
        "number as a name",
        "seed beyond 32 bits",
        "distance beyond the spread",
        "not a number",
        "too many episodes",
        "a pair of one",
        "a pair twice",
        "no tables of one's own",
        "reserved name",
        "one label for two",
        "known table",
    ],  # fmt: skip,
)
def test_a_bad_configuration_is_refused_with_key_and_remedy(project, yaml, parts):
    message = refused(project, yaml)
    for part in parts:
        assert part in message


@pytest.mark.parametrize("table", ["knowledge", "all", "paper", "two words", "été"])
def test_a_table_whose_name_means_something_else_is_refused(project, table):
    folder = project.folder / "my tables"
    folder.mkdir()
    (folder / f"{table}.csv").write_text("input,output,also_accepted\nsky,blue,\n", encoding="utf-8")
    message = refused(project, "task_folders: [{folder: my tables}]")
    assert "tasks: " in message and ("the name means" in message or "a name has letters" in message)


def test_readmes_snippets_fit_into_one_file(project, saved):
    """Pasted one after the other, with a folder and a table that are there."""
    readme = (project.folder / "README.md").read_text(encoding="utf-8")
    snippets = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    (table,) = re.findall(r"```csv\n(.*?)```", readme, re.DOTALL)
    assert len(snippets) == 2
    (project.folder / "my tables").mkdir()
    (project.folder / "my tables/thing_colour.csv").write_text(table, encoding="utf-8")
    mine = "".join(snippets).replace("/path/to/a/save_pretrained/folder", str(saved))
    (project.folder / "mine.yaml").write_text(mine, encoding="utf-8")
    result = project.snakemake("-n", "--quiet", "rules", config="mine.yaml")
    assert result.returncode == 0, result.stdout
    settings = yaml.safe_load(mine)
    assert settings["study"]["models"] == ["my-model"]
    plan = project.snakemake("-n", config="mine.yaml").stdout
    assert "my-model: θ of the own tasks" in plan and "my-model: θ of the limits tasks" in plan


def plan(study, *overlays):
    command = [*study.command()[:1], "workflow/plan.py", *overlays]
    return subprocess.run(
        command, cwd=study.folder, env=study.environment(), capture_output=True, text=True, check=False
    )


def test_the_papers_study_is_planned_with_what_each_model_asks_for(project):
    start = time.monotonic()
    result = plan(project, "config/paper.yaml")
    assert time.monotonic() - start < 30  # 10 s on a quiet machine
    assert result.returncode == 0, result.stderr
    rows = {" ".join(line.split()[:2]): line for line in result.stdout.splitlines() if " GB " in line}
    assert len([name for name in rows if name.split()[0] in ("LLaMA", "GPT-J", "Pythia")]) == 7
    assert "65.1 + 14.5" in rows["LLaMA 30B"] and not (project.folder / "results/llama-30b").exists()
    assert " 2 " in rows["LLaMA 30B"] and " 2 " not in rows["LLaMA 13B"]  # GPUs of 80 GB
    result = plan(project, "nowhere.yaml")
    assert result.returncode != 0 and "nowhere.yaml" in result.stderr and "Traceback" not in result.stderr


def test_a_plan_says_where_an_overlay_cannot_be_read(project):
    """Snakemake, which reads it first, would not."""
    (project.folder / "mine.yaml").write_text("study:\n  models: [a", encoding="utf-8")
    result = plan(project, "mine.yaml")
    assert result.returncode != 0 and result.stdout == ""
    assert re.fullmatch(r"mine.yaml, line \d+: not YAML \(.*\)\. Correct the line\.\n", result.stderr)


@pytest.mark.parametrize(
    ("parameters", "dtype", "gpus"), [(135e6, "float32", 1), (32.5e9, "float16", 2), (70e9, "float32", 5)]
)
def test_gpus_hold_the_weights_and_a_pass(parameters, dtype, gpus):
    entry = {"parameters": int(parameters), "dtype": dtype, "device": "auto"}
    assert sizing.gpus(entry, 80) == gpus and sizing.gpus({**entry, "device": "cpu"}, 80) == 0
    assert sizing.memory_mb({**entry, "device": "cuda"}) > sizing.weight_bytes(entry) / 1e6


def test_a_job_takes_no_more_memory_than_slurm_gave_it(monkeypatch):
    monkeypatch.delenv("SLURM_MEM_PER_NODE", raising=False)
    everything = memory_at_hand()
    taken = psutil.Process().memory_info().rss // 1024**2
    monkeypatch.setenv("SLURM_MEM_PER_NODE", str(taken + 1000))
    assert 0 < memory_at_hand() < min(0.8e9, everything)
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "100")
    assert memory_at_hand() == 0


def test_the_default_study_is_planned(project):
    result = project.snakemake("-n", config="config/config.yaml")
    assert result.returncode == 0, result.stdout
    assert "study_page" in result.stdout
