# Configuration checked once, names derived from it, and what rules share.
import ast
import difflib
import functools
import json
import os
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

if " " in sys.executable:
    # Snakemake writes the interpreter's path into its commands as it is.
    sys.executable = shlex.quote(sys.executable)

LIBRARY = "workflow/scripts/taskvectors"
# The tables of every model.
PUBLIC = [
    "filter",
    "layer_sweep",
    "layer_choice",
    "accuracy",
    "controls",
    "differences",
    "views",
    "seeds",
    "seed_spread",
]
PUBLIC += ["limits", "formation", "theta_variance", "conflict", "transfer", "geometry", "distances", "embedding"]
PUBLIC += ["embedding_quality", "decoded_tokens", "decoded_ranks"]
MADE_OF = ("inverse_of", "copy_of", "bijection_of")  # keys of tasks that name another task
sys.path.insert(0, str(Path(workflow.basedir, "workflow/scripts")))

from taskvectors import settings, sizing
from taskvectors.archive import archived_config
from taskvectors.errors import StudyError
from taskvectors.files import MODEL_FILES
from taskvectors.registry import figures_of
from taskvectors.stamps import COMMAND

# Jobs inherit it: packages in the user's own folder (~/.local) would take the place of the environment's.
os.environ.update(PYTHONNOUSERSITE="1")

# For provenance; jobs inherit it. Not a parameter: another command is no reason to run a job again.
os.environ.setdefault(COMMAND, shlex.join(["snakemake", *sys.argv[1:]]).replace(str(Path.home()), "~"))


def known(names, registry, where, file):
    """The names, if the registry has them all; else one message that names the key and the nearest known name."""
    for name in names:
        if name not in registry:
            near = difflib.get_close_matches(name, registry, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(registry)}."
            raise WorkflowError(f"{where}: {name} is not in {file}. {hint}")
    return list(names)


def add_tables_of_folders():
    """Folders of tables named by the user: every table a task."""
    for folder, table in settings.tables_of(config["task_folders"]):
        if table.stem in config["tasks"]:
            raise StudyError(f"task_folders: {table}: a task {table.stem} is known already. Rename the table.")
        config["tasks"][table.stem] = {
            "family": folder["family"],
            "label": settings.table_label(table),
            "table": str(table),
            "ours": True,
        }


def resolve_made_tasks():
    """Tasks made of others: the other's entry takes the place of its name. And the label says what is not the paper's."""
    for name, entry in config["tasks"].items():
        for how in MADE_OF:
            if how in entry:
                known([entry[how]], config["tasks"], f"tasks: {name}: {how}", "config/tasks.yaml")
                other = config["tasks"][entry[how]]
                if not {"table", "generate"} & set(other):
                    raise WorkflowError(
                        f"tasks: {name}: {how}: {entry[how]} is itself made of another task. Name one with a table or generator."
                    )
                entry[how] = {key: other[key] for key in ("table", "generate") if key in other}
        if entry["ours"]:
            entry["label"] += " (ours)"


def has_random_weights(model):
    return config["models"][model].get("source") == "random"


def name_random_models():
    """A model with random weights gets a name, folder and label of its own: no table or figure can pass it off as trained."""
    names = known(config["study"]["models"], config["models"], "study: models", "config/models.yaml")
    for place, name in enumerate(names):
        entry = config["models"][name]
        if has_random_weights(name):
            if "shape" not in entry:
                raise WorkflowError(f"config/models.yaml, models: {name}: source: random needs a shape.")
            names[place] = f"{name.removesuffix(settings.RANDOM)}{settings.RANDOM}"
            if names[place] in {*config["models"], *names[:place]} - {name}:
                raise WorkflowError(
                    f"models: {names[place]} is the name of {name} with random weights. Rename one of the two."
                )
            config["models"][names[place]] = {**entry, "label": f"{entry['label']} (random weights)"}
    config["study"]["models"] = names


SCHEMA = "../schemas/config.schema.yaml"
# In the order in which one extends the other: Snakemake lists overlays first.
DEFAULTS = ("config/config.yaml", "config/models.yaml", "config/tasks.yaml")
CONFIG_FILES = sorted(dict.fromkeys(map(str, workflow.configfiles)), key=lambda file: file not in DEFAULTS)
SCHEMA_FILE = Path(workflow.basedir, "workflow/rules", SCHEMA)
FAMILY_NAMES = settings.families(SCHEMA_FILE)

try:
    for file in CONFIG_FILES:
        settings.check_yaml(file)
    settings.check_schema(config, SCHEMA_FILE, CONFIG_FILES)
    validate(config, SCHEMA)  # which also fills in what may be left out
    config.update(settings.with_whole_numbers(config))
    settings.check_paths(config)
    ARCHIVE = config["archive"]
    if ARCHIVE:
        # Figures and report of a finished study: its settings take the place of those here.
        try:
            archived = archived_config(ARCHIVE)
        except StudyError as error:
            raise StudyError(f"archive: {error}")
        config.clear()
        config.update(archived)
    else:
        add_tables_of_folders()
        settings.check_names(config, FAMILY_NAMES)
        resolve_made_tasks()
        name_random_models()
except StudyError as error:
    raise WorkflowError(str(error))

GROUPS = settings.groups(config["tasks"], FAMILY_NAMES)  # what `study: tasks` may name besides tasks


def asked(tasks):
    """The tasks that names of tasks or groups stand for, each once."""
    names = [tasks] if isinstance(tasks, str) else tasks
    known(names, {**GROUPS, **config["tasks"]}, "study: tasks", "config/tasks.yaml")
    found = list(dict.fromkeys(task for name in names for task in GROUPS.get(name, [name])))
    if not found:
        raise WorkflowError(f"study: tasks: {', '.join(names)}: no task is of this family. Add tables, or name others.")
    return found


MODELS = known(config["study"]["models"], config["models"], "study: models", "config/models.yaml")
TASKS = asked(config["study"]["tasks"])
for pair in config["conflict"]["pairs"]:
    known(pair, config["tasks"], "conflict: pairs", "config/tasks.yaml")
try:
    settings.check_labels_differ("models", MODELS, config)
    settings.check_labels_differ("tasks", TASKS, config)
    settings.check_tables([] if ARCHIVE else TASKS, config["tasks"], "results/items")
except StudyError as error:
    raise WorkflowError(str(error))
MODEL_LABELS = {model: config["models"][model]["label"] for model in MODELS}
TASK_LABELS = {task: config["tasks"][task]["label"] for task in TASKS}
SEED = config["study"]["seeds"][0]
PAIRS = [pair for pair in config["conflict"]["pairs"] if set(pair) <= set(TASKS)]
FAMILY_OF = {task: config["tasks"][task]["family"] for task in TASKS}
FAMILIES = list(dict.fromkeys(FAMILY_OF.values()))
# Means, the common layer, geometry and transfer are of the tasks that θ should hold: limits stand apart.
MAIN_TASKS = [task for task in TASKS if FAMILY_OF[task] != "limits"] or TASKS
MAIN_FAMILIES = list(dict.fromkeys(FAMILY_OF[task] for task in MAIN_TASKS))
TRANSFER = config["conflict"]["transfer"]["episodes"] > 0 and len(MAIN_TASKS) > 1
# A pass of one job keeps no core busy all the time, and half of a short job is its start: several share the cores better.
MODEL_THREADS = max(1, (workflow.resource_settings.cores or 1) // config["compute"]["jobs_at_once"])
LIMITS_TASKS = [task for task in TASKS if FAMILY_OF[task] == "limits"]


wildcard_constraints:
    model="|".join(map(re.escape, MODELS)),
    family="|".join(map(re.escape, FAMILIES)),


def library(*scripts):
    """The library files among scripts and notebooks under workflow, and those that they import, directly or not: inputs, so that an
    edit reruns what uses them."""
    open_files = [Path("workflow", script) for script in scripts]
    found = {file for file in open_files if file.is_relative_to(LIBRARY)}
    while open_files:
        for module in imported_modules(open_files.pop()):
            file = Path(LIBRARY, f"{module.replace('.', '/')}.py")
            if file not in found and file.exists():
                found.add(file)
                open_files.append(file)
    return sorted(map(str, found))


@functools.cache
def imported_modules(file):
    """Names of the modules of `taskvectors` that a file imports, anywhere in it."""
    nodes = list(ast.walk(ast.parse(python_code(file))))
    names = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    names += [
        f"{node.module}.{alias.name}" for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names
    ]
    names += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    inside = [name.removeprefix("taskvectors").lstrip(".") for name in names if name.split(".")[0] == "taskvectors"]
    return {"__init__", *inside}


def python_code(file):
    """The code of a Python file, or of a notebook's code cells."""
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".ipynb":
        return text
    cells = json.loads(text)["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def family_tasks(wildcards):
    """The entries of a family's tasks."""
    return {task: config["tasks"][task] for task in TASKS if FAMILY_OF[task] == wildcards.family}


def tables(tasks):
    """The tables that tasks read, if any: their own, or those of the task they are made of."""
    entries = [config["tasks"][task] for task in tasks]
    entries += [entry[how] for entry in entries for how in MADE_OF if how in entry]
    return [entry[key] for entry in entries for key in settings.TABLE_KEYS if key in entry]


def family_tables(wildcards):
    return tables(family_tasks(wildcards))


def given_episodes(wildcards):
    """Episode files named by the user, if `episodes: source` is set."""
    source = config["episodes"]["source"]
    return [f"{source}/{task}.jsonl" for task in family_tasks(wildcards)] if source else []


# Knowledge answers count when prediction and answer are prefixes of each other (the paper's rule).
PREFIX_SCORED = {task: entry["family"] == "knowledge" for task, entry in config["tasks"].items()}


def prefix_by_task(wildcards):
    return {task: PREFIX_SCORED[task] for task in family_tasks(wildcards)}


ARCHIVED = f"results/archive/{Path(ARCHIVE).stem if ARCHIVE else 'none'}"
TABLES = ARCHIVED if ARCHIVE else "results"  # where figures and report find tables


def of_all_models(table):
    return collect(f"{TABLES}/{{model}}/{{table}}.csv", model=MODELS, table=table)


def local_files(folder):
    """The files of the user's own model folder that the study reads."""
    return sorted(str(file) for pattern in MODEL_FILES for file in Path(folder).glob(pattern))


def weights_source(wildcards):
    """The download, the files of the user's own folder, or, for random weights, the tables whose words make the tokenizer."""
    if has_random_weights(wildcards.model):
        return tables(TASKS)
    folder = weights_folder(wildcards)
    return local_files(folder) if "folder" in config["models"][wildcards.model] else [folder]


def weights_folder(wildcards):
    return config["models"][wildcards.model].get("folder", f"results/{wildcards.model}/download")


def random_shape(wildcards):
    """The shape of a model with random weights; None for all others."""
    return config["models"][wildcards.model]["shape"] if has_random_weights(wildcards.model) else None


# What jobs that load a model ask of a cluster: more with every attempt, as a killed job may have needed it.
def model_memory(wildcards, attempt):
    return attempt * sizing.memory_mb(config["models"][wildcards.model])


def model_gpus(wildcards):
    return gpus_of(wildcards.model)


def gpus_of(model):
    return sizing.gpus(config["models"][model], config["compute"]["gpu"]["memory_gb"])


def minutes_of(name):
    """Minutes for each job of a rule that loads the model, three times the estimate, and twenty for start and a slow disk."""

    def minutes(wildcards, attempt):
        jobs = 1 if name in ("sweep_conflict", "decode_theta") else len(FAMILIES)
        return attempt * (20 + int(180 * model_hours(wildcards.model)[name] / jobs))

    return minutes


def model_hours(model):
    """Estimated hours of every rule that loads the model, all its jobs together."""
    entry, compute = config["models"][model], config["compute"]
    rate = compute["gpu"]["teraflops"] if gpus_of(model) else compute["cpu_teraflops"]
    tokens = sizing.tokens_read(config, len(TASKS), len(PAIRS))
    return {name: sizing.hours(entry, count, rate) for name, count in tokens.items()}


for model in MODELS:
    folder = config["models"][model].get("folder")
    if folder and not ARCHIVE and not has_random_weights(model) and not list(Path(folder).glob("*.safetensors")):
        raise WorkflowError(
            f"config/models.yaml, models: {model}: folder: {folder} holds no model (*.safetensors). "
            "Name a folder written by save_pretrained."
        )
