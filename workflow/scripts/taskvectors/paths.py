"""The user's paths in a configuration: where they are written, and what `~` and variables in them mean."""

import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from taskvectors.data.pairs import faults_of_tables, in_one_message
from taskvectors.data.tasks import load_task
from taskvectors.errors import StudyError
from taskvectors.resolving import tables_of_entry
from taskvectors.settings import TABLE_KEYS, read_yaml
from taskvectors.store.files import files_of

VARIABLES = re.compile(r"\$(\w+|\{\w+\})")
LONGEST_HEADER = 100_000_000  # bytes of a safetensors file, by its format
MOST_PARAMETERS = 10**15  # as in the schema
Keys = tuple[str | int, ...]  # from the top of a configuration to a value


def expand_paths(config: dict[str, Any], files: Sequence[str | Path]) -> None:
    """Replace `~` and `$NAME` in paths by their values, unless a file or folder has exactly that name.

    Args:
        files: that the configuration was read from, in order; messages name the last that has the key.

    Raises:
        StudyError: with file, line and key, for a variable that is not set, or braces, which Snakemake reads as
            wildcards.
    """
    for keys in list(_paths(config)):
        holder = _at(config, keys[:-1])
        path = holder[keys[-1]]
        if not path:
            raise StudyError(f"{where(keys, files)}: an empty path. Correct it, or leave the key out.")
        try:
            there = Path(path).exists()
        except OSError as error:  # a name that is too long
            raise StudyError(f"{where(keys, files)}: {path[:60]} …: {error.strerror}. Correct it.") from None
        if not there:
            holder[keys[-1]] = _expanded(path, where(keys, files))
        if {"{", "}"} & set(holder[keys[-1]]):
            raise StudyError(
                f"{where(keys, files)}: {holder[keys[-1]]}: braces in a path are wildcards to Snakemake. Rename the folder or file."
            )


def check_own_path(root: Path) -> None:
    """Refuse a workflow in a folder whose path Snakemake reads as a pattern.

    Raises:
        StudyError: with the remedy.
    """
    if {"{", "}"} & set(str(root)):
        raise StudyError(f"{root}: braces in a path are wildcards to Snakemake. Rename the folder of the workflow.")


def _expanded(path: str, place: str) -> str:
    # A variable that is set to nothing would make another path of it, as of one that is not set.
    lacking = any(not os.environ.get(name.strip("{}")) for name in VARIABLES.findall(path))
    expanded = path if lacking else os.path.expandvars(os.path.expanduser(path))  # noqa: PTH111 (a user who is not known is no exception)
    if expanded.startswith("~"):
        raise StudyError(f"{place}: {path}: there is no such user's home. Write the path in full.")
    if "$" in expanded:
        raise StudyError(
            f"{place}: {path}: the environment lacks the variable, and no file is called so. Set it, or write the path in full."
        )
    return expanded


def _paths(config: Mapping[str, Any]) -> Iterator[Keys]:
    """Keys of every path of the user's in a configuration."""
    for name, entry in config["models"].items():
        if "folder" in entry:
            yield "models", name, "folder"
    for name, entry in config["tasks"].items():
        yield from (("tasks", name, key) for key in TABLE_KEYS if key in entry)
    yield from (("task_folders", place, "folder") for place, _ in enumerate(config.get("task_folders", ())))
    for place, name in enumerate(config.get("rivals", {}).get("representations", ())):
        if name.endswith(".py"):
            yield "rivals", "representations", place
    if config.get("episodes", {}).get("source"):
        yield "episodes", "source"
    if isinstance(config.get("archive"), str):
        yield ("archive",)
    else:
        yield from (("archive", place) for place, _ in enumerate(config.get("archive") or ()))


def _at(value: Any, keys: Iterable[str | int]) -> Any:
    for key in keys:
        value = value[key]
    return value


def check_tables(
    names: Iterable[str], tasks: Mapping[str, Mapping[str, Any]], made: str, files: Sequence[str | Path]
) -> None:
    """Refuse tasks of a study whose table is not there; those below the folder `made` are made by a rule.

    Raises:
        StudyError: with file, line, key and remedy.
    """
    for name in names:  # whether they can be read is seen by `check_rows`
        named = [(key, tasks[name]) for key in TABLE_KEYS]
        named += [(how, entry) for how, entry in tasks[name].items() if isinstance(entry, Mapping)]  # of another task
        for key, entry in named:
            path = entry.get(key if key in TABLE_KEYS else "table")
            if path and not Path(path).is_file() and not Path(path).is_relative_to(made):
                raise StudyError(
                    f"{where(('tasks', name, key), files)}: {path}: no such file. Correct the path, or add the table."
                )


def check_rows(
    paths: Iterable[str], root: Path, tasks: Mapping[str, Mapping[str, Any]], files: Sequence[str | Path]
) -> None:
    """Refuse tables of the user's that cannot be read, and tasks that cannot be made, all faults at once; those of the
    workflow itself are tested.

    Args:
        tasks: entries of the user's own, tasks made of others resolved.

    Raises:
        StudyError: with file and line of every fault.
    """
    theirs = [path for path in paths if Path(path).is_file() and not Path(path).resolve().is_relative_to(root / "data")]
    faults = faults_of_tables(theirs)
    for name, entry in {} if faults else tasks.items():
        if all(Path(path).is_file() for _, path in tables_of_entry(entry)):  # else a rule makes it
            try:
                load_task(name, entry)
            except StudyError as error:
                faults.append(f"{where(('tasks', name), files)}: {error}")
    if faults:
        raise StudyError(in_one_message(faults))


def located_archives(named: str | Sequence[str] | None, root: Path) -> list[str]:
    """Archives; one that comes with the workflow is the workflow's, wherever the study is run."""
    paths = [named] if isinstance(named, str) else [*(named or ())]
    return [str(root / path) if not Path(path).exists() and (root / path).is_file() else path for path in paths]


def check_folders(models: Mapping[str, Mapping[str, Any]], files: Sequence[str | Path]) -> None:
    """Refuse a model's folder that holds no model; those with random weights have none.

    Raises:
        StudyError: with file, line, key and remedy.
    """
    for name, entry in models.items():
        folder = entry.get("folder")
        if folder and entry.get("source") != "random" and not files_of(folder, "*.safetensors"):
            raise StudyError(
                f"{where(('models', name, 'folder'), files)}: {folder} holds no model (*.safetensors). Name a folder written by "
                "save_pretrained."
            )


def count_parameters(models: Iterable[dict[str, Any]]) -> None:
    """Where the entry of a model in a folder does not say its number of parameters, write down what its files hold."""
    for entry in models:
        if entry.get("folder") and entry.get("source") != "random" and not entry.get("parameters"):
            counts = [_parameters_of_file(file) for file in files_of(entry["folder"], "*.safetensors")]
            entry["parameters"] = sum(counts) if counts and all(counts) else None


def _parameters_of_file(file: Path) -> int:
    """The header of a safetensors file gives the shapes: eight bytes for its length, then JSON.

    Read without the library, as Snakemake alone may plan a study. A file without a header counts 0; the rule that
    prepares the weights refuses it.
    """
    try:
        with file.open("rb") as opened:
            header = json.loads(opened.read(min(int.from_bytes(opened.read(8), "little"), LONGEST_HEADER)))
        shapes = [tensor["shape"] for name, tensor in header.items() if name != "__metadata__"]
        if not all(type(size) is int and size >= 0 for shape in shapes for size in shape):
            return 0
        count = sum(map(math.prod, shapes))
        return count if count <= MOST_PARAMETERS else 0
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return 0


def check_given(source: str | None, tasks: Iterable[str], files: Sequence[str | Path]) -> None:
    """Refuse a folder of ready-made episodes that holds none of any task.

    Raises:
        StudyError: with file, line, key and remedy.
    """
    wanted = [f"{task}.jsonl" for task in tasks]
    if source and not any(Path(source, name).is_file() for name in wanted):
        raise StudyError(
            f"{where(('episodes', 'source'), files)}: {source} holds no episodes ({wanted[0]} …). Correct the path, or set it to null."
        )


def where(keys: Keys, files: Sequence[str | Path]) -> str:
    """File, line and key of a value, for messages: in the last of the files that has it."""
    named = ": ".join(str(key) for key in keys if isinstance(key, str))
    for file in reversed(files):
        try:
            _at(read_yaml(file), keys)
            return f"{file}, line {_line(Path(file).read_text(encoding='utf-8-sig'), keys)}, {named}"
        except (KeyError, IndexError, TypeError, OSError):
            continue
        except yaml.YAMLError:  # JSON that is indented with tabs
            return f"{file}, {named}"
    return named


def _line(text: str, keys: Keys) -> int:
    """The line of a value in a YAML document."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            pairs = {name.value: value for name, value in node.value}
            if key not in pairs:  # merged in from elsewhere
                break
            node = pairs[key]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int):
            node = node.value[key]
    return node.start_mark.line + 1
