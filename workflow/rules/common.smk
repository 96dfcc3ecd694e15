# Where the study meets Snakemake: the configuration is read once; helpers that rules share.
import logging
import os
import re
import shlex
import sys
from collections import Counter
from pathlib import Path

import snakemake.benchmark
from snakemake.exceptions import WorkflowError
from snakemake.io import strip_wildcard_constraints
from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent

RULES = str(workflow.current_basedir.get_path_or_uri(secret_free=True))
if ":" in RULES.split("/")[0]:
    raise WorkflowError(
        f"{RULES}: the study's library must lie beside its rules. Clone the repository, and name the clone's "
        "workflow/Snakefile in place of the address."
    )
sys.path.insert(0, str(Path(RULES).parent / "scripts"))

from taskvectors.store import code
from taskvectors.archives import folder_of
from taskvectors.catalogue import imported
from taskvectors.errors import StudyError, advice_for_killed
from taskvectors.store.sources import digests
from taskvectors.study import study_of
from taskvectors.surroundings import settle
from taskvectors.time_left import TimeLeft, seconds_of_jobs

settle(os.environ, sys.argv[1:], Path.cwd())
# Snakemake writes the interpreter's path into its commands unquoted: blanks, brackets, ampersands and quotes would be
# the shell's.
if Path(sys.executable).exists():  # not yet quoted, as by another module of the same workflow
    sys.executable = shlex.quote(sys.executable)


def moves_paths(modifier):
    """Whether a module, or one that it is inside of, has a prefix."""
    return modifier and (modifier.prefix or modifier.modifies_prefixes or moves_paths(modifier.inner_modifier))


# Twice a second Snakemake would add up all memory pages of every job: half a minute of a study. Jobs say their peak
# themselves.
snakemake.benchmark.BENCHMARK_INTERVAL_SHORT = snakemake.benchmark.BENCHMARK_INTERVAL

if moves_paths(workflow.modifier.path_modifier):
    raise WorkflowError(
        "The study cannot be a module with `prefix` or `replace_prefix`: some of its files would not move. Leave the key out, and run "
        "the study in a folder of its own (`snakemake --directory my-study`, or `workdir:`)."
    )

try:
    STUDY = study_of(config, workflow.configfiles, rows=workflow.is_main_process)
    STUDY.questions, STUDY.questions.tables  # a typo in an entry or a page stops here, and an archive of another version
except StudyError as error:
    raise WorkflowError(str(error))

ARCHIVED = f"results/archive/{folder_of(STUDY.archives)}"
TABLES = ARCHIVED if STUDY.archives else "results"  # where figures and report find tables
# A pass of one job keeps no core busy all the time, and half of a short job is its start: several share the cores
# better. On a cluster every job has cores of its own.
LOCAL_CORES = None if workflow.remote_exec else workflow.resource_settings.cores
MODEL_THREADS = (
    max(1, LOCAL_CORES // STUDY.config["compute"]["jobs_at_once"])
    if LOCAL_CORES
    else STUDY.config["compute"]["cluster_threads"]
)
# For captions in Snakemake's report, which see no more of the study than this. Bound anew, as another workflow's must
# not change.
config = {**STUDY.config, "captions": {name: entry["caption"] for name, entry in STUDY.questions.all_tables.items()}}


def by_family(rule):
    """Whether a rule has a job for every family of tasks."""
    return "family" in (rule.wildcard_names or ())


def parts_of_rules():
    """How many jobs a rule has for each model in the whole study, if they are several."""
    return {rule.name: len(STUDY.families) for rule in workflow.rules if by_family(rule)}


def model_of(wildcards):
    return (wildcards or {}).get("model", "")


class Progress(logging.Handler):
    """A line about the whole study after every job, on the terminal and in Snakemake's log."""

    def __init__(self):
        super().__init__()
        self.jobs = {}

    def emit(self, record):
        match getattr(record, "event", None):
            case LogEvent.RUN_INFO:
                # Only here, as estimates take a while: many starts run nothing.
                models = [] if STUDY.archives else STUDY.models
                seconds = seconds_of_jobs({model: STUDY.hours(model) for model in models})
                self.time_left = TimeLeft(seconds, parts_of_rules())
                jobs = workflow.dag.needrun_jobs()
                self.time_left.begin(Counter((job.rule.name, model_of(job.wildcards_dict)) for job in jobs))
            case LogEvent.JOB_INFO:
                self.jobs[record.jobid] = record.rule_name, model_of(record.wildcards)
            case LogEvent.JOB_FINISHED if record.job_id in self.jobs:
                logger.info(self.time_left.finished(*self.jobs[record.job_id]))


if workflow.is_main_process and not any(type(one).__name__ == "Progress" for one in logger.handlers):
    logger.addHandler(Progress())


onsuccess:
    if not STUDY.archives and Path("reports/study.html").exists():
        overlay = f' CONFIG="{" ".join(map(str, workflow.configfiles))}"' if workflow.configfiles else ""
        # In a folder of its own make would not find the study.
        packing = (
            f"make archive{overlay}"
            if STUDY.root == Path.cwd()
            else "the same command with `-- reports/archive.zip`"
        )
        print(
            f"The page is {Path('reports/study.html').resolve()}, which opens in any browser. Figures are beside it in figures, "
            f"tables in {Path('results').resolve()}. To pack them: {packing}",
            file=sys.stderr,
        )


onerror:
    if advice := advice_for_killed(log):
        print(advice, file=sys.stderr)


wildcard_constraints:
    model="|".join(map(re.escape, STUDY.models)),
    family="|".join(map(re.escape, STUDY.families)),


def code_of(*scripts):
    """A parameter for every file that a script uses: its name and a fingerprint of its code, taken when a job asks for it. So an edit
    reruns what uses the file, Snakemake's reason names it, and nothing depends on where the workflow lies."""

    def named(file):
        def fingerprint_of_file(wildcards):
            return f"{file} {code.fingerprint(file)}"

        return fingerprint_of_file

    return [named(file) for file in sorted({file for script in scripts for file in code.used_by(script)})]


def table(name, folder=TABLES):
    """A table that a rule writes, listed in Snakemake's report if its entry has a title; one of the study in this folder."""
    entry = STUDY.questions.all_tables[name]
    path = f"{folder}/{name}.csv" if entry["study"] else f"results/{{model}}/{name}.csv"
    if not entry["title"]:
        return path
    labels = {"model": "all" if entry["study"] else "{model}", "table": entry["title"]}
    return report(path, caption="../report/table.rst", category=STUDY.questions.sections[name], labels=labels)


def of_all_models(name):
    """A table of every model, or the one over all models."""
    if STUDY.questions.all_tables[name]["study"]:
        return [f"{TABLES}/{name}.csv"]
    return collect("{folder}/{model}/{table}.csv", folder=TABLES, model=STUDY.models, table=name)


def beside(files):
    """Files that come with the workflow, or are the user's: what is not made by a rule is not looked for in a storage of results."""
    return [file if file.startswith("results/") else local(file) for file in files]


def own(file):
    """A file of the workflow."""
    return local(STUDY.path_of(file))


def published(names):
    """Tables of the paper's numbers."""
    return [own(f"data/paper/{name}.csv") for name in names]


def family_tasks(wildcards):
    return STUDY.of_family(wildcards.family)


def prefix_by_task(wildcards):
    return STUDY.scored_by_prefix(family_tasks(wildcards))


def answer_tokens_of_family(wildcards):
    return STUDY.answer_tokens_of_family(wildcards.family)


def of_model(key):
    """A key of the entry of the job's model."""
    return lambda wildcards: STUDY.models[wildcards.model].get(key)


# What jobs that load a model ask of a cluster: more with every attempt, as a killed job may have needed it.
def model_memory(wildcards, attempt, rule=""):
    return attempt * STUDY.memory_mb(wildcards.model, rule)


def model_gpus(wildcards):
    return STUDY.gpus(wildcards.model)


def minutes_of(rule, jobs=len(STUDY.families)):
    """What each of so many jobs requests; by default there is one for each family."""
    return lambda wildcards, attempt: attempt * STUDY.minutes(wildcards.model, rule, jobs)
