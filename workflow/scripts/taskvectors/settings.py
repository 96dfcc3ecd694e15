"""What a configuration must be beyond its schema: every key once, names that mean one thing, labels that differ.

Pure: nothing here imports Snakemake. The workflow calls it before anything else; messages name the key and the remedy.
"""

import copy
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import best_match

from taskvectors.data.pairs import SUFFIXES
from taskvectors.data.text import each_key_once, normal_form, unseen
from taskvectors.errors import StudyError
from taskvectors.names import LIMIT
from taskvectors.store.files import files_of

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # as in the schema
EVERY, PAPER = "all", "paper"  # tasks: every one, and those of the paper
OWN = "own"  # the family of tables in folders of the user's
NO_FAMILIES = ("conflict",)  # results/<model>/episodes/conflict.jsonl is of pairs of tasks
RANDOM = "-random"  # ends the names of models with random weights
# Where results lie, a folder of a model's beside files and folders of the study's.
IN_RESULTS = {
    "logs",
    "items",
    "archive",
    "environments",
    "README.md",
    "conclusions.csv",
    "summary.csv",
    "resources.csv",
}
IN_RESULTS |= {"provenance.json", "check_results.csv"}
# Lists of names, which YAML would read as numbers, dates or nothing where they look so.
LISTS_OF_NAMES = (("study", "models"), ("study", "tasks"), ("conflict", "pairs"))
TABLE_KEYS = ("table", "lookup", "classes", "choose")  # of tasks: what names a table
STRING = "tag:yaml.org,2002:str"
PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "map", "seq")}
LONGEST_NUMBER = 100  # digits
# Numbers as everybody reads them. YAML also takes 010 (octal), 0x10, 1_0 and 1:30 (sixty to the minute) for numbers.
NUMBERS = {
    "tag:yaml.org,2002:int": re.compile(r"[-+]?(0|[1-9][0-9]*)"),
    "tag:yaml.org,2002:float": re.compile(
        r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
    ),
}
LONGEST_LABEL, LONGEST_FAULT = 100, 200


def check_yaml(path: str | Path, loader: Any = yaml.SafeLoader) -> None:
    """Refuse a YAML (or JSON) file in which a key is repeated, or a name is read as something else.

    YAML itself keeps the last of two values of a key without a word, and reads `007` as 7, `no` as false and `null` as
    nothing.

    Args:
        loader: of PyYAML, as Snakemake reads settings; its quick one is laxer.

    Raises:
        StudyError: with file, lines, key and remedy.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        document = yaml.compose(text, Loader=loader)
    except UnicodeDecodeError as error:
        raise StudyError(f"{path}: not UTF-8 at byte {error.start}. Save the file as UTF-8.") from None
    except RecursionError:
        raise StudyError(f"{path}: not YAML that settings may be (too deep). Correct it.") from None
    except yaml.YAMLError as error:
        if _is_json(text, str(path)):
            return  # JSON may be indented with tabs
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        raise StudyError(f"{where}: not YAML ({getattr(error, 'problem', None) or error}). Correct the line.") from None
    except OSError:
        return  # Snakemake says so itself
    seen: set[int] = set()
    if document is not None:
        _check_node(document, (), str(path), seen)


def _is_json(text: str, path: str) -> bool:
    """Whether a text is JSON without repeated keys."""

    try:
        json.loads(text, object_pairs_hook=lambda pairs: each_key_once(pairs, path))
    except ValueError:
        return False
    return True


def _check_node(node: yaml.Node, place: tuple[str, ...], path: str, seen: set[int]) -> None:
    if id(node) in seen:  # an alias
        return
    seen.add(id(node))
    if not isinstance(node, yaml.ScalarNode) and node.tag not in PLAIN:
        raise StudyError(f"{path}, line {node.start_mark.line + 1}: {node.tag} means nothing here. Remove it.")
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.tag == "tag:yaml.org,2002:merge":
                _check_node(value, place, path, seen)
                continue
            where = f"{path}, line {line}"
            if not isinstance(key, yaml.ScalarNode) or key.tag != STRING:
                shown = key.value if isinstance(key, yaml.ScalarNode) else "this key"
                raise StudyError(f"{where}: {shown} is no string to YAML. Write it in quotes: '{shown}'.")
            name = normal_form(key.value)
            if name in lines:
                raise StudyError(
                    f"{where}: the key {': '.join((*place, name))} is already in line {lines[name]}. Put what belongs to it "
                    "into one place, and delete the other."
                )
            lines[name] = line
            _check_node(value, (*place, name), path, seen)
    elif isinstance(node, yaml.SequenceNode):
        for part in node.value:
            _check_node(part, place, path, seen)
    elif place in LISTS_OF_NAMES and node.tag != STRING:
        raise StudyError(
            f"{path}, line {node.start_mark.line + 1}: {': '.join(place)}: {node.value or 'an empty name'} is no string to YAML. "
            f"Write it in quotes: '{node.value}'."
        )
    elif node.tag not in PLAIN or (node.tag in NUMBERS and len(node.value) > LONGEST_NUMBER):
        raise StudyError(
            f"{path}, line {node.start_mark.line + 1}: {': '.join(place)}: {node.value[:60]} is no plain string or number to YAML "
            f"({node.tag.rsplit(':', 1)[-1]}). Write it in quotes, or correct it."
        )
    elif node.tag in NUMBERS and not NUMBERS[node.tag].fullmatch(node.value):
        read = yaml.safe_load(node.value)
        raise StudyError(
            f"{path}, line {node.start_mark.line + 1}: {': '.join(place)}: {node.value} is {read} to YAML. Write the number in plain "
            f"decimals, or '{node.value}' in quotes if it is none."
        )


def check_schema(config: Mapping[str, Any], schema: Mapping[str, Any], files: Iterable[str | Path]) -> None:
    """Refuse a configuration that its schema does not allow, in one sentence.

    Args:
        files: that the configuration was read from, in order: the last that has the key is named.

    Raises:
        StudyError: with file, key, fault and remedy.
    """
    error = best_match(Draft202012Validator(schema).iter_errors(config))
    if error is None:
        return
    place = [str(part) for part in error.absolute_path]
    keys = [part for part in error.absolute_path if isinstance(part, str)]
    at = [str(file) for file in files if _has(file, keys)]
    fault = error.message if len(error.message) <= LONGEST_FAULT else f"{error.message[:LONGEST_FAULT]} …"
    raise StudyError(
        f"{at[-1] if at else 'the configuration'}: {': '.join(place)}{': ' if place else ''}{fault}. Correct it; config/config.yaml, "
        "config/models.yaml and config/tasks.yaml show every key."
    )


def read_yaml(file: str | Path) -> Any:
    """The content of a YAML or JSON file that `check_yaml` passed."""
    text = Path(file).read_text(encoding="utf-8-sig")
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return json.loads(text)  # indented with tabs


def settings_of(file: str | Path) -> dict[str, Any]:
    """The content of a file of settings; empty if the file is.

    Raises:
        StudyError: if it is no mapping.
    """
    content = read_yaml(file)
    if content is not None and not isinstance(content, dict):
        raise StudyError(f"{file}: no keys and values. config/config.yaml shows what settings look like.")
    return content or {}


def merged(*settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings laid over each other: mappings key by key, anything else whole; the later wins."""
    result: dict[str, Any] = {}
    for layer in settings:
        for key, value in layer.items():
            below = result.get(key)
            if isinstance(value, Mapping) and isinstance(below, Mapping):
                result[key] = merged(below, value)
            else:
                result[key] = copy.deepcopy(value)
    return result


def with_defaults(config: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration that its schema allows, with what may be left out filled in."""

    def fill(validator: Any, properties: Any, instance: Any, _: Any) -> Iterator[Any]:
        for key, part in properties.items():
            if "default" in part and isinstance(instance, dict):
                instance.setdefault(key, copy.deepcopy(part["default"]))
        yield from Draft202012Validator.VALIDATORS["properties"](validator, properties, instance, _)

    whole = copy.deepcopy(dict(config))
    list(validators.extend(Draft202012Validator, {"properties": fill})(schema).iter_errors(whole))
    return whole


def _has(file: str | Path, keys: Sequence[str]) -> bool:
    """Whether a file says something at this place."""
    value = read_yaml(file)
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return True


def with_whole_numbers(value: Any, place: str = "") -> Any:
    """A configuration in which 50.0 is 50, as the schema takes it.

    Raises:
        StudyError: for a number that is not finite, which the schema's bounds let through.
    """
    if isinstance(value, Mapping):
        return {key: with_whole_numbers(part, f"{place}: {key}".removeprefix(": ")) for key, part in value.items()}
    if isinstance(value, list):
        return [with_whole_numbers(part, place) for part in value]
    if isinstance(value, float):
        if not math.isfinite(value):
            raise StudyError(f"{place}: {value} is no number to compute with. Correct it.")
        return int(value) if value.is_integer() else value
    return value


# What a task must state itself; families once decided it.
MEANT = {"knowledge": ("scoring", "prefix", "exact"), "limits": ("role", "limit", "main")}


def check_meanings(config: Mapping[str, Any]) -> None:
    """Refuse tasks of a family that once decided on their scoring or role, unless they say it themselves.

    Raises:
        StudyError: with key and remedy.
    """
    entries = [(f"tasks: {name}", entry) for name, entry in config["tasks"].items()]
    entries += [(f"task_folders: {entry['folder']}", entry) for entry in config["task_folders"]]
    for where, entry in entries:
        key, as_before, otherwise = MEANT.get(entry.get("family", OWN), ("", "", ""))
        if key and key not in entry:
            raise StudyError(
                f"{where}: a family is a label alone, {entry['family']}, too. Add `{key}: {as_before}` to count as the study's own "
                f"tasks of this family do, or `{key}: {otherwise}`."
            )


def check_names(config: Mapping[str, Any]) -> None:
    """Refuse names that mean something else, and labels that cannot be read.

    Args:
        config: of the study, tables of folders among its tasks.

    Raises:
        StudyError: with the key and the remedy.
    """
    families = {OWN, *(entry["family"] for entry in config["tasks"].values())}
    if reserved := sorted(families & {EVERY, PAPER, *NO_FAMILIES}):
        raise StudyError(f"tasks: family: {reserved[0]}: the name means something else. Choose another.")
    taken = {EVERY: "every task", PAPER: "the paper's tasks"} | {family: f"the family {family}" for family in families}
    for name in config["tasks"]:
        _check_name("tasks", name)
        if name in taken:
            raise StudyError(f"tasks: {name}: the name means {taken[name]}. Choose another, or rename its table.")
    for name, entry in config["models"].items():
        _check_name("models", name)
        if name in taken or name in IN_RESULTS:
            meaning = taken.get(name, f"results/{name}, which is the study's own")
            raise StudyError(f"models: {name}: the name means {meaning}. Choose another.")
        if name.endswith(RANDOM) and entry.get("source") != "random":
            raise StudyError(
                f"models: {name}: names that end with {RANDOM} are those of models with random weights. Choose another."
            )
    for registry in ("models", "tasks"):
        for name, entry in config[registry].items():
            for label in (entry["label"], *entry.get("labels", ())):
                _check_label(f"{registry}: {name}", label)
            labels = list(map(normal_form, entry.get("labels", ())))
            if twice := next((label for label in labels if labels.count(label) > 1), None):
                raise StudyError(
                    f"{registry}: {name}: labels: {twice!r} is there twice: two classes would have one name."
                )


def check_answer_tokens(tasks: Mapping[str, Mapping[str, Any]], default: int) -> None:
    """Refuse lengths of answers that jobs cannot have: those of a family's tasks differ, or a main task has its own.

    Raises:
        StudyError: naming the task.
    """
    of_family: dict[str, str] = {}
    lone = all(entry["role"] == LIMIT for entry in tasks.values())
    for name, entry in tasks.items():
        own, first = entry.get("answer_tokens", default), of_family.setdefault(entry["family"], name)
        if own != default and (entry["role"] != LIMIT or lone):
            raise StudyError(
                f"tasks: {name}: answer_tokens: means over tasks are of answers of one length. Set `scoring: answer_tokens`, or add "
                "`role: limit` and study main tasks beside it."
            )
        if own != tasks[first].get("answer_tokens", default):
            raise StudyError(
                f"tasks: {name}: answer_tokens: {first}, of the same family {entry['family']}, has another number. Give one of them "
                "another family."
            )


def check_labels_differ(registry: str, names: Iterable[str], config: Mapping[str, Any]) -> None:
    """Refuse two models, or tasks, of one study that figures could not distinguish.

    Raises:
        StudyError: naming both.
    """
    first: dict[str, str] = {}
    for name in names:
        label = normal_form(config[registry][name]["label"]).strip()
        other = first.setdefault(label, name)
        if other != name:
            raise StudyError(
                f"{registry}: {other} and {name} are both labelled {label!r}: no figure could distinguish them. Change one `label`."
            )


def _check_name(registry: str, name: str) -> None:
    if not NAME.fullmatch(name):
        raise StudyError(
            f"{registry}: {name!a}: a name has letters (A to Z), digits, dots, hyphens and underscores, and begins with a letter or "
            "digit. Rename it, or its table."
        )


def _check_label(where: str, label: str) -> None:
    if label != label.strip() or not label:
        raise StudyError(f"{where}: label: {label!a} is empty or has outer spaces. Correct it.")
    if bad := unseen(label):
        raise StudyError(f"{where}: label: {label!a} holds {bad}, which cannot be seen. Remove it.")
    if len(label) > LONGEST_LABEL:
        raise StudyError(
            f"{where}: label: {len(label)} characters, {LONGEST_LABEL} at most fit into figures. Shorten it."
        )


def groups(tasks: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """What `study: tasks` may name besides tasks, and the tasks of each; the family of the user's tables may be
    empty."""
    families = dict.fromkeys([*(entry["family"] for entry in tasks.values()), OWN])
    members = {family: [name for name, entry in tasks.items() if entry["family"] == family] for family in families}
    return {EVERY: list(tasks), PAPER: [name for name, entry in tasks.items() if not entry["ours"]], **members}


def table_label(table: Path) -> str:
    """What figures call the task of a table in a user's folder."""
    return table.stem.replace("_", " ").capitalize()


def tables_of(folders: Iterable[Mapping[str, str]]) -> Iterator[tuple[Mapping[str, str], Path]]:
    """Every table (CSV, TSV or JSON) of the folders, with its folder's entry.

    Raises:
        StudyError: if a folder holds none.
    """
    for entry in folders:
        folder = Path(entry["folder"])
        tables = [file for file in files_of(folder, "*") if file.suffix.lower() in SUFFIXES and not file.is_dir()]
        if not tables:
            found = f"holds no table ({', '.join(SUFFIXES)})" if folder.is_dir() else "is no folder"
            raise StudyError(f"task_folders: {entry['folder']} {found}. Correct the path.")
        yield from ((entry, table) for table in tables)
