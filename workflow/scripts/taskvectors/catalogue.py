"""What the questions of a study write and show, derived from their entries."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

from taskvectors.entries import Entries, Entry, Question
from taskvectors.errors import StudyError

REMEDY = "Make it anew with `make archive`, or check out the version of the code that provenance.json in it names."


def imported(file: str) -> str:
    """A file below workflow/scripts, as Python imports it."""
    return file.removesuffix(".py").replace("/", ".")


@dataclass(frozen=True)
class Catalogue:
    """What the questions of a study write and show.

    Attributes:
        entries: of all questions, in the order of the page.
        conditions: what a figure may name under `when`, and whether this study has it.
        models: their names.
        root: where the workflow lies.
        held: columns of the tables that archives hold, as `<model>/<table>`, where figures and report are rebuilt from
            such; else None. What one lacks is left out.
        archives: the archive of every model; empty where there is none.
    """

    entries: list[Question]
    conditions: Mapping[str, bool]
    models: list[str]
    root: Path
    held: Mapping[str, list[str]] | None
    archives: Mapping[str, str]

    def __iter__(self) -> Iterator[Question]:
        return iter(self.entries)

    @cached_property
    def all_tables(self) -> Entries:
        """Every table that a study writes, by name."""
        return {name: entry for question in self for name, entry in question.tables.items()}

    @cached_property
    def tables(self) -> list[str]:
        """Names of the tables of every model; of archives, those that all hold.

        Raises:
            StudyError: for an archive that lacks what claims rest on, or whose tables have other columns.
        """
        names = [name for name, entry in self.all_tables.items() if not entry["study"]]
        if self.held is None:
            return names
        lacking = dict[str, str]()  # the first archive that lacks it, by table
        for model, name in product(self.models, names):
            columns, archive = self.held.get(f"{model}/{name}"), self.archives[model]
            if columns is None:
                lacking.setdefault(name, archive)
            elif columns != self.all_tables[name]["columns"]:
                raise StudyError(
                    f"archive: {archive}: {name}.csv has not the columns of this version of the study. {REMEDY}"
                )
        for name, archive in lacking.items():
            if self.all_tables[name]["evidence"]:
                raise StudyError(f"archive: {archive} lacks {name}, which claims rest on. {REMEDY}")
        return [name for name in names if name not in lacking]

    @property
    def study_tables(self) -> list[str]:
        """Names of the tables over all models."""
        return [name for name, entry in self.all_tables.items() if entry["study"]]

    @property
    def shown_tables(self) -> list[str]:
        """Tables that the page shows something of."""
        return [*self.tables, *self.study_tables]

    @property
    def evidence(self) -> list[str]:
        """Tables that claims rest on, if they are there."""
        return [name for name in self.tables if self.all_tables[name]["evidence"] or self.all_tables[name]["separate"]]

    @cached_property
    def sections(self) -> dict[str, str]:
        """Where Snakemake's report lists a table or figure, by its name."""
        return {name: question.section for question in self for name in (*question.tables, *question.figures)}

    @cached_property
    def drawings(self) -> dict[str, str]:
        """Files that draw figures, below workflow/scripts, by figure."""
        return {name: question.module(f"figures/{name}") for question in self for name in question.figures}

    @property
    def claims(self) -> dict[str, str]:
        """Files with claims, below workflow/scripts, by question."""
        return {question.name: question.module("claims") for question in self if question.has("claims")}

    @property
    def pages(self) -> dict[str, str]:
        """Pages, from the workflow's root, by question."""
        return {question.name: os.path.relpath(question.page, self.root) for question in self}

    @property
    def page_modules(self) -> dict[str, str]:
        """Files with what pages show, below workflow/scripts, by question."""
        return {question.name: question.module("page") for question in self if question.has("page")}

    @property
    def latex_modules(self) -> list[str]:
        """Of these, those that make tables in LaTeX."""
        modules = self.page_modules
        return [
            modules[question.name]
            for question in self
            if question.name in modules and question.shown.keys() & self.latex_tables.keys()
        ]

    @property
    def page_sections(self) -> list[dict[str, Any]]:
        """The sections of the page: what `taskvectors.report.pages.Section` holds, pages from the workflow's root."""
        return [
            {
                "title": question.title,
                "page": self.pages[question.name],
                "module": imported(self.page_modules.get(question.name, "")),
                "lacking": [table for table in question.tables if table not in self.shown_tables],
            }
            for question in self
        ]

    @property
    def figures(self) -> Entries:
        """The figures of this study, by name."""
        return {name: entry for name, entry in self._all_figures.items() if not self._lacking(entry)}

    @property
    def report_tables(self) -> Entries:
        """The tables of the page, by name, with the `module` that makes each; empty if none does."""
        return {name: entry for name, entry in self._all_shown.items() if not self._lacking(entry)}

    @property
    def latex_tables(self) -> Entries:
        return {name: entry for name, entry in self.report_tables.items() if entry["latex"]}

    @property
    def latex_sources(self) -> list[str]:
        """Tables that tables in LaTeX are made of."""
        return list(dict.fromkeys(table for entry in self.latex_tables.values() for table in entry["tables"]))

    @property
    def absent(self) -> dict[str, list[str]]:
        """Figures and tables of the page that are left out, and what an archive lacks for them."""
        entries = {**self._all_shown, **self._all_figures}
        return {name: lacking for name, entry in entries.items() if (lacking := self._lacking(entry))}

    @property
    def _all_figures(self) -> Entries:
        figures = ((name, entry) for question in self for name, entry in question.figures.items())
        return {name: entry for name, entry in figures if not entry["when"] or self.conditions[entry["when"]]}

    @property
    def _all_shown(self) -> Entries:
        modules = self.page_modules
        return {
            name: {**entry, "module": imported(modules.get(question.name, ""))}
            for question in self
            for name, entry in question.shown.items()
        }

    def _lacking(self, entry: Entry) -> list[str]:
        return [table for table in entry["tables"] if table not in self.shown_tables]
