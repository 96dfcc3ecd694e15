"""Archives of several studies on one page."""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from bs4 import BeautifulSoup
from nbconvert.filters import markdown2html

from taskvectors.archives import closest, folder_of, held_tables, joined_config
from taskvectors.errors import StudyError
from taskvectors.report.pages import Section, cells_of
from taskvectors.store.archived import SETTINGS
from taskvectors.store.crate import write_archive
from taskvectors.store.tables import read_csv, write_csv
from taskvectors.store.unpacked import unpack
from taskvectors.study import ROOT, read_study, study_of

TASKS = {name: {"family": "f", "ours": True, "table": f"here/{name}.csv"} for name in "ab"}


@pytest.fixture
def archive(tmp_path):
    """Writes an archive; tables of a model are its accuracies."""

    def write(name, models, tasks=("f",), entries=TASKS, date="2026-01-02", questions=None, **episodes):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        config = {key: {} for key in SETTINGS} | {
            "models": {model: {"label": model.title()} for model in models},
            "study": {"models": list(models), "tasks": list(tasks), "seeds": [0], "questions": questions},
            "tasks": entries,
            "episodes": episodes,
            "conflict": {"pairs": [["a", "b"]]},
        }
        files = {}
        for model, values in models.items():
            table = pd.DataFrame({"model": model, "task": list("ab")[: len(values)], "accuracy": values})
            (folder / model).mkdir()
            write_csv(folder / model / "accuracy.csv", table)
            files[f"tables/{model}/accuracy.csv"] = folder / model / "accuracy.csv"
        parts = {"weights": {m: {"f": m} for m in models}, "runs": {m: {} for m in models}}
        (folder / "provenance.json").write_text(json.dumps({"date": date, "config": config, **parts}))
        write_csv(folder / "resources.csv", pd.DataFrame({"model": [*models], "rule": "r", "seconds": 1.5}))
        for file in ("provenance.json", "resources.csv"):
            files[file] = folder / file
        write_archive(tmp_path / f"{name}.zip", files)
        return str(tmp_path / f"{name}.zip")

    return write


def unpacked(archives, folder):
    config = joined_config(archives)
    tables = [folder / name / "accuracy.csv" for name in config["study"]["models"]]
    unpack(config["joined"]["origins"], tables, folder / "provenance.json", folder / "resources.csv")
    return config


def test_one_archive_stays_as_it_is(archive, tmp_path):
    one = archive("one", {"m": [0.5, 0.25]}, test=5)
    config = unpacked([one], tmp_path / "out")
    assert config["joined"] == {"origins": {"m": (one, "m")}, "differing": {}}
    assert (tmp_path / "out/m/accuracy.csv").read_bytes() == (tmp_path / "one/m/accuracy.csv").read_bytes()
    assert "joined" not in json.loads((tmp_path / "out/provenance.json").read_text())
    assert held_tables(config) == {"m/accuracy": ["model", "task", "accuracy"]}


def test_models_of_all_archives_are_side_by_side_and_what_differs_is_said(archive, tmp_path):
    small = archive("small", {"m": [0.5, 0.25], "n": [1.0, 0.0]}, test=5, dev=3)
    large = archive("large", {"m": [0.75], "o": [0.1]}, tasks=["a"], date="2026-01-03", test=50, dev=3)
    config = unpacked([small, large], tmp_path / "out")
    assert config["study"]["models"] == ["m-small", "n", "m-large", "o"]
    labels = [config["models"][name]["label"] for name in config["study"]["models"]]
    assert labels == ["M (small)", "N", "M (large)", "O"]
    assert config["study"]["tasks"] == ["f", "a"]
    assert config["joined"]["differing"] == {
        "study: tasks": {"small": '["f"]', "large": '["a"]'},
        "tasks studied": {"small": "a, b", "large": "a"},
        "episodes: test": {"small": "5", "large": "50"},
    }
    for name, values in {"m-small": [0.5, 0.25], "n": [1, 0], "m-large": [0.75], "o": [0.1]}.items():
        table = read_csv(tmp_path / "out" / name / "accuracy.csv")
        assert set(table["model"]) == {name} and table["accuracy"].tolist() == values
    assert list(held_tables(config)) == [f"{name}/accuracy" for name in config["study"]["models"]]
    provenance = json.loads((tmp_path / "out/provenance.json").read_text())
    assert {name: files["f"] for name, files in provenance["weights"].items()} == {
        "m-small": "m",
        "n": "n",
        "m-large": "m",
        "o": "o",
    }
    assert [content["date"] for content in provenance["joined"].values()] == ["2026-01-02", "2026-01-03"]
    assert read_csv(tmp_path / "out/resources.csv")["model"].tolist() == config["study"]["models"]


def test_questions_are_those_that_every_study_asked(archive):
    asked = [None, ["geometry", "conflict"], ["conflict", "rivals"]]
    paths = [archive(f"study{number}", {f"m{number}": [0.5]}, questions=one) for number, one in enumerate(asked)]
    for chosen, questions in (([0], None), ([0, 1], asked[1]), ([2, 0], asked[2]), ([0, 1, 2], ["conflict"])):
        config = joined_config([paths[number] for number in chosen])
        assert config["study"]["questions"] == questions
        assert ("study: questions" in config["joined"]["differing"]) == (len(chosen) > 1)


def test_settings_of_an_archive_are_written_never_executed(archive):
    """It may come from anybody."""
    evil = "<img src=x onerror=alert(1)>|[a](javascript:b)|{{ 7 * 7 }}"
    config = joined_config([archive("one", {"m": [0.5]}, test=evil), archive("t*w*o", {"n": [0.5]}, test=1)])
    folder = ROOT / "workflow/scripts/taskvectors/report/frame/closing"
    section = Section("", str(folder / "page.md"), "taskvectors.report.frame.closing.page", [])
    shown = markdown2html("\n\n".join(cell.source for cell in cells_of(section, {}, config)))
    row = BeautifulSoup(shown, "html.parser").find("td", string="episodes: test").parent
    assert [cell.text for cell in row.find_all("td")][1:] == [json.dumps(evil), "1"]
    assert "<img" not in shown and 'javascript:b"' not in shown and "<em>w</em>" not in shown and "49" not in shown


def test_a_page_of_which_provenance_lacks_a_model_is_refused(archive, tmp_path):
    whole = archive("whole", {"n": [0.5]})
    part = archive("part", {"m": [0.5]})
    provenance = json.loads((tmp_path / "part/provenance.json").read_text())
    del provenance["runs"]["m"]
    (tmp_path / "part/provenance.json").write_text(json.dumps(provenance))
    named = {
        "tables/m/accuracy.csv": "m/accuracy.csv",
        "provenance.json": "provenance.json",
        "resources.csv": "resources.csv",
    }
    write_archive(part, {name: tmp_path / "part" / file for name, file in named.items()})
    with pytest.raises(StudyError, match=r"part\.zip: provenance\.json has no runs of m\. Make the archive anew"):
        unpacked([whole, part], tmp_path / "out")


def test_columns_are_read_from_a_header_in_quotes(archive, tmp_path):
    """As of a table of tokens, where one is a carriage return."""
    plain = archive("plain", {"m": [0.5]})
    table = pd.DataFrame({"model": ["m"], "task": "a", "token": "\r", "logit": 1.5})
    write_csv(tmp_path / "plain/m/accuracy.csv", table)
    assert (tmp_path / "plain/m/accuracy.csv").read_bytes().startswith(b'"model",')
    files = {f"tables/{name}": tmp_path / "plain" / name for name in ("m/accuracy.csv",)}
    files |= {name: tmp_path / "plain" / name for name in ("provenance.json", "resources.csv")}
    write_archive(plain, files)
    assert held_tables(joined_config([plain])) == {"m/accuracy": list(table)}


def test_a_task_that_is_another_one_is_said_wherever_its_table_lay(archive):
    moved = {name: {**entry, "table": entry["table"].replace("here", "/there")} for name, entry in TASKS.items()}
    other = {**moved, "a": {**moved["a"], "table": "x/c.csv"}}
    one = archive("one", {"m": [0.5]})
    same = archive("same", {"n": [0.5]}, entries=moved)
    assert joined_config([one, same])["joined"]["differing"] == {}
    (key,) = joined_config([one, archive("other", {"n": [0.5]}, entries=other)])["joined"]["differing"]
    assert key == "tasks: a"


def test_archives_that_cannot_be_told_apart_are_refused(archive, tmp_path):
    one = archive("one", {"m": [0.5]}, test=5)
    (tmp_path / "deep").mkdir()
    same_name = archive("deep/one", {"n": [0.5]})
    with pytest.raises(StudyError, match="two are called one: models are told apart by it"):
        joined_config([one, same_name])
    copy = archive("copy", {"m": [0.5]}, test=5)
    with pytest.raises(StudyError, match=r"one.zip and .*copy.zip hold the same tables of m. Name one of them"):
        joined_config([one, copy])
    clash = archive("clash", {"m": [0.1], "m-one": [0.2]})
    with pytest.raises(StudyError, match=r"two models would be called m-one\. Rename the archive"):
        joined_config([one, clash])


def test_a_study_is_compared_with_the_archive_of_its_settings(archive):
    archives = [archive("small", {"m": [0.5]}, test=5, dev=3), archive("large", {"m": [0.1]}, test=50, dev=30)]
    for number, settings in enumerate(({"test": 5, "dev": 4}, {"test": 50, "dev": 30})):
        config = joined_config(archives[number:][:1])
        assert closest({**config, "episodes": settings}, archives) == archives[number]
    assert Path(study_of({}).shipped).resolve() == ROOT / "data/archive/default.zip"


def test_a_configuration_names_one_archive_or_several(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    shipped = ROOT / "data/archive/default.zip"
    one, listed = (study_of({"archive": archive}) for archive in (str(shipped), [str(shipped)]))
    assert one.config == listed.config and list(one.models) == ["smollm2-135m", "gemma-3-270m"]
    assert one.questions.tables == listed.questions.tables and folder_of(one.archives) == "default"
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"archive": [str(shipped), "none.zip"]}))
    with pytest.raises(StudyError, match=r"archive: none.zip: no such archive. Name an archive"):
        read_study([tmp_path / "mine.yaml"])
    for wrong in ([], [str(shipped), str(shipped)], 5):
        with pytest.raises(StudyError, match="archive"):
            study_of({"archive": wrong})
