"""Studies of every shape reach their report: the paper's, every option at its minimum, few tasks, odd names.

On tiny random models, each in a folder as a user would have it. Their numbers mean nothing.
"""

import csv
import hashlib
import json
import re
import shutil
import zipfile

import pandas as pd
import pytest
import yaml
from test_tokens import sentencepiece

from conftest import ROOT, SHAPE
from taskvectors.entries import read_questions
from taskvectors.models.random_weights import random_model
from taskvectors.study import CONDITIONS, published

SMALL = {"episodes": {"demonstrations": 2, "dummies": 2, "baseline": 3, "dev": 3, "test": 3}}
SMALL |= {"embedding": {"seeds": [41]}, "formation": {"episodes": 2}, "decoding": {"top": 5}}
SMALL["conflict"] = {"demonstrations": 2, "episodes": 2, "transfer": {"episodes": 2}}
SMALL["study"] = {"seeds": [0]}
TWO = ("llama-7b", "gpt-j-6b")


def run(project, *overlays: str) -> str:
    result = project.snakemake(*overlays[1:], config=overlays[0])
    assert result.returncode == 0, result.stdout[-4000:]
    assert "Traceback" not in result.stdout
    return (project.folder / "reports/study.html").read_text(encoding="utf-8")


def overlay(project, content, name="mine.yaml") -> str:
    (project.folder / name).write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return name


def merged(*contents):
    result: dict = {}
    for content in contents:
        for key, value in content.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result


# Words that are one token each of a tokenizer that was made of our tables, and several of LLaMA's.
SPLIT_BY_LLAMA = [
    "abogado",
    "azúcar",
    "camisa",
    "cielo",
    "cocina",
    "cuchillo",
    "cumpleaños",
    "huevo",
    "leche",
    "manzana",
    "naranja",
    "zapato",
]


def tables_of_other_people(folder) -> None:
    """JSON and TSV: a plain task, one that LLaMA's tokenizer leaves nothing of, and, in a family of its own, one that
    none does."""
    for name in ("own", "alone"):
        (folder / name).mkdir()
    letters = "abcdefghijklmnop"
    shout = [{"input": letter, "output": f"{letter.upper()}\n"} for letter in letters] + [{"input": "a", "output": "A"}]
    (folder / "own/shout.json").write_text(json.dumps(shout), encoding="utf-8")
    rows = [f"{number}\t{word}" for number, word in enumerate(SPLIT_BY_LLAMA)]
    (folder / "own/words.tsv").write_text("\n".join(["input\toutput", *rows]), encoding="utf-8")
    long = {letter: f"a long answer to {letter}" for letter in letters}
    (folder / "alone/sentences.json").write_text(json.dumps(long), encoding="utf-8")


def test_the_papers_study_reaches_its_report(project, tmp_path, sentencepiece_file):
    """config/paper.yaml, small folders in the places of two of its seven models, under their own labels; LLaMA with
    SentencePiece.

    And tables of other people, some of which are left out for a model. `make plan` of all seven is tested in
    test_config.py.
    """
    tables_of_other_people(project.folder)
    paper = yaml.safe_load((ROOT / "config/paper.yaml").read_text(encoding="utf-8"))
    registry = yaml.safe_load((ROOT / "config/models.yaml").read_text(encoding="utf-8"))["models"]
    models = {}
    assert len(paper["study"]["models"]) == 7 and set(TWO) < set(paper["study"]["models"])
    for name in TWO:
        folder = tmp_path / name
        folder.mkdir()
        model_type = registry[name]["shape"]["model_type"]
        shape = SHAPE | {
            "model_type": model_type,
            "rotary_dim": 4,
            "vocab_size": 32000 if model_type == "llama" else 9000,
        }
        shape = {key: value for key, value in shape.items() if key != "rotary_dim" or model_type == "gptj"}
        random_model(shape, sorted((ROOT / "data/tasks").glob("*.csv")), folder)
        if model_type == "llama":
            config = (folder / "config.json").read_text(encoding="utf-8")
            for file in folder.glob("tokenizer*"):
                file.unlink()
            sentencepiece(sentencepiece_file, folder)
            (folder / "config.json").write_text(config, encoding="utf-8")
        models[name] = {"folder": str(folder), "device": "cpu", "dtype": "float32"}
    items = {}
    for task in ("en_fr", "en_es"):  # our tables in the authors' format, as their repository is out of reach
        pairs = list(csv.DictReader((ROOT / f"data/tasks/{task}.csv").open(encoding="utf-8")))
        file = tmp_path / f"{task}.json"
        file.write_text(json.dumps({row["input"]: row["output"] for row in pairs}), encoding="utf-8")
        items[task] = {"path": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    changes = {"models": models, "items": {"base_url": tmp_path.as_uri(), "files": items}}
    asked = ["en_es", "en_fr", "shout", "words", "sentences"]  # two of its eighteen, for time
    folders = [{"folder": "own"}, {"folder": "alone", "family": "alone"}]
    tasks = {"study": {"models": list(TWO), "tasks": asked}, "task_folders": folders}
    page = run(project, "config/paper.yaml", overlay(project, merged(SMALL, changes, tasks)))
    summary = pd.read_csv(project.folder / "results/summary.csv")
    assert summary["source"].value_counts().to_dict() == {"this study": 2, "published": 7}
    names = {source: set(rows["model"]) for source, rows in summary.groupby("source")}
    assert names["this study"] == {registry[name]["label"] for name in TWO} < names["published"]
    assert "LLaMA 7B (published)" in page
    assert "(random weights)" not in page and "</code>), random weights" not in page  # no model of the study has them
    filtered = pd.read_csv(project.folder / "results/llama-7b/filter.csv").set_index("task")
    assert filtered.loc["en_fr", "leading_space"] and 0 < filtered.loc["en_fr", "kept"] < filtered.loc["en_fr", "total"]
    counts = filtered[["kept", "too_long", "merged", "lost"]].sum(axis=1)
    assert (counts == filtered["total"]).all()
    assert filtered.loc["shout", ["total", "repeated", "trimmed"]].tolist() == [16, 1, 16]
    left_out = {"llama-7b": {"words", "sentences"}, "gpt-j-6b": {"sentences"}}
    for model, names in left_out.items():
        filtered = pd.read_csv(project.folder / f"results/{model}/filter.csv").set_index("task")
        assert set(filtered.index[filtered["left_out"].notna()]) == names
        assert "an episode needs" in filtered.loc["sentences", "left_out"]
        for table in ("accuracy", "layer_choice", "controls"):
            rows = pd.read_csv(project.folder / f"results/{model}/{table}.csv")
            assert set(rows["task"]) - {"all"} == set(asked) - names, table
    assert page.count("left out: too few pairs are left") == 3
    result = project.snakemake("mine.yaml", "-n", config="config/paper.yaml")
    assert "Nothing to be done" in result.stdout


def minima(schema, registry):
    """Every number of the schema at its minimum, and the shortest lists."""
    schema = registry[schema["$ref"].split("/")[-1]] if "$ref" in schema else schema
    if schema.get("type") == "object":
        parts = {key: minima(part, registry) for key, part in schema.get("properties", {}).items()}
        return {key: part for key, part in parts.items() if part is not None} or None
    if schema.get("type") in ("integer", "number"):
        return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 0.01)
    if schema.get("type") == "array" and "seed" in str(schema.get("items", "")):
        return [0]
    return None


def test_every_option_at_its_minimum_reaches_the_report_on_random_weights(project):
    """And a model with random weights is marked wherever it appears."""
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
    for question in read_questions(published(ROOT), CONDITIONS):
        schema["properties"] |= question.settings
    lowest = {
        key: minima(part, schema["$defs"])
        for key, part in schema["properties"].items()
        if key not in ("models", "tasks", "items")
    }
    lowest = {key: part for key, part in lowest.items() if part is not None}
    assert lowest["conflict"]["transfer"]["episodes"] == 0 and lowest["embedding"]["umap"] == {
        "neighbours": 2,
        "min_dist": 0,
    }
    assert lowest["study"] == {"seeds": [0]} and lowest["episodes"]["repeats"] == {"baseline": 1, "dev": 1, "test": 1}
    shape = {key: value for key, value in SHAPE.items() if key != "model_type"}
    entry = {
        "source": "random",
        "device": "cpu",
        "dtype": "float32",
        "shape": {"model_type": "gptj", "rotary_dim": 4, **shape},
    }
    tasks = {"study": {"models": ["gpt-j-6b"], "tasks": ["next_letter", "to_upper"]}, "models": {"gpt-j-6b": entry}}
    pairs = {"conflict": {"pairs": [["next_letter", "to_upper"]]}}  # a pair, but no transfer
    page = run(project, overlay(project, merged(lowest, tasks, pairs)))
    assert "GPT-J 6B (random weights)" in page
    for path in (project.folder / "results").glob("*/*.csv"):
        table = pd.read_csv(path)
        if "model" in table and len(table):
            assert set(table["model"]) == {path.parent.name} == {"gpt-j-6b-random"}, path
    assert set(pd.read_csv(project.folder / "results/summary.csv").query("source == 'this study'")["model"]) == {
        "GPT-J 6B (random weights)"
    }


LABEL = "$x_1$ <b>\"q\" & 'z'</b> *日本* Ωя"


def test_odd_names_and_labels_of_limits_alone_reach_the_report_and_the_archive(project, saved):
    """A model called 1 and a task called 007 of a family of its own: no pairs, no transfer, nothing but a limit."""
    tables = project.folder / "my tables"
    tables.mkdir()
    rows = [f"{word},{word.upper()},\n" for word in "abcdefghij"]
    (tables / "007.csv").write_text("input;output;also_accepted\n" + "".join(rows).replace(",", ";"), encoding="utf-16")
    mine = {"models": {"1": {"label": LABEL, "folder": str(saved)}}, "study": {"models": ["1"], "tasks": ["007"]}}
    mine |= {"task_folders": [{"folder": "my tables", "family": "1e5", "role": "limit"}], "conflict": {"pairs": []}}
    page = run(project, overlay(project, merged(SMALL, mine)))
    assert '$x_1$ &lt;b&gt;"q" &amp;' in page and '<b>"q"' not in page and not re.search(r">[^<]*\bnan\b", page)
    assert 'id="limits"' in page and not re.search('id="transfer"', page)
    accuracy = pd.read_csv(project.folder / "results/1/accuracy.csv", dtype=str)
    assert set(accuracy["model"]) == {"1"} and set(accuracy["task"]) == {"007", "all"}
    assert set(accuracy.query("task == '007'")["role"]) == {"limit"} and "1e5" in set(accuracy["family"])
    result = project.snakemake("--", "reports/archive.zip", config="mine.yaml")
    assert result.returncode == 0, result.stdout[-3000:]
    with zipfile.ZipFile(project.folder / "reports/archive.zip") as archive:
        provenance = json.loads(archive.read("provenance.json"))
        listed = [name for name in archive.namelist() if name.startswith("environment/packages-")]
        assert listed and all("torch==" in archive.read(name).decode() for name in listed)
    assert {"torch", "matplotlib", "scikit-learn"} <= set(provenance["software"])
    assert "umap-learn" not in provenance["software"]  # of a single task there is no picture
    assert provenance["differing"] == {}
    assert "figure_accuracy_bars" in next(iter(provenance["environments"].values()))
    shutil.rmtree(project.folder / "results")
    overlay(project, {"archive": "reports/archive.zip"}, "archived.yaml")
    assert run(project, "archived.yaml").replace("results/archive/archive/", "results/") == page


@pytest.mark.extended
def test_transfer_without_a_pair_reaches_its_report(project, saved):
    mine = {"models": {"mine": {"label": "Mine", "folder": str(saved)}}}
    mine |= {"study": {"models": ["mine"], "tasks": ["next_letter", "to_upper", "animal_tool"]}}
    mine["conflict"] = {"pairs": [], "transfer": {"episodes": 2}}
    page = run(project, overlay(project, merged(SMALL, mine)))
    assert "Does in-context learning create task vectors?" in page and re.search('id="transfer"', page)
