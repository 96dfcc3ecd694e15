"""Archives of finished studies as one study: the models of all on one page."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from taskvectors.errors import StudyError
from taskvectors.settings import groups
from taskvectors.store.archived import archived_config, archived_tables, read_archive

# These do not say how a model was measured; models and tasks are compared one by one.
APART = ("models", "tasks", "archive", "compute", "task_folders", "study: models")
LONGEST_NAME = 80  # of a folder, far below what file systems take
Config = dict[str, Any]


def archived_settings(archives: list[str]) -> Config:
    """The settings of finished studies, which replace the user's. Raises: see `joined_config`."""
    try:
        return {**joined_config(archives), "archive": archives}
    except (KeyError, TypeError, AttributeError) as error:
        raise StudyError(
            f"archive: {', '.join(archives)}: provenance.json has not the settings of a study ({error!r})."
        ) from None
    except StudyError as error:
        raise StudyError(f"archive: {error}") from None


def joined_config(archives: Sequence[str]) -> Config:
    """The settings of the first archive, with the models and tasks of all and the questions that all asked. A model
    that several archives hold is called by its name and the archive's.

    The key `joined` says of every model which archive it comes from and its name there (`origins`), and which settings
    differ between archives (`differing`: by key, the value in each archive).

    Raises:
        StudyError: see `read_archive`; also if two archives have the same name, or the same tables of a model.
    """
    configs = {path: archived_config(path) for path in archives}
    names = {path: Path(path).stem for path in archives}
    if twice := [name for name, count in Counter(names.values()).items() if count > 1]:
        raise StudyError(f"two are called {twice[0]}: models are told apart by it. Rename one.")
    held = Counter(model for config in configs.values() for model in config["study"]["models"])
    origins, models = dict[str, tuple[str, str]](), dict[str, Any]()
    for path, config in configs.items():
        for model in config["study"]["models"]:
            entry, name = config["models"][model], model
            if held[model] > 1:
                name, entry = f"{model}-{names[path]}", {**entry, "label": f"{entry['label']} ({names[path]})"}
            if name in models:
                raise StudyError(f"{path}: two models would be called {name}. Rename the archive.")
            origins[name], models[name] = (path, model), entry
    _refuse_the_same_twice(origins)
    first, every = configs[archives[0]], list(configs.values())
    differing = _differing({names[path]: config for path, config in configs.items()})
    study = {
        "models": list(models),
        "tasks": _union(config["study"]["tasks"] for config in every),
        "questions": _asked_by_all(config["study"].get("questions") for config in every),
    }
    return {
        **first,
        "study": {**first["study"], **study},
        "models": models,
        "tasks": {name: entry for config in reversed(every) for name, entry in config["tasks"].items()},
        "conflict": {**first["conflict"], "pairs": _union(config["conflict"]["pairs"] for config in every)},
        "joined": {"origins": origins, "differing": differing},
    }


def _union(lists: Iterable[str | Sequence[Any]]) -> list[Any]:
    found: list[Any] = []
    for one in lists:
        found += [item for item in ([one] if isinstance(one, str) else one) if item not in found]
    return found


def _asked_by_all(questions: Iterable[list[str] | None]) -> list[str] | None:
    """Of others there are not the tables of every model; None: every question."""
    lists = [one for one in questions if one is not None]
    return [name for name in lists[0] if all(name in one for one in lists)] if lists else None


def _refuse_the_same_twice(origins: Mapping[str, tuple[str, str]]) -> None:
    seen = dict[str, str]()
    for path, model in origins.values():
        own = {name: data for name, data in read_archive(path).items() if name.startswith(f"tables/{model}/")}
        content = repr(sorted(own.items()))
        if own and content in seen:
            raise StudyError(f"{seen[content]} and {path} hold the same tables of {model}. Name one of them.")
        seen[content] = path


def _differing(configs: Mapping[str, Config]) -> dict[str, dict[str, str]]:
    """Settings that are not the same in all archives, and tasks of several that are not: by key, the value in each."""
    flat = {name: dict(_flat(config)) for name, config in configs.items()}
    keys = dict.fromkeys(key for of_one in flat.values() for key in of_one)
    found = {key: {name: flat[name].get(key, "–") for name in configs} for key in keys}
    tasks = {name: _studied(config) for name, config in configs.items()}
    found["tasks studied"] = {name: ", ".join(sorted(of_one)) for name, of_one in tasks.items()}
    for task in dict.fromkeys(task for of_one in tasks.values() for task in of_one):
        of_task = {name: of_one[task] for name, of_one in tasks.items() if task in of_one}
        if len(set(of_task.values())) > 1:  # else what is studied says it
            found[f"tasks: {task}"] = {name: of_task.get(name, "–") for name in configs}
    return {key: values for key, values in found.items() if len(set(values.values())) > 1}


def _flat(config: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in config.items():
        if f"{above}{key}" in APART:
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}: ")
        else:
            yield f"{above}{key}", json.dumps(value, ensure_ascii=False)


def _studied(config: Config) -> dict[str, str]:
    """The entries of the tasks studied, wherever their tables lay."""
    named, wanted = groups(config["tasks"]), _union([config["study"]["tasks"]])
    tasks = dict.fromkeys(task for name in wanted for task in named.get(name, [name]))
    return {task: json.dumps(_without_folders(config["tasks"][task]), ensure_ascii=False) for task in tasks}


def _without_folders(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_folders(value[key]) for key in sorted(value)}
    return Path(value).name if isinstance(value, str) and "/" in value else value


def held_tables(config: Config) -> dict[str, list[str]]:
    """The tables of all models, as `<model>/<table>`, with their columns. Raises: see `read_archive`."""
    held = {path: archived_tables(path) for path in dict(config["joined"]["origins"].values())}
    return {
        f"{name}/{table.removeprefix(f'{model}/')}": columns
        for name, (path, model) in config["joined"]["origins"].items()
        for table, columns in held[path].items()
        if table.startswith(f"{model}/")
    }


def closest(config: Config, archives: Sequence[str]) -> str:
    """The archive that a study is compared with: it has most of its models, and settings that differ least.

    Raises:
        StudyError: see `read_archive`; also if there is none.
    """
    if not archives:
        raise StudyError("there is no archive to compare with. Name one, or take it from the repository.")

    def apart(path: str) -> tuple[int, int]:
        there = archived_config(path)
        lacking = set(config["study"]["models"]) - set(there["study"]["models"])
        return len(lacking), len(_differing({"here": config, "there": there}))

    return min(archives, key=apart)


def folder_of(archives: Sequence[str]) -> str:
    """A name for the folder that archives are unpacked into."""
    return "+".join(Path(path).stem for path in archives)[:LONGEST_NAME] or "none"
