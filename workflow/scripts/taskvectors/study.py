"""A study: its configuration, whole, checked and resolved, and what follows from it.

Pure: nothing here knows Snakemake. The Snakefile, `make plan` and the tests ask the same object.
"""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from taskvectors import settings, sizing
from taskvectors.archives import archived_settings, closest, held_tables
from taskvectors.catalogue import Catalogue
from taskvectors.entries import read_questions
from taskvectors.errors import StudyError
from taskvectors.names import LIMIT
from taskvectors.paths import (
    check_folders,
    check_given,
    check_own_path,
    check_rows,
    check_tables,
    count_parameters,
    expand_paths,
    located_archives,
)
from taskvectors.question_settings import REPRESENTATIONS, check_representations, check_robustness
from taskvectors.resolving import (
    add_tables_of_folders,
    check_known,
    locate_tables,
    name_random_models,
    parts_of,
    resolve_made_tasks,
    tables_of_entry,
)
from taskvectors.store import code
from taskvectors.store.files import MODEL_FILES, files_of

Entry = Mapping[str, Any]  # of a model, a task, a table or a figure
ROOT = Path(__file__).parents[3]  # where the workflow lies, with what comes with it
DEFAULTS = ("config/config.yaml", "config/models.yaml", "config/tasks.yaml", "config/instructions.yaml")
SCHEMA = "workflow/schemas/config.schema.yaml"
CONDITIONS = ("limits", "pairs", "transfer")  # what a figure may ask for under `when`
ITEMS = "results/items"  # the paper's own, made by a rule
# Scripts that make no number of the study, whatever they import.
NO_NUMBERS = {"figure", "summary", "latex_tables", "study_notebook", "study_page", "provenance", "archive"}
NO_NUMBERS |= {"archived_tables", "check_results", "download_weights", "paper_items"}


@dataclass(frozen=True)
class Study:
    """What is studied.

    Attributes:
        config: every setting, as used: defaults filled in, tasks made of others resolved, random models named.
        root: where the workflow lies.
    """

    config: dict[str, Any]
    root: Path

    @property
    def archives(self) -> list[str]:
        """Finished studies whose figures and report are rebuilt; none where one is run."""
        return self.config["archive"]

    @property
    def origins(self) -> Mapping[str, tuple[str, str]]:
        """The archive of every model, and its name there; none where a study is run."""
        return self.config["joined"]["origins"] if self.archives else {}

    @cached_property
    def models(self) -> dict[str, Entry]:
        """Entries of the models studied, by name, in the configured order."""
        return {name: self.config["models"][name] for name in self.config["study"]["models"]}

    @cached_property
    def tasks(self) -> dict[str, Entry]:
        """Entries of the tasks studied, by name; a group is replaced by its members, each once."""
        entries = self.config["tasks"]
        groups = settings.groups(entries)
        wanted = self.config["study"]["tasks"]
        names = [wanted] if isinstance(wanted, str) else wanted
        check_known(names, {**groups, **entries}, "study: tasks", "config/tasks.yaml")
        chosen = dict.fromkeys(task for name in names for task in groups.get(name, [name]))
        if not chosen:
            raise StudyError(
                f"study: tasks: {', '.join(names)}: no task is of this family. Add tables, or name others."
            )
        return {name: entries[name] for name in chosen}

    @property
    def model_labels(self) -> dict[str, str]:
        return {name: entry["label"] for name, entry in self.models.items()}

    @property
    def task_labels(self) -> dict[str, str]:
        return {name: entry["label"] for name, entry in self.tasks.items()}

    @property
    def seed(self) -> int:
        """The study seed; each further one repeats the main experiment."""
        return self.config["study"]["seeds"][0]

    @property
    def answer_tokens(self) -> int:
        """How many greedy tokens are compared with the answer."""
        return self.config["scoring"]["answer_tokens"]

    def answer_tokens_of(self, names: Iterable[str]) -> dict[str, int]:
        """The same by task: limits may have their own number."""
        return {name: self.tasks[name].get("answer_tokens", self.answer_tokens) for name in names}

    def answer_tokens_of_family(self, family: str) -> int:
        """Of the tasks of a family, which all have the same."""
        return max(self.answer_tokens_of(self.of_family(family)).values())

    @property
    def items(self) -> Mapping[str, Any]:
        """Where the paper's own items come from, if they are used."""
        return self.config.get("items", {"files": {}})

    @cached_property
    def kinds(self) -> dict[str, dict[str, str]]:
        """Family and role of every task."""
        return {name: {"family": entry["family"], "role": entry["role"]} for name, entry in self.tasks.items()}

    @property
    def families(self) -> list[str]:
        return list(dict.fromkeys(kind["family"] for kind in self.kinds.values()))

    @property
    def limits(self) -> list[str]:
        """Tasks that one vector may not hold."""
        return [name for name, kind in self.kinds.items() if kind["role"] == LIMIT]

    @property
    def families_of_limits(self) -> list[str]:
        """Of tasks that one vector may not hold; without such tasks all, whose tasks are then left out."""
        return list(dict.fromkeys(self.kinds[name]["family"] for name in self.limits)) or self.families

    @property
    def bijections(self) -> list[str]:
        return [name for name in self.limits if "bijection_of" in self.tasks[name]]

    @property
    def long_answers(self) -> list[str]:
        """Tasks of limits whose answers are compared by more tokens than others'."""
        tokens = self.answer_tokens_of(self.limits)
        return [name for name in self.limits if tokens[name] > self.answer_tokens]

    def made_from(self, names: Iterable[str]) -> dict[str, list[str]]:
        """By task the tables and generators that its pairs come from, also by way of other tasks."""
        keys = (*settings.TABLE_KEYS, "generate")
        return {
            name: sorted({Path(part[key]).stem for part in parts_of(self.tasks[name]) for key in keys if key in part})
            for name in names
        }

    @property
    def drawn_anew(self) -> list[str]:
        """Tasks that have no rule but that of an episode."""
        return [name for name, entry in self.tasks.items() if "lookup" in entry or "classes" in entry]

    @property
    def main_tasks(self) -> list[str]:
        """Tasks that θ should hold: means, the common layer, geometry and transfer are of these. Of limits alone,
        all."""
        return [name for name in self.tasks if name not in self.limits] or list(self.tasks)

    @property
    def main_families(self) -> list[str]:
        return list(dict.fromkeys(self.kinds[name]["family"] for name in self.main_tasks))

    @property
    def pairs(self) -> list[list[str]]:
        """Conflicting pairs of tasks that are studied."""
        return [pair for pair in self.config["conflict"]["pairs"] if set(pair) <= set(self.tasks)]

    @property
    def transfer(self) -> bool:
        """Whether θ of every task is patched into queries of every other."""
        return self.config["conflict"]["transfer"]["episodes"] > 0 and len(self.main_tasks) > 1

    @property
    def conflict_tasks(self) -> list[str]:
        paired = [task for pair in self.pairs for task in pair]
        return list(dict.fromkeys(paired + (self.main_tasks if self.transfer else [])))

    @property
    def representations(self) -> dict[str, str]:
        """Files of the representations that are compared, by name: the workflow's and the user's (see
        `code.used_by`)."""
        wanted = self.settings_of("rivals").get("representations", [])
        return {Path(name).stem: _file_of_representation(name) for name in wanted}

    def settings_of(self, question: str) -> dict[str, Any]:
        """The settings of a question; none in an archive of before it."""
        return self.config.get(question, {})

    def of_family(self, family: str) -> dict[str, Entry]:
        """Entries of a family's tasks."""
        return {name: entry for name, entry in self.tasks.items() if entry["family"] == family}

    def scored_by_prefix(self, names: Iterable[str]) -> dict[str, bool]:
        """Whether answers count when prediction and answer are prefixes of each other."""
        return {name: self.tasks[name].get("scoring") == "prefix" for name in names}

    def task_tables(self, names: Iterable[str]) -> list[str]:
        """The tables that tasks read, if any: their own, or those of the task they are made of."""
        return [path for name in names for _, path in tables_of_entry(self.tasks[name])]

    def random(self, model: str) -> bool:
        """Whether a model has random weights."""
        return self.models[model].get("source") == "random"

    def download(self, model: str) -> Entry:
        """What says where a model's files come from; its label, for instance, does not."""
        keys = ("wheels", "gguf_sha256", "hub", "revision")
        return {key: self.models[model][key] for key in keys if key in self.models[model]}

    def weights_folder(self, model: str) -> str:
        """Where the files of a model lie before they are prepared: the user's own folder, or the download."""
        return self.models[model].get("folder") or f"results/{model}/download"

    def weights_come_from(self, model: str) -> list[str]:
        """The download, the files of the user's own folder, or, for random weights, the tables whose words make the
        tokenizer."""
        if self.random(model):
            return self.task_tables(self.tasks)
        folder = self.weights_folder(model)
        if "folder" not in self.models[model]:
            return [folder]
        return list(map(str, files_of(folder, *MODEL_FILES)))

    def given_episodes(self, family: str) -> list[str]:
        """Episode files named by the user, if `episodes: source` is set."""
        source = self.config["episodes"]["source"]
        return [f"{source}/{task}.jsonl" for task in self.of_family(family)] if source else []

    def gpus(self, model: str) -> int:
        """How many a job that loads the model asks for."""
        return sizing.gpus(self.models[model], self.config["compute"]["gpu"]["memory_gb"])

    def memory_mb(self, model: str, rule: str = "") -> int:
        """What a job that loads the model asks for; one that descends holds more."""
        entry, demonstrations = self.models[model], self.config["episodes"]["demonstrations"]
        descends = any(rule in question.descends for question in self.questions)
        beside = sizing.descent_bytes(entry, demonstrations) if descends else 0
        return sizing.memory_mb(entry) + math.ceil(beside / 1e6)

    def hours(self, model: str) -> dict[str, float]:
        """Estimated hours of every rule that loads the model, all its jobs together."""
        entry, compute = self.models[model], self.config["compute"]
        rate = compute["gpu"]["teraflops"] if self.gpus(model) else compute["cpu_teraflops"]
        return {rule: sizing.hours(entry, count, rate) for rule, count in self.tokens.items()}

    @property
    def tokens(self) -> dict[str, float]:
        """Tokens that every rule that loads a model reads; none does for an archive, which may know less than today's
        experiments."""
        if self.archives:
            return {}
        questions = read_questions(self.published, CONDITIONS)  # all: a rule may be asked for by several
        reads = {rule: reads for question in questions for rule, reads in question.reads.items()}
        from taskvectors.estimates import tokens_read  # here, as few starts need it

        return tokens_read(reads, self.config, len(self.tasks), len(self.pairs))

    def minutes(self, model: str, rule: str, jobs: int) -> int:
        """What one of the `jobs` of a rule asks for: three times the estimate, and twenty minutes for start and a slow
        disk."""
        return 20 + int(180 * self.hours(model)[rule] / jobs)

    @cached_property
    def questions(self) -> Catalogue:
        """The questions of the library, in the order of the page, and what they write and show in this study."""
        conditions = dict(zip(CONDITIONS, (bool(self.limits), bool(self.pairs), self.transfer), strict=True))
        wanted = self.config["study"].get("questions")
        every = read_questions(self.published, CONDITIONS)
        questions = [one for one in every if wanted is None or one.name in wanted or not one.optional]
        held = held_tables(self.config) if self.archives else None
        archives = {model: path for model, (path, _) in self.origins.items()}
        return Catalogue(questions, conditions, list(self.models), self.root, held, archives)

    @property
    def published(self) -> tuple[str, ...]:
        """Tables of the paper's numbers."""
        return published(self.root)

    @cached_property
    def sources(self) -> list[str]:
        """Files of this workflow, below its root, that numbers follow from: code, settings, task tables."""
        scripts = [file.name for file in files_of(code.SCRIPTS, "*.py") if file.stem not in NO_NUMBERS]
        scripts += [*self.representations.values(), *self.questions.claims.values()]
        used = {file for script in scripts for file in code.used_by(script)}
        files = {f"workflow/scripts/{file}" for file in used if code.in_library(file)}
        tables = (Path(table) for table in self.task_tables(self.tasks))
        files |= {
            str(Path(os.path.relpath(table, self.root)))
            for table in tables
            if table.resolve().is_relative_to(self.root / "data")
        }
        return sorted({*files, *DEFAULTS})

    @property
    def shipped(self) -> str:
        """The archive that comes with the workflow and is of the settings most like these."""
        archives = files_of(self.root / "data/archive", "*.zip")
        return closest(self.config, [self.path_of(str(path.relative_to(self.root))) for path in archives])

    def path_of(self, file: str) -> str:
        """Path of a file of the workflow: relative in the workflow's own folder, else in full."""
        return file if self.root == Path.cwd() else str(self.root / file)


def published(root: Path) -> tuple[str, ...]:
    """Tables of the paper's numbers."""
    return tuple(file.stem for file in files_of(root / "data/paper", "*.csv"))


def study_of(
    overlay: Mapping[str, Any], files: Sequence[str | Path] = (), root: Path = ROOT, rows: bool = True
) -> Study:
    """The study that a user asks for.

    Args:
        overlay: settings laid over the workflow's own (config/).
        files: that these come from, in order; messages name the last that has the key.
        root: where the workflow lies.
        rows: whether the rows of the user's tables are checked, too; once is enough for all jobs.

    Raises:
        StudyError: with file and key where they are known, and the remedy.
    """
    defaults = [Path(os.path.relpath(root / default)) for default in DEFAULTS]
    files = [*defaults, *files]
    for file in files:
        settings.check_yaml(file)
    config = settings.merged(*map(settings.read_yaml, defaults), overlay)
    schema = settings.read_yaml(root / SCHEMA)
    for question in read_questions(published(root), CONDITIONS):
        schema["properties"] |= question.settings
    settings.check_schema(config, schema, files)
    settings.check_meanings(config)
    config = settings.with_whole_numbers(settings.with_defaults(config, schema))
    expand_paths(config, files)
    check_own_path(root)
    config["archive"] = located_archives(config["archive"], root)
    if config["archive"]:
        study = Study(archived_settings(config["archive"]), root)
    else:
        add_tables_of_folders(config)
        settings.check_names(config)
        resolve_made_tasks(config)
        name_random_models(config)
        locate_tables(config, root)
        study = Study(config, root)
        check_tables(study.tasks, config["tasks"], ITEMS, files)
        check_folders(study.models, files)
        count_parameters(config["models"][name] for name in study.models)
        check_given(config["episodes"]["source"], study.tasks, files)
        if rows:
            own = {name: study.tasks[name] for name in overlay.get("tasks", {}) if name in study.tasks}
            check_rows(study.task_tables(study.tasks), root, own, files)
        check_representations(study.settings_of("rivals")["representations"], study.representations, files)
        optional = [question.name for question in read_questions(published(root), CONDITIONS) if question.optional]
        check_known(
            config["study"]["questions"] or [], optional, "study: questions", "the questions that may be left out"
        )
        check_robustness(study.settings_of("robustness"), config["tasks"], files)
    for pair in study.config["conflict"]["pairs"]:
        check_known(pair, study.config["tasks"], "conflict: pairs", "config/tasks.yaml")
    settings.check_answer_tokens(study.tasks, study.answer_tokens)
    settings.check_labels_differ("models", study.models, study.config)
    settings.check_labels_differ("tasks", study.tasks, study.config)
    return study


def read_study(overlays: Sequence[str | Path] = (), root: Path = ROOT) -> Study:
    """The study of overlays, each laid over those before it.

    Raises:
        StudyError: see `study_of`.
        OSError: if there is no such file.
    """
    for overlay in overlays:
        settings.check_yaml(overlay)
    return study_of(settings.merged(*map(settings.settings_of, overlays)), overlays, root)


def _file_of_representation(name: str) -> str:
    if not name.endswith(".py"):
        return f"{REPRESENTATIONS}/{name}.py"
    return f"./{name}" if code.in_library(name) else name
