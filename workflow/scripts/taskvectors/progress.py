"""Telling the user how far a job is, and what went wrong."""

import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from taskvectors.errors import StudyError
from taskvectors.software import record

SECRETS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")  # environment variables
logger = logging.getLogger("taskvectors")
Item = TypeVar("Item")


@contextmanager
def reported(log_file: str | Path, job: str) -> Iterator[None]:
    """Send log lines of the block to `log_file`; end the process with one clear message on a StudyError.

    Beside the log stands what a job that succeeded ran on (`taskvectors.software`).

    Other exceptions are bugs: their traceback goes to the log and to the terminal.
    """
    handler = logging.FileHandler(log_file, mode="w", encoding="utf-8")
    handler.setFormatter(_Discreet("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    start = time.monotonic()
    try:
        yield
        record(log_file)
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
        return text.replace(str(Path.cwd()), ".").replace(str(Path.home()), "~")


def track(items: Iterable[Item], total: int, job: str, unit: str = "task") -> Iterator[Item]:
    """Yield `items`; show done of total and the rate: as a bar on a terminal, as lines in the log."""
    start = time.monotonic()
    bar = tqdm(items, total=total, desc=job, unit=unit, file=sys.stderr, disable=not sys.stderr.isatty(), leave=False)
    for done, item in enumerate(bar, start=1):
        yield item
        seconds = time.monotonic() - start
        logger.info("%s: %d of %d %ss, %.2f %ss/s", job, done, total, unit, done / max(seconds, 1e-9), unit)
