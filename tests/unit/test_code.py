"""Fingerprints of code: what a script uses, and what of an edit counts."""

import sys

import hypothesis
import pytest
from hypothesis import strategies as st

from taskvectors.store import code

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
    assert {"accuracy.py", "taskvectors/__init__.py", "taskvectors/observations/intervals.py"} <= set(used)
    assert not any("engine" in file or "figures" in file for file in used)
    assert "taskvectors/engine/patch.py" in code.used_by("sweep_layers.py")
    assert "taskvectors/report/html.py" in code.used_by("taskvectors/report/page.py")


def test_fingerprints_are_short_names():
    assert len(code.fingerprint("accuracy.py")) == code.LENGTH and sys.version_info >= (3, 11)


def test_what_was_found_out_is_kept_by_the_bytes_of_files_and_never_of_others(tmp_path, monkeypatch):
    """Also by another version of this module, after damage, and where nothing can be written."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "a.py"
    file.write_text(BASE, encoding="utf-8")

    def found(expected: int) -> tuple[str, list[str]]:
        """What a new start finds, and how many files it had to parse for it."""
        parsed, real, kept = [], code._without_comments, []
        monkeypatch.setattr(code, "_without_comments", lambda text: parsed.append(text) or real(text))
        monkeypatch.setattr(code.atexit, "register", kept.append)
        code._known.cache_clear()
        digest = code.digest(file)
        for write in kept:
            write()
        monkeypatch.setattr(code, "_without_comments", real)
        assert len(parsed) == expected
        return digest

    first = found(1)
    assert not code.KNOWN.exists()  # there is no folder of Snakemake's
    (tmp_path / ".snakemake").mkdir()
    assert found(1) == first and code.KNOWN.exists()
    assert found(0) == first
    file.write_text(BASE.replace("2 * x", "3 * x"), encoding="utf-8")
    assert found(1) != first
    file.write_text(BASE, encoding="utf-8")
    assert found(0) == first
    for damage in ("", "[]", '{"x": 1}', "{"):
        code.KNOWN.write_text(damage, encoding="utf-8")
        assert found(1) == first
    monkeypatch.setattr(code, "write_text", lambda *of: (_ for _ in ()).throw(OSError("read-only")))
    code.KNOWN.unlink()
    assert found(1) == first and not code.KNOWN.exists()
    code._known.cache_clear()


def test_imports_for_type_checkers_alone_are_none(tmp_path):
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from taskvectors.data import tasks\nimport taskvectors.errors\n"
    assert code._names(text) == {"taskvectors.errors"}
