"""The documentation as a site: `make docs`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import tomllib

import generated
from nbconvert import MarkdownExporter

PROJECT = tomllib.loads((generated.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HERE = Path(__file__).parent

project = "In-context learning creates task vectors"
version = release = PROJECT["version"]
author = "The maintainers of the task vector study"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.doctest"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
nitpicky = True
nitpick_ignore_regex = [("py:.*", r".*")]  # types of other projects; pages and headings are checked
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_preserve_defaults = True
add_module_names = False
html_theme = "furo"
html_title = "Task vectors: the study"
html_show_copyright = False
html_show_sourcelink = False


def write_pages(app):
    """Pages that follow from other files are written before the others are read."""
    pages = {
        "reference/settings.md": generated.settings_page(),
        "reference/tables.md": generated.tables_page(),
        "explore.md": MarkdownExporter().from_filename(str(HERE / "explore.ipynb"))[0],
    }
    for name, text in pages.items():
        (HERE / name).write_text(text, encoding="utf-8")


def setup(app):
    app.connect("builder-inited", write_pages)
