"""The archives that the repository ships are of the code, settings and data that stand beside them; README says what
they show."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from taskvectors.store.sources import digests
from taskvectors.store.tables import parse_csv
from taskvectors.study import read_study

ROOT = Path(__file__).parents[2]


ARCHIVES = {"default": ROOT / "data/archive/default.zip", "full": ROOT / "data/archive/full.zip"}
MEMBERS = {"default": 2, "full": 3}  # models


def table(name: str, archive: str = "full"):
    with zipfile.ZipFile(ARCHIVES[archive]) as files:
        return parse_csv(io.BytesIO(files.read(name)), name)


def provenance(archive: str) -> dict[str, Any]:
    with zipfile.ZipFile(ARCHIVES[archive]) as files:
        return json.loads(files.read("provenance.json"))


@pytest.mark.parametrize("archive", ARCHIVES)
def test_a_shipped_archive_is_of_the_current_code(archive, monkeypatch):
    monkeypatch.chdir(ROOT)
    shipped = provenance(archive)["sources"]
    gone = [file for file in shipped if not Path(file).exists()]
    changed = [file for file, digest in digests(set(shipped) - set(gone)).items() if shipped[file] != digest]
    assert not gone + changed, f"{archive}.zip is of other files than these: run the study and `make ship` again"


@pytest.mark.parametrize("archive", ARCHIVES)
def test_it_covers_what_numbers_follow_from(archive):
    shipped = provenance(archive)["sources"]
    assert {
        "workflow/scripts/taskvectors/engine/patch.py",
        "workflow/scripts/accuracy.py",
        "config/config.yaml",
    } <= set(shipped)
    entries = yaml.safe_load((ROOT / "config/tasks.yaml").read_text(encoding="utf-8"))["tasks"].values()
    tables = {entry[key] for entry in entries for key in ("table", "lookup", "classes") if key in entry}
    # These are not in the default study.
    lacking = {"data/tasks/country_currency.csv", "data/tasks/letter_word.csv"} if archive == "default" else set()
    assert tables - set(shipped) <= lacking | {"data/tasks/country_currency.csv"}


def test_the_full_study_has_the_settings_of_its_file():
    study = read_study([ROOT / "config/full.yaml"])
    kept = provenance("full")["config"]
    own = yaml.safe_load((ROOT / "config/full.yaml").read_text(encoding="utf-8"))
    assert {key: kept[key] for key in own} == {key: study.config[key] for key in own}
    assert Path(study.shipped).name == "full.zip" and Path(read_study().shipped).name == "default.zip"
    assert (ROOT / "data/archive/full.zip").stat().st_size < 8e6


def test_digests_are_blind_to_comments_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def digest(name, text):
        Path(name).write_text(text, encoding="utf-8")
        return digests([name])[name]

    code = digest("a.py", 'def f(x):\n    """Twice."""\n    return 2 * x\n')
    assert code == digest("a.py", 'def f(x):\n    """Two times."""\n    return 2 * x  # simple\n')
    assert code != digest("a.py", 'def f(x):\n    """Twice."""\n    return 3 * x\n')
    assert digest("a.yaml", "a: 1 # one") == digest("a.yaml", "a: 1") != digest("a.yaml", "a: 2")
    assert digest("a.csv", "a,b") != digest("a.csv", "a,b,")


@pytest.mark.parametrize("archive", ARCHIVES)
def test_no_task_can_be_guessed_unmarked(archive):
    entries = yaml.safe_load((ROOT / "config/tasks.yaml").read_text(encoding="utf-8"))["tasks"]
    by_prefix = {name for name, entry in entries.items() if entry.get("scoring") == "prefix"}
    with zipfile.ZipFile(ARCHIVES[archive]) as files:
        names = [name for name in files.namelist() if name.endswith("/filter.csv")]
    assert len(names) == MEMBERS[archive]
    for name in names:
        for row in table(name, archive).itertuples():
            share = row.constant_prefix_share if row.task in by_prefix else row.constant_share
            assert row.guessable == (share > 0.35), row
            assert row.constant_share <= row.constant_prefix_share + 1e-9
            # Limits are judged by the commonest answer that their demonstrations show, whatever it is.
            assert not row.guessable or row.role == "limit", row


SMALL, GEMMA, QWEN = "smollm2-135m", "gemma-3-270m", "qwen2.5-coder-1.5b"


def test_what_readme_says_was_found_is_what_the_full_study_shows():
    """Its paragraph; a study that finds something else wants another."""
    rows = table("tables/conclusions.csv")
    verdicts = rows.set_index(["claim", "model"])["verdict"]
    for claim in ("vector_does_task", "necessary", "recognises_task", "constant_is_enough"):
        assert verdicts[claim].to_dict() == dict.fromkeys((SMALL, GEMMA, QWEN), "shown")
    assert verdicts["lowers_loss"].to_dict() == {SMALL: "shown", GEMMA: "shown"}
    assert verdicts["along_gradient"].to_dict() == {SMALL: "too small", GEMMA: "too small"}
    held = rows[rows["claim"].str.startswith("holds_") & (rows["question"] == "limits") & (rows["model"] == QWEN)]
    counts = held["verdict"].value_counts().to_dict()
    assert counts == {"refuted": 8, "no basis": 4, "shown": 2, "open": 2}
    assert {"holds_upper_lower", "holds_list_reversed"} <= set(held.loc[held["verdict"] == "refuted", "claim"])
    maps = rows[rows["claim"].str.startswith("needs_map_") & (rows["model"] == QWEN) & (rows["verdict"] != "no basis")]
    assert maps.set_index("claim")["verdict"].pop("needs_map_upper_lower") == "shown"
    assert set(maps["verdict"][maps["claim"] != "needs_map_upper_lower"]) == {"open"}
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert "Of the 12 harder tasks that Qwen does beyond chance, θ does not hold 8" in text
    assert "it holds 2, and 2 are open" in text
    assert "θ of another episode does as much, and so does a constant per task" in text
    assert "in place of the query's own state (shown for all)" in text and "(shown; open for the other tasks)" in text


def test_the_numbers_of_readme_are_those_of_the_full_study():
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    summary = table("tables/summary.csv")
    ours, published = summary[summary["source"] == "this study"], summary[summary["source"] == "published"]
    for row in ours.itertuples():
        cells = [short(value) for value in (row.baseline, row.hypothesis, row.regular)]
        assert f"| {row.model} | {cells[0]} | **{cells[1]}** | {cells[2]} |" in text
    low, high, of_low, of_high = (short(end(of["ratio"])) for of in (ours, published) for end in (min, max))
    assert f"{low} to {high} of the accuracy that demonstrations give" in text
    assert f"the paper's seven models have {of_low} to {of_high}" in text and len(published) == 7
    values = table("tables/conclusions.csv").set_index(["claim", "model"])["value"]
    cosines = [short(values["along_gradient", model]) for model in (SMALL, GEMMA)]
    assert f"the cosine is {cosines[0]} for SmolLM2 and {cosines[1]} for Gemma" in text
    accuracy = table(f"tables/{QWEN}/accuracy.csv").set_index(["task", "method"])["accuracy"]
    bijection = [f"{accuracy['upper_lower', method]:.2f}".removeprefix("0") for method in ("regular", "hypothesis")]
    assert f"({bijection[0]} with demonstrations, {bijection[1]} with θ)" in text
    rungs = table(f"tables/{QWEN}/ladder.csv").set_index(["task", "rung"])["accuracy"]
    reached = [short(rungs["upper_lower", rung].item()) for rung in ("full_map", "constant")]
    assert f"the query's own state reaches {reached[0]} where a constant reaches {reached[1]}" in text
    took = table("resources.csv")
    assert f"{took['seconds'].sum() / 3600:.1f} hours of jobs" in text
    assert f"up to {took['peak_memory_mb'].max() / 1000:.0f} GB of memory" in text
    episodes = provenance("full")["config"]["episodes"]["test"]
    tasks = len(set(table(f"tables/{QWEN}/filter.csv")["task"]))
    assert f"{tasks} tasks, {episodes} test episodes each" in text


def short(share: float) -> str:
    return f"{share:.2f}".removeprefix("0")
