"""The report's notebook: executed on the study's tables and figures, then rendered as one page."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbconvert import HTMLExporter

from taskvectors.store.files import atomic


def execute(notebook: str | Path, executed: str | Path, parameters: Mapping[str, Any]) -> None:
    """Run a notebook with these parameters and write it with its outputs, atomically."""
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])  # where the notebook's kernel finds the library
    # Without a file of its own: papermill would write it anew, with all figures, before and after every cell.
    whole = papermill.execute_notebook(notebook, None, dict(parameters), kernel_name="python3", progress_bar=False)
    with atomic(executed) as temporary:
        nbformat.write(whole, temporary)


def rendered(notebook: str | Path, template: str | Path) -> str:
    """The HTML page of an executed notebook.

    Args:
        template: a file in the folder of the template.
    """
    folder = Path(template).resolve().parent
    exporter = HTMLExporter(
        template_name=folder.name, extra_template_basedirs=[str(folder.parent)], exclude_anchor_links=True
    )
    page, _ = exporter.from_filename(str(notebook))
    return page
