"""The notebook of `make explore`."""

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from conftest import ROOT

NOTEBOOK = ROOT / "docs/explore.ipynb"


def executed(folder, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "workflow/scripts"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


def test_theta_is_read_patched_and_mixed(finished, monkeypatch):
    notebook = executed(finished.folder, monkeypatch)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    text = "".join(output.get("text", "") for output in outputs)
    assert "example:run->running\nexample:play->playing" in text
    assert "work with gerund patched in: 'working'" in text and "open with antonym patched in: 'closed'" in text
    assert any("image/png" in output.get("data", {}) for output in outputs)


def test_without_weights_it_says_what_fetches_them(tmp_path, monkeypatch):
    with pytest.raises(CellExecutionError, match=r"make explore. fetches the small model"):
        executed(tmp_path, monkeypatch)


def test_it_is_kept_without_outputs():
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert all(not cell.outputs and cell.execution_count is None for cell in cells if cell.cell_type == "code")
