"""What settings of questions must be beyond their schema: files, templates and names that are there."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from taskvectors.data.templates import parsed_all
from taskvectors.errors import StudyError
from taskvectors.paths import where
from taskvectors.resolving import check_known
from taskvectors.store import code
from taskvectors.store.files import files_of

REPRESENTATIONS = "taskvectors/questions/rivals/representations"  # below workflow/scripts


def check_representations(wanted: Sequence[str], named: Mapping[str, str], files: Sequence[str | Path]) -> None:
    """Refuse a representation without a file, or whose file is none.

    Args:
        wanted: as the configuration says.
        named: their files, by name.
        files: of the configuration.

    Raises:
        StudyError: naming the representation.
    """
    known = [file.stem for file in files_of(code.SCRIPTS / REPRESENTATIONS, "*.py")]
    check_known(
        [name for name in wanted if not name.endswith(".py")],
        known,
        "rivals: representations",
        f"workflow/scripts/{REPRESENTATIONS}",
    )
    if len(named) < len(wanted):
        raise StudyError("rivals: representations: two have the same name. Rename a file.")
    for place, name in enumerate(wanted):
        if name.endswith(".py") and not (Path(name).is_file() and code.defines(Path(name), "representation")):
            key = where(("rivals", "representations", place), files)
            raise StudyError(
                f"{key}: {name}: no such file, or it defines no `representation`. Correct the path, or add it."
            )


def check_robustness(wanted: Mapping[str, Any], tasks: Mapping[str, Any], files: Sequence[str | Path]) -> None:
    """Refuse templates that are none, and names of templates or tasks that are not known.

    Args:
        wanted: `robustness` of the configuration.
        tasks: all entries.
        files: of the configuration.

    Raises:
        StudyError: with file, line and key.
    """
    templates = parsed_all(wanted["templates"], lambda name: where(("robustness", "templates", name), files))
    published = where(("robustness", "published", "template"), files)
    check_known([wanted["published"]["template"]], templates, published, "robustness: templates")
    check_known(wanted["instructions"], tasks, "robustness: instructions", "config/tasks.yaml")
