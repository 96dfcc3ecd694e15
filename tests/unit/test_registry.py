"""The list of figures: entries that say what is not known are refused by file and line."""

from pathlib import Path

import pytest
import yaml

from taskvectors.errors import StudyError
from taskvectors.registry import figures_of

ROOT = Path(__file__).parents[2]
TABLES, PUBLISHED = ["accuracy", "limits"], ["main_results"]
GOOD = """\
accuracy_bars:
  section: Accuracy
  title: mean accuracy
  caption: Bars.
  tables: [accuracy]
  published: [main_results]
limits:
  section: Limits
  title: limits
  caption: Dots.
  tables: [limits]
  when: limits
"""


def figures(tmp_path, text, **conditions):
    path = tmp_path / "figures.yaml"
    path.write_text(text, encoding="utf-8")
    return figures_of(path, TABLES, PUBLISHED, {"limits": True} | conditions)


def test_entries_come_whole_and_in_order(tmp_path):
    found = figures(tmp_path, GOOD)
    assert list(found) == ["accuracy_bars", "limits"]
    assert found["limits"]["published"] == [] and found["limits"]["hover"] is False


def test_a_figure_is_left_out_where_its_condition_does_not_hold(tmp_path):
    assert list(figures(tmp_path, GOOD, limits=False)) == ["accuracy_bars"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "tables: [limits]",
            "tables: [limit]",
            "line 7: limits: tables: limit is not known; known are accuracy, limits.",
        ),
        (
            "[main_results]",
            "[results]",
            "line 1: accuracy_bars: published: results is not known; known are main_results.",
        ),
        ("tables: [accuracy]", "tables: [main_results]", "line 1: accuracy_bars: tables: main_results is not known"),
        ("when: limits", "when: never", "line 7: limits: when: never is not known; known are limits."),
        (
            "caption: Dots.",
            "captoin: Dots.",
            "line 7: limits: captoin is no key of an entry; the keys are section, title",
        ),
        ("  title: limits\n", "", "line 7: limits: the key title is missing. Add it."),
        ("tables: [limits]", "tables: limits", "line 7: limits: tables: 'limits' is no list. Correct it."),
        ("accuracy_bars:", "accuracy_bar:", r"line 1: accuracy_bar: there is no taskvectors/figures/accuracy_bar.py"),
        ("limits:\n", "accuracy_bars:\n", "line 7: the key accuracy_bars stands already in line 1"),
    ],
)
def test_a_typo_is_refused_by_file_and_line(tmp_path, old, new, message):
    assert GOOD.count(old) == 1
    with pytest.raises(StudyError, match=r"figures\.yaml") as refused:
        figures(tmp_path, GOOD.replace(old, new))
    assert message in str(refused.value)


def test_a_name_that_is_of_a_table_and_of_published_data_is_not_drawn_twice_in_one_figure(tmp_path):
    path = tmp_path / "figures.yaml"
    both = ["accuracy", "limits", "main_results"]
    path.write_text(GOOD.replace("tables: [accuracy]", "tables: [main_results]"), encoding="utf-8")
    with pytest.raises(StudyError, match="line 1: accuracy_bars: main_results stands under tables and published"):
        figures_of(path, both, PUBLISHED, {"limits": True})


def test_an_entry_without_keys_is_refused(tmp_path):
    with pytest.raises(StudyError, match="line 1: limits: an entry has keys and values"):
        figures(tmp_path, "limits: dots\n")
    with pytest.raises(StudyError, match=r"figures\.yaml: no entries"):
        figures(tmp_path, "")


def test_every_drawing_has_an_entry():
    folder = ROOT / "workflow/scripts/taskvectors/figures"
    drawings = {file.stem for file in folder.glob("*.py") if "def draw(" in file.read_text(encoding="utf-8")}
    assert drawings == set(yaml.safe_load((ROOT / "workflow/figures.yaml").read_text(encoding="utf-8")))
