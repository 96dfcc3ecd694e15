"""Progress of a job, for the user."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

logger = logging.getLogger("taskvectors")
Item = TypeVar("Item")


def warn(message: str) -> None:
    """Show the user something that is no fault, on the terminal and in the log."""
    logger.warning("Warning: %s", message)
    print(f"\nWarning: {message}\n", file=sys.stderr, flush=True)


def counted(job: str, total: int, unit: str = "task") -> Callable[[int], None]:
    """A callback that counts what is done, and shows done of total and the rate: as a bar on a terminal, as lines in
    the log."""
    start, finished = time.monotonic(), 0
    bar = tqdm(total=total, desc=job, unit=unit, file=sys.stderr, disable=not sys.stderr.isatty(), leave=False)

    def done(more: int) -> None:
        nonlocal finished
        finished += more
        bar.update(more)
        rate = finished / max(time.monotonic() - start, 1e-9)
        logger.info("%s: %d of %d %ss, %.2f %ss/s", job, finished, total, unit, rate, unit)
        if finished == total:
            bar.close()

    return done


def track(items: Iterable[Item], total: int, job: str, unit: str = "task") -> Iterator[Item]:
    """Yield `items`; see `counted`."""
    done = counted(job, total, unit)
    for item in items:
        yield item
        done(1)
