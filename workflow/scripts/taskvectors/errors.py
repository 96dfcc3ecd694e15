"""Errors that the user can mend, and advice where a job was killed."""

import re
from collections.abc import Iterable
from pathlib import Path

# What helps where memory runs out.
LESS_MEMORY = "Use `compute: {jobs_at_once: 1}`, a smaller model, `dtype: bfloat16`, or a machine, container or job with more memory."
KILLED = re.compile(r"SIGKILL|exit(?: status| code)?:? \[?(?:137|-9)\b|OUT_OF_MEMORY|oom[-_]kill", re.IGNORECASE)


class StudyError(Exception):
    """Something the user can mend: the message says what is wrong, where, and what to do.

    Scripts print it without a traceback (see `taskvectors.job.reported`).
    """


def advice_for_killed(logs: str | Path | Iterable[str | Path] | None) -> str:
    """Advice about a job that was killed before it could report an error; empty if no job was killed.

    Args:
        logs: of Snakemake.
    """
    files = [logs] if isinstance(logs, str | Path) else logs or []
    texts = [Path(file).read_text(encoding="utf-8", errors="replace") for file in files if Path(file).is_file()]
    if not any(map(KILLED.search, texts)):
        return ""
    return f"\nA job was killed from outside (SIGKILL). Most often memory ran out. {LESS_MEMORY} Then run the study again.\n"
