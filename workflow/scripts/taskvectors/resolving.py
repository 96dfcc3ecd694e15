"""What a configuration leaves to be worked out: tables of folders, tasks made of others, models with random
weights."""

import difflib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from taskvectors import settings
from taskvectors.errors import StudyError

Entry = Mapping[str, Any]  # of a model, a task, a table or a figure
MADE_OF = ("inverse_of", "copy_of", "bijection_of", "other_direction")  # keys of tasks that name another task
COMPOSED = "composed_of"  # names two


def check_known(names: Iterable[str], known: Collection[str], where: str, file: str) -> None:
    """Refuse a name that a registry lacks.

    Raises:
        StudyError: with the key and the nearest known name.
    """
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."
            raise StudyError(f"{where}: {name} is not in {file}. {hint}")


def add_tables_of_folders(config: dict[str, Any]) -> None:
    """Folders of tables named by the user: every table a task."""
    for folder, table in settings.tables_of(config["task_folders"]):
        if table.stem in config["tasks"]:
            raise StudyError(f"task_folders: {table}: a task {table.stem} is known already. Rename the table.")
        keys = {key: value for key, value in folder.items() if key != "folder"}
        config["tasks"][table.stem] = {"label": settings.table_label(table), "table": str(table), "ours": True, **keys}


def resolve_made_tasks(config: dict[str, Any]) -> None:
    """Tasks made of others: the other's entry takes the place of its name. And the label says what is not the
    paper's."""
    for name, entry in config["tasks"].items():
        for how in set(MADE_OF) & set(entry):
            entry[how] = _made_of(config["tasks"], entry[how], f"tasks: {name}: {how}")
        if COMPOSED in entry:
            entry[COMPOSED] = [
                _made_of(config["tasks"], other, f"tasks: {name}: {COMPOSED}") for other in entry[COMPOSED]
            ]
        if entry["ours"]:
            entry["label"] += " (ours)"


def _made_of(tasks: Mapping[str, Entry], name: str, where: str) -> dict[str, Any]:
    """What a task's pairs are made from.

    Raises:
        StudyError: if there is no such task, or it is itself made of another.
    """
    check_known([name], tasks, where, "config/tasks.yaml")
    if not {"table", "generate"} & set(tasks[name]):
        raise StudyError(f"{where}: {name} is itself made of another task. Name one with a table or generator.")
    return {key: tasks[name][key] for key in ("table", "generate", "renamed") if key in tasks[name]}


def parts_of(entry: Entry) -> list[Any]:
    """The entry of a task, and those of the tasks that it is made of."""
    return [entry, *(entry[how] for how in MADE_OF if how in entry), *entry.get(COMPOSED, [])]


def name_random_models(config: dict[str, Any]) -> None:
    """A model with random weights gets a name, folder and label of its own: no table or figure can pass it off as
    trained."""
    names = config["study"]["models"]
    check_known(names, config["models"], "study: models", "config/models.yaml")
    for place, name in enumerate(names):
        entry = config["models"][name]
        if entry.get("source") != "random":
            continue
        if "shape" not in entry:
            raise StudyError(f"config/models.yaml, models: {name}: source: random needs a shape.")
        names[place] = f"{name.removesuffix(settings.RANDOM)}{settings.RANDOM}"
        if names[place] in {*config["models"], *names[:place]} - {name}:
            raise StudyError(
                f"models: {names[place]} is the name of {name} with random weights. Rename one of the two."
            )
        config["models"][names[place]] = {**entry, "label": f"{entry['label']} (random weights)"}


def tables_of_entry(entry: Entry) -> list[tuple[str, str]]:
    """Key and path of every table that an entry of a task names, itself or in the task it is made of."""
    return [(key, one[key]) for one in parts_of(entry) for key in settings.TABLE_KEYS if key in one]


def locate_tables(config: dict[str, Any], root: Path) -> None:
    """Tables that come with the workflow are those of the workflow, wherever the study is run."""
    for entry in config["tasks"].values():
        for one in parts_of(entry):
            for key in settings.TABLE_KEYS:
                if key in one and not Path(one[key]).exists() and (root / one[key]).is_file():
                    one[key] = str(root / one[key])
