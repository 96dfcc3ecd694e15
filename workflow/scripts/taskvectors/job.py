"""The job that Snakemake runs a script for: its inputs and outputs, its log, its errors. Nothing else knows
Snakemake."""

import logging
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from taskvectors.errors import StudyError
from taskvectors.progress import logger
from taskvectors.store.software import record
from taskvectors.store.stamps import stamp_of_code
from taskvectors.surroundings import shortened

SECRETS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")  # environment variables
FINGERPRINT = re.compile(r".+\.\w+ [0-9a-f]{16}")  # of a file of code, among a rule's parameters without a name


class Job(Protocol):
    """What Snakemake gives a script: files, parameters and wildcards by name."""

    input: Any
    output: Any
    params: Any
    wildcards: Any
    log: Any
    threads: int
    rule: str


@contextmanager
def current_job() -> Iterator[Job]:
    """The job that Snakemake runs this script for, reported (see `reported`)."""
    job: Job = sys.modules["__main__"].snakemake
    with reported(job.log[0], job.rule, stamp_of_code(job.rule, fingerprints_of(job))):
        yield job


def fingerprints_of(job: Job) -> list[str]:
    """The code that a job uses: a name and a fingerprint for every file."""
    return [part for part in job.params if isinstance(part, str) and FINGERPRINT.fullmatch(part)]


_made_by: dict[str, Any] = {}  # what this process's job computes with


def note(made_by: Mapping[str, Any]) -> None:
    """Add the stamp of a job that loads a model to the record of the job: some files that the job writes carry no
    stamp."""
    _made_by.update(made_by)


@contextmanager
def reported(log_file: str | Path, job: str, made_by: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Send log lines of the block to `log_file`; end the process with one clear message on a StudyError.

    A file beside the log records what a successful job ran on (`taskvectors.store.software`).

    Other exceptions are bugs: their traceback goes to the log and to the terminal.
    """
    handler = logging.FileHandler(log_file, mode="w", encoding="utf-8")
    handler.setFormatter(_Discreet("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    start = time.monotonic()
    _made_by.clear()
    note(made_by or {})
    try:
        yield
        record(log_file, _made_by or None)
        logger.info("%s: done in %.1f s", job, time.monotonic() - start)
    except StudyError as error:
        logger.error("%s: %s", job, error, exc_info=error.__cause__)  # what a library raised, if one did
        print(f"\nError in {job}: {error}\n", file=sys.stderr, flush=True)
        sys.exit(1)
    except OSError as error:
        # A full disk, a read-only folder: the machine's fault, and the file is in the message.
        logger.exception("%s failed", job)
        print(f"\nError in {job}: {error}. Details: {log_file}\n", file=sys.stderr, flush=True)
        sys.exit(1)
    except Exception:
        logger.exception("%s failed", job)
        raise
    finally:
        logger.removeHandler(handler)
        handler.close()


class _Discreet(logging.Formatter):
    """Without what is the user's own: secrets, and where on their machine the study lies."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        for secret in filter(None, map(os.environ.get, SECRETS)):
            text = text.replace(secret, "***")
        return shortened(shortened(text, Path.cwd(), "."), Path.home(), "~")
