"""The text of a page's section, for made-up tables."""

from taskvectors.report.pages import Section, cells_of
from taskvectors.study import read_study


def prose(question: str, tables, config) -> str:
    """The text of a question's section, its lines joined; figures, tables and methods aside."""
    study = read_study()
    page, module = (
        study.questions.pages[question],
        study.questions.page_modules[question].removesuffix(".py").replace("/", "."),
    )
    cells = cells_of(Section(str(study.root / page), module, []), tables, config)
    return " ".join(" ".join(cell.source for cell in cells if cell.kind == "markdown").split())
