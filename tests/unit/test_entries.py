"""The entries of questions and their pages: what is not known is refused by file and line."""

from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest

from taskvectors.catalogue import imported
from taskvectors.entries import LIBRARY, VIEWS, read_questions
from taskvectors.errors import StudyError
from taskvectors.report import page as report_page
from taskvectors.report.pages import Section, cells_of, methods_of, page_table, plain_table
from taskvectors.study import read_study

PUBLISHED, CONDITIONS = ("main_results",), ("limits",)
GOOD = """\
section: Accuracy
order: 1
reads:
  extract: tasks * episodes.test
tables:
  accuracy:
    row: a task
    columns: [model, task, n, accuracy]
    intervals: [accuracy]
  limits:
    row: a task
    columns: [model, task]
    title: limits
    caption: Tasks.
figures:
  bars:
    title: mean accuracy
    caption: Bars.
    tables: [accuracy]
    published: [main_results]
  dots:
    title: limits
    caption: Dots.
    tables: [limits]
    when: limits
shown:
  means:
    caption: Means.
    tables: [accuracy]
"""
PAGE = 'One {{ number }}.\n\n{{ figure("bars") }}\n\n{{ figure("dots") }}\n\n{{ table("means") }}\n'


def library(tmp_path, entry=GOOD, page=PAGE, name="one"):
    folder = tmp_path / "questions" / name
    (folder / "figures").mkdir(parents=True)
    for figure in ("bars", "dots"):
        (folder / f"figures/{figure}.py").touch()
    (folder / "question.yaml").write_text(entry, encoding="utf-8")
    if page is not None:
        (folder / "page.md").write_text(page, encoding="utf-8")
    return folder


def questions(tmp_path):
    read_questions.cache_clear()
    return read_questions(PUBLISHED, CONDITIONS, tmp_path)


def refused(tmp_path, *files) -> str:
    library(tmp_path, *files)
    with pytest.raises(StudyError) as error:
        questions(tmp_path)
    return str(error.value)


def test_entries_come_whole_and_intervals_beside_their_columns(tmp_path):
    library(tmp_path)
    (question,) = questions(tmp_path)
    assert (question.name, question.section, question.descends) == ("one", "Accuracy", [])
    assert question.tables["accuracy"]["columns"] == ["model", "task", "n", "accuracy", "accuracy_low", "accuracy_high"]
    assert question.figures["dots"]["published"] == [] and question.figures["dots"]["hover"] is False


def test_questions_come_in_the_order_of_the_page(tmp_path):
    library(tmp_path)
    other = "section: First\norder: 0\n"
    for figure in library(tmp_path, other, "Text.\n", "two").glob("figures/*.py"):
        figure.unlink()
    assert [question.name for question in questions(tmp_path)] == ["two", "one"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("tables: [limits]", "tables: [limit]", "line 21: dots: tables: limit is not known; known are accuracy, limits."),
        ("[main_results]", "[results]", "line 16: bars: published: results is not known; known are main_results."),
        ("when: limits", "when: never", "line 21: dots: when: never is not known; known are limits."),
        ("caption: Dots.", "captoin: Dots.", "line 21: dots: captoin is no key of an entry; the keys are title, caption"),
        ("    title: limits\n    caption: Dots", "    caption: Dots", "line 21: dots: the key title is missing. Add it."),
        ("tables: [limits]", "tables: limits", "line 21: dots: tables: 'limits' is no list. Correct it."),
        ("  bars:", "  bar:", "line 16: bar: there is no figures/bar.py that draws it"),
        ("  dots:\n", "  bars:\n", "line 21: the key figures: bars is already in line 16"),
        ("intervals: [accuracy]", "intervals: [share]", "line 6: accuracy: intervals: no column share."),
        ("    title: limits\n    caption: Tasks", "    caption: Tasks", "line 10: limits: title and caption go together."),
        ("section: Accuracy\n", "", "question.yaml: the key section is missing. Add it."),
        ("order: 1", "order: one", "order: 'one' is no int. Correct it."),
        ("shown:\n", "showm:\n", "showm is no key of an entry; the keys are section, order, title"),
        ("figures:\n  bars:", "figures:\n  bars: bars\n  more:", "bars: an entry has keys and values"),
    ],
)  # fmt: skip
def test_a_typo_is_refused_by_file_and_line(tmp_path, old, new, message):
    assert GOOD.count(old) == 1
    said = refused(tmp_path, GOOD.replace(old, new))
    assert message in said and "question.yaml" in said


SAYS = '"{row} in {column}: {value}, {beside}"'


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("view: matrx, title: T", "means: view: there is no matrx; known are matrix, points."),
        ("view: points", "means: view and title go together."),
        ("title: T", "means: view and title go together."),
        ("view: matrix, title: T", "means: says: this view has the places {beside}, {column}, {row}, {value}."),
        ('view: matrix, title: T, says: "{Row}"', "means: says: this view has the places {beside}, {column}"),
        (f"view: points, title: T, says: {SAYS}", "means: says: only a matrix has it."),
        (f"view: matrix, title: T, says: {SAYS}", None),
        ("view: points, title: T", None),
    ],
)
def test_a_view_is_known_and_has_what_it_needs(tmp_path, keys, message):
    entry = (
        GOOD.split("shown:\n", maxsplit=1)[0] + f"shown:\n  means: {{caption: Means., tables: [accuracy], {keys}}}\n"
    )
    if message:
        assert message in refused(tmp_path, entry)
    else:
        library(tmp_path, entry)
        assert questions(tmp_path)[0].shown["means"]["title"] == "T"


def test_views_are_those_that_the_page_draws():
    assert set(VIEWS) == set(report_page.VIEWS)


def test_an_empty_entry_is_refused(tmp_path):
    assert "question.yaml: no keys and values" in refused(tmp_path, "")


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (None, "there is no page.md beside it"),
        (PAGE.replace('table("means")', 'table("mean")'), "page.md, line 7: table mean is not in question.yaml; known: means."),
        (PAGE.replace('figure("dots")', 'figure("dot")'), "page.md, line 5: figure dot is not in question.yaml"),
        (PAGE.replace('{{ figure("dots") }}', ""), "page.md: figure dots of question.yaml is not shown."),
    ],
)  # fmt: skip
def test_a_question_shows_what_its_entry_lists_and_no_more(tmp_path, page, message):
    assert message in refused(tmp_path, GOOD, page)


def test_a_drawing_without_an_entry_and_a_table_of_two_questions_are_refused(tmp_path):
    (library(tmp_path) / "figures/more.py").touch()
    with pytest.raises(StudyError, match=r"figures/more\.py has no entry under figures"):
        questions(tmp_path)
    (tmp_path / "questions/one/figures/more.py").unlink()
    library(tmp_path, GOOD.replace("order: 1", "order: 2"), PAGE, "two")
    with pytest.raises(StudyError, match=r"questions/two: accuracy: .*questions/one writes a table of this name"):
        questions(tmp_path)


def test_one_figure_does_not_draw_a_table_and_published_data_of_one_name(tmp_path):
    library(tmp_path, GOOD.replace("tables: [accuracy]\n    published", "tables: [limits]\n    published", 1))
    with pytest.raises(StudyError, match="bars: limits is under tables and published"):
        read_questions(("main_results", "limits"), CONDITIONS, _published_too(tmp_path))


def _published_too(tmp_path):
    entry = tmp_path / "questions/one/question.yaml"
    entry.write_text(entry.read_text().replace("[main_results]", "[limits]"))
    return tmp_path


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("Text.\n\n{{ number", r"page\.md, line 3: .*Correct it\."),
        ("Text.\n\n{% for model in models %}\nno end", r"page\.md, line 4: .*endfor"),
        ("{{ nubmer }}", r"page\.md, lines from 1: 'nubmer' is undefined\. `numbers` in page\.py gives them\."),
    ],
)
def test_a_page_that_is_no_template_or_names_no_number_is_refused_by_line(tmp_path, page, message):
    path = tmp_path / "page.md"
    path.write_text(page, encoding="utf-8")
    module = "taskvectors.report.frame.closing.page"  # has no numbers
    with pytest.raises(StudyError, match=message):
        cells_of(Section("Title", str(path), module, []), {}, {})


def test_a_section_without_its_tables_keeps_its_heading_and_says_no_number(tmp_path):
    path = tmp_path / "page.md"
    path.write_text('{{ number }}\n\n{{ figure("bars") }}\n\n<!-- methods -->\n\n{{ other }}\n')
    section = Section("Title", str(path), "no.such.module", ["accuracy"])
    heading, figure = (cell.source for cell in cells_of(section, {}, {}))
    assert heading.startswith("## Title\n\n") and figure == 'figure("bars")'
    assert methods_of(section, {}, {}) == ""


STUDY = read_study()


@pytest.mark.parametrize("question", STUDY.questions, ids=lambda question: question.name)
def test_the_modules_of_a_question_are_those_of_its_entry(question):
    if question.has("page"):
        page = import_module(imported(STUDY.questions.page_modules[question.name]))
        assert set(page.TABLES) == set(question.shown)
    for figure in question.figures:
        text = (LIBRARY.parent / STUDY.questions.drawings[figure]).read_text(encoding="utf-8")
        assert "def draw(tables: Tables, labels: Labels) -> Figure:" in text
    assert question.has_rules == Path(f"workflow/rules/{question.name}.smk").is_file()


def test_a_table_that_no_function_makes_is_refused_by_name():
    with pytest.raises(StudyError, match=r"closing\.page: TABLES has no means"):
        page_table("means", {"module": "taskvectors.report.frame.closing.page", "tables": ["a"]}, {}, {})


def test_a_table_without_a_function_is_shown_with_its_intervals():
    table = pd.DataFrame({"model": "m", "family": "f", "role": "main", "task": "t", "strength": 0.5, "n": 6,
                          "accuracy": [0.5], "accuracy_low": 0.25, "accuracy_high": 0.75})  # fmt: skip
    config = {"models": {"m": {"label": "M"}}, "tasks": {"t": {"label": "T"}}}
    assert plain_table(table, config).to_dict("records") == [
        {"model": "M", "task": "T", "strength": 0.5, "n": 6, "accuracy": "0.50 [0.25, 0.75]"}
    ]
