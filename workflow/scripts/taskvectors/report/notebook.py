"""The report's notebook: executed on the study's tables and figures, then rendered as one page."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbconvert import HTMLExporter

from taskvectors.store.files import atomic


class KernelOfThisPython(AsyncKernelManager):
    """A kernel of the interpreter that runs this: never one that a hub or a user has registered under the same name."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(kernel_spec_manager=KernelSpecManager(kernel_dirs=[]), **settings)


def execute(notebook: str | Path, executed: str | Path, parameters: Mapping[str, Any]) -> None:
    """Run a notebook with these parameters and write it with its outputs, atomically."""
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])  # where the notebook's kernel finds the library
    with tempfile.TemporaryDirectory() as folder:
        # Jupyter wants a folder that the user alone can read; not every file system has such modes.
        os.environ["JUPYTER_RUNTIME_DIR"] = folder
        # Without a file of its own: papermill would write it anew, with all figures, before and after every cell.
        whole = papermill.execute_notebook(
            notebook,
            None,
            dict(parameters),
            kernel_name="python3",
            progress_bar=False,
            kernel_manager_class=KernelOfThisPython,
        )
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
