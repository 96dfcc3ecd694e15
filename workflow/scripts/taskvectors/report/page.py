"""What the notebook shows: figures and tables by name, as HTML."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from taskvectors.observations.rows import Tables
from taskvectors.report.by_layer import matrix_html, points_html
from taskvectors.report.cells import Config
from taskvectors.report.html import (
    PAGES,
    by_layer_html,
    figure_html,
    missing_html,
    schematic_html,
    table_html,
    verdicts_html,
)
from taskvectors.report.pages import page_table
from taskvectors.report.provenance_tables import files_table, provenance_table, weights_table
from taskvectors.store.tables import read_csvs

Entries = Mapping[str, Mapping[str, Any]]
# What the page shows of a table in place of its rows.
VIEWS: Mapping[str, Callable[[pd.DataFrame, Mapping[str, Any]], str]] = {
    "matrix": lambda content, entry: matrix_html(content, entry["says"]),
    "points": lambda content, entry: points_html(content),
}


@dataclass(frozen=True)
class Page:
    """What the notebook shows.

    Attributes:
        tables: of all models together, by name; published ones as `paper/<name>`.
        figures: entries of the figures that this study has.
        drawn: the folder that they are in.
        shown: entries of the tables that this study shows, with the `module` that makes each.
        absent: figures and tables left out, and the tables that an archive lacks for them.
        config: of the study.
        provenance: of the study.
        schematic_file: a drawing of how θ is read and patched.
        written: entries of all tables that the study writes.
        sections: short names of questions.
        links: the files of every table, as the study calls them, wherever they lie.
    """

    tables: Tables
    figures: Entries
    drawn: Path
    shown: Entries
    absent: Mapping[str, Sequence[str]]
    config: Config
    provenance: Mapping[str, Any]
    schematic_file: str
    written: Entries
    sections: Mapping[str, str]
    links: Mapping[str, Sequence[str]]

    @staticmethod
    def read(
        files: Mapping[str, Sequence[str]], figures: Entries, drawn: str, shown: Entries,
        absent: Mapping[str, Sequence[str]], config: Config, provenance: str, schematic_file: str, written: Entries,
        sections: Mapping[str, str], links: Mapping[str, Sequence[str]],
    ) -> "Page":  # fmt: skip
        """The page of these files: those of every table, by name, and the provenance."""
        tables = {name: read_csvs(of_name) for name, of_name in files.items()}
        content = json.loads(Path(provenance).read_text(encoding="utf-8"))
        return Page(
            tables, figures, Path(drawn), shown, absent, config, content, schematic_file, written, sections, links
        )

    def figure(self, name: str) -> str:
        """A figure; nothing if the study has none of that name, and a word if an archive lacks its tables."""
        if name in self.absent:
            return missing_html(name, self.absent[name])
        if name not in self.figures:
            return ""
        entry, sources = self.figures[name], [f"{PAGES}/figures/{name}.csv"]
        return figure_html(
            str(self.drawn / f"{name}.svg"), entry["title"], entry["caption"], sources, hover=entry["hover"]
        )

    def table(self, name: str) -> str:
        """A table; nothing if it has no rows, and a word if an archive lacks what it is made of."""
        if name in self.absent:
            return missing_html(f"table-{name}", self.absent[name])
        entry = self.shown[name]
        content = page_table(name, entry, self.tables, self.config)
        if content.empty:
            return ""
        files = [file for table in entry["tables"] for file in self.links[table]]
        files += [f"data/paper/{table}.csv" for table in entry["published"]]
        if entry["view"]:
            picture = VIEWS[entry["view"]](content, entry)
            return by_layer_html(picture, f"by-layer-{name}", entry["title"], entry["caption"], files)
        return table_html(content, name, entry["caption"], files, prose=entry["prose"])

    def verdicts(self) -> str:
        """All verdicts at a glance."""
        models = {name: entry["label"] for name, entry in self.config["models"].items()}
        return verdicts_html(self.tables["conclusions"], self.sections, models)

    def files(self) -> str:
        """Every table: its file, what a row is, its columns, and what has to be said about them."""
        return table_html(files_table(self.written), "files", "Every table of the study.", [], prose=True)

    def schematic(self) -> str:
        """The drawing of how θ is read and patched."""
        return schematic_html(self.schematic_file)

    def made_with(self) -> str:
        """Code, software and hardware, and checksums of the models."""
        captions = ("Code, software and hardware of this study.", "Checksums of the weights and tokenizers.")
        tables = {"provenance": provenance_table(self.provenance), "weights": weights_table(self.provenance)}
        return "".join(
            table_html(table, name, caption, ["provenance.json"])
            for (name, table), caption in zip(tables.items(), captions, strict=True)
        )
