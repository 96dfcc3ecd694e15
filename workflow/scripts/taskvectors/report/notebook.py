"""The report's notebook: made from the pages of the questions, executed on tables and figures, then rendered as one
page."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from taskvectors.observations.rows import Tables
from taskvectors.report.cells import Config
from taskvectors.report.html import escaped
from taskvectors.report.pages import Section, cells_of, methods_of
from taskvectors.store.files import atomic

PARAMETERS = """\
# Of rule study_notebook: files of every table by name, entries of figures and tables, settings, and two more files.
tables, figures, shown, absent, config, written, sections, links = {}, {}, {}, {}, {}, {}, {}, {}
drawn = provenance = schematic_file = ""
"""
SETUP = """\
from IPython.display import HTML
from taskvectors.report.page import Page

page = Page.read(tables, figures, drawn, shown, absent, config, provenance, schematic_file, written, sections, links)


def figure(name):
    return HTML(page.figure(name))


def table(name):
    return HTML(page.table(name))


def verdicts():
    return HTML(page.verdicts())


def schematic():
    return HTML(page.schematic())


def files():
    return HTML(page.files())


def made_with():
    return HTML(page.made_with())
"""


class KernelOfThisPython(AsyncKernelManager):
    """A kernel of the interpreter that runs this: never one that a hub or a user has registered under the same
    name."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(kernel_spec_manager=KernelSpecManager(kernel_dirs=[]), **settings)


def built(sections: Sequence[Section], tables: Tables, config: Config) -> nbformat.NotebookNode:
    """The notebook of these sections. Their parts on methods go where a page has `{{ methods() }}`.

    Raises:
        StudyError: see `cells_of`.
    """
    safe = escaped(config)
    methods = "\n\n".join(filter(None, (methods_of(section, tables, safe) for section in sections)))
    cells = [new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}), new_code_cell(SETUP)]
    for number, cell in enumerate(cell for section in sections for cell in cells_of(section, tables, safe)):
        if cell.source == "methods()":
            cells.append(new_markdown_cell(methods))
        else:
            cells.append((new_code_cell if cell.kind == "code" else new_markdown_cell)(cell.source))
        cells[-1]["id"] = f"cell-{number}"  # the same notebook has the same bytes
    cells[0]["id"], cells[1]["id"] = "parameters", "setup"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})


def execute(notebook: nbformat.NotebookNode, executed: str | Path, parameters: Mapping[str, Any]) -> None:
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
