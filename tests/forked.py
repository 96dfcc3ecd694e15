"""What the test's processes that fork for their callers share."""

import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def take_over(folder: str, environment: Mapping[str, str], streams: Sequence[int]) -> None:
    """Go on in a caller's folder, with the caller's environment and streams."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)


def status_of(run: Callable[[], Any]) -> int:
    """Run a program to its end, and its exit status."""
    try:
        run()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(bool(leaving.code))
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0
