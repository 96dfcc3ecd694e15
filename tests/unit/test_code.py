"""Fingerprints of code: what a script uses, and what of an edit counts."""

import sys

import hypothesis
import pytest
from hypothesis import strategies as st

from taskvectors import code

BASE = '''\
"""A module."""

import os


def twice(x):
    """Two of it."""
    return 2 * x  # simple


TEXT = """one

  two  # three
"""
'''


@pytest.fixture
def fingerprint(tmp_path):
    def of(text: str) -> str:
        (tmp_path / "a.py").write_text(text, encoding="utf-8")
        return code.digest(tmp_path / "a.py")

    return of


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""A module."""', '"""Another description,\n\nof several lines."""'),
        ('    """Two of it."""\n', ""),
        ("  # simple", ""),
        ("  # simple", "  # what could be simpler?"),
        ("\n\n\ndef twice", "\n\n\n\n\ndef twice"),
    ],
)
def test_an_edit_of_a_comment_or_docstring_counts_for_nothing(fingerprint, old, new):
    assert old in BASE
    assert fingerprint(BASE.replace(old, new)) == fingerprint(BASE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2 * x", "3 * x"),
        ("import os", "import sys"),
        ("one\n\n  two", "one\n  two"),  # an empty line inside a string
        ("# three", "# four"),  # this is no comment
        ("one\n", "one \n"),
        ('    """Two of it."""\n', '    "doc"; x += 1\n'),
        ('"""one', 'b"""one'),
    ],
)
def test_an_edit_of_anything_else_counts(fingerprint, old, new):
    assert old in BASE
    assert fingerprint(BASE.replace(old, new)) != fingerprint(BASE)


def test_code_beside_a_docstring_counts(fingerprint):
    one, other = (f'def f(x):\n    "doc"; return {n} * x\n' for n in (1, 2))
    assert fingerprint(one) != fingerprint(other)


@hypothesis.given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=12))
@hypothesis.settings(max_examples=50)
def test_any_text_in_a_string_counts_and_in_a_comment_does_not(tmp_path_factory, text):
    file = tmp_path_factory.getbasetemp() / "any.py"

    def of(content: str) -> str:
        file.write_text(content, encoding="utf-8")
        return code.digest(file)

    assert (of(f"x = {text!r}\n") == of("x = ''\n")) == (text == "")
    assert of(f"x = 1  # {text}\n") == of("x = 1\n")


def test_a_script_uses_what_it_imports_directly_or_not():
    used = code.used_by("accuracy.py")
    assert {"accuracy.py", "taskvectors/__init__.py", "taskvectors/analysis/statistics.py"} <= set(used)
    assert not any("engine" in file or "figures" in file for file in used)
    assert "taskvectors/engine/patch.py" in code.used_by("sweep_layers.py")
    assert "taskvectors/report/page_tables.py" in code.used_by("../notebooks/study.ipynb")


def test_a_notebook_counts_by_its_code(tmp_path):
    def of(source: str, words: str) -> str:
        cells = f'[{{"cell_type": "code", "source": ["{source}"]}}, {{"cell_type": "markdown", "source": ["{words}"]}}]'
        (tmp_path / "a.ipynb").write_text(f'{{"cells": {cells}}}', encoding="utf-8")
        return code.digest(tmp_path / "a.ipynb")

    assert of("x = 1", "a") == of("x = 1", "b") != of("x = 2", "a")


def test_fingerprints_are_short_names():
    assert len(code.fingerprint("accuracy.py")) == code.LENGTH and sys.version_info >= (3, 11)
