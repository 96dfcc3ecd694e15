"""The archive that the repository ships is of the code, settings and data that stand beside it."""

import io
import json
import zipfile
from pathlib import Path

import pytest
import yaml

from taskvectors.store.sources import digests
from taskvectors.store.tables import parse_csv

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def shipped() -> dict[str, str]:
    with zipfile.ZipFile(ROOT / "data/archive/default.zip") as archive:
        return json.loads(archive.read("provenance.json"))["sources"]


def test_the_shipped_archive_is_of_the_current_code(shipped, monkeypatch):
    monkeypatch.chdir(ROOT)
    gone = [file for file in shipped if not Path(file).exists()]
    changed = [file for file, digest in digests(set(shipped) - set(gone)).items() if shipped[file] != digest]
    assert not gone + changed, "data/archive/default.zip is of other files than these: run `make study` and `make ship`"


def test_it_covers_what_numbers_follow_from(shipped):
    assert {
        "workflow/scripts/taskvectors/engine/patch.py",
        "workflow/scripts/accuracy.py",
        "config/config.yaml",
    } <= set(shipped)
    entries = yaml.safe_load((ROOT / "config/tasks.yaml").read_text(encoding="utf-8"))["tasks"].values()
    assert {entry[key] for entry in entries for key in ("table", "lookup", "classes") if key in entry} - set(
        shipped
    ) <= {
        "data/tasks/country_currency.csv",  # these are not in the default study
        "data/tasks/letter_word.csv",
    }


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


def test_no_task_of_a_default_model_can_be_guessed_unmarked():
    entries = yaml.safe_load((ROOT / "config/tasks.yaml").read_text(encoding="utf-8"))["tasks"]
    by_prefix = {name for name, entry in entries.items() if entry.get("scoring") == "prefix"}
    with zipfile.ZipFile(ROOT / "data/archive/default.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith("/filter.csv")]
        tables = [parse_csv(io.BytesIO(archive.read(name)), name) for name in names]
    assert len(tables) == 2
    for table in tables:
        for row in table.itertuples():
            share = row.constant_prefix_share if row.task in by_prefix else row.constant_share
            assert row.guessable == (share > 0.35), row
            assert row.constant_share <= row.constant_prefix_share + 1e-9
            # Limits are judged by the commonest answer that their demonstrations show, whatever it is.
            assert not row.guessable or row.role == "limit", row


def test_what_readme_says_was_found_is_what_the_archive_shows():
    """Its paragraph; a study that finds something else wants another."""
    with zipfile.ZipFile(ROOT / "data/archive/default.zip") as archive:
        table = parse_csv(io.BytesIO(archive.read("tables/conclusions.csv")), "conclusions.csv")
    verdicts = table.set_index(["claim", "model"])["verdict"]
    for claim in ("vector_does_task", "necessary", "recognises_task"):
        assert set(verdicts[claim]) == {"shown"}
    assert set(verdicts["holds_demonstrations"]) == {"too small"}
    assert verdicts["constant_is_enough"].to_dict() == {"smollm2-135m": "open", "gemma-3-270m": "shown"}
    held = table[table["claim"].str.startswith("holds_") & (table["question"] == "limits")]
    of_gemma = held.loc[(held["model"] == "gemma-3-270m") & (held["verdict"] != "no basis"), "verdict"]
    assert of_gemma.value_counts().to_dict() == {"refuted": 5, "open": 1}
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert "(shown for Gemma, open for SmolLM2)" in text and "θ does not hold five, and one is open" in text
    with zipfile.ZipFile(ROOT / "data/archive/default.zip") as archive:
        summary = parse_csv(io.BytesIO(archive.read("tables/summary.csv")), "summary.csv")
    for row in summary[summary["source"] == "this study"].itertuples():
        cells = [f"{value:.2f}".removeprefix("0") for value in (row.baseline, row.hypothesis, row.regular)]
        assert f"| {row.model} | {cells[0]} | **{cells[1]}** | {cells[2]} |" in text
