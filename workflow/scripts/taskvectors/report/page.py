"""The page: figures and tables by name, as HTML, for the notebook."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taskvectors.analysis.roles import Tables
from taskvectors.report.cells import Config
from taskvectors.report.html import figure_html, missing_html, table_html
from taskvectors.report.page_tables import page_table


@dataclass(frozen=True)
class Page:
    """What the notebook shows.

    Attributes:
        tables: of all models together, by name; published ones as `paper/<name>`.
        figures: entries of workflow/figures.yaml that this study has.
        shown: entries of `report` in workflow/tables.yaml that this study has.
        absent: figures and tables left out, and the tables that an archive lacks for them.
        config: of the study.
    """

    tables: Tables
    figures: Mapping[str, Mapping[str, Any]]
    shown: Mapping[str, Mapping[str, Any]]
    absent: Mapping[str, Sequence[str]]
    config: Config

    def figure(self, name: str) -> str:
        """A figure; nothing if the study has none of that name, and a word if an archive lacks its tables."""
        if name in self.absent:
            return missing_html(name, self.absent[name])
        if name not in self.figures:
            return ""
        entry, stem = self.figures[name], f"reports/figures/{name}"
        return figure_html(f"{stem}.svg", entry["title"], entry["caption"], [f"{stem}.csv"], hover=entry["hover"])

    def table(self, name: str) -> str:
        """A table; nothing if it has no rows, and a word if an archive lacks what it is made of."""
        if name in self.absent:
            return missing_html(f"table-{name}", self.absent[name])
        entry = self.shown[name]
        content = page_table(name, self.tables, self.config)
        if content.empty:
            return ""
        files = [f"{table}.csv" for table in entry["tables"]] + [
            f"data/paper/{table}.csv" for table in entry["published"]
        ]
        return table_html(content, name, entry["caption"], files, prose=entry["prose"])
