"""Telling the user how far a job is."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

logger = logging.getLogger("taskvectors")
Item = TypeVar("Item")


def track(items: Iterable[Item], total: int, job: str, unit: str = "task") -> Iterator[Item]:
    """Yield `items`; show done of total and the rate: as a bar on a terminal, as lines in the log."""
    start = time.monotonic()
    bar = tqdm(items, total=total, desc=job, unit=unit, file=sys.stderr, disable=not sys.stderr.isatty(), leave=False)
    for done, item in enumerate(bar, start=1):
        yield item
        seconds = time.monotonic() - start
        logger.info("%s: %d of %d %ss, %.2f %ss/s", job, done, total, unit, done / max(seconds, 1e-9), unit)
