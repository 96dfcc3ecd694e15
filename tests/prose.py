"""The text of a page's section, for made-up tables."""

from taskvectors.report.pages import Section, cells_of, methods_of
from taskvectors.study import read_study

STUDY = read_study()


def section(question: str) -> Section:
    (found,) = (one for one in STUDY.questions.page_sections if f"/{question}/" in one["page"])
    return Section(**{**found, "title": "", "page": str(STUDY.root / found["page"])})


def prose(question: str, tables, config) -> str:
    """The text of a question's section in one line; figures, tables and methods aside."""
    cells = cells_of(section(question), tables, config)
    return " ".join(" ".join(cell.source for cell in cells if cell.kind == "markdown").split())


def methods(question: str, tables, config) -> str:
    """What a question's section has to say on methods, in one line."""
    return " ".join(methods_of(section(question), tables, config).split())
