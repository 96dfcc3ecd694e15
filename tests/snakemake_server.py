"""A process that has imported Snakemake and forks for every run of it: its start would be half of what tests of the
workflow take.

Requests come as lines of JSON: folder, arguments, environment, output, and the Python that jobs run in. The exit
status goes back as a line.
"""

import json
import os
import sys
from pathlib import Path

from forked import status_of, take_over


def serve() -> None:
    import jsonschema  # noqa: F401 (what the Snakefile imports, the study's own library aside: every copy has its own)
    import pandas  # noqa: F401
    import snakemake.cli
    import yaml  # noqa: F401

    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            os._exit(_run(snakemake.cli.main, **request))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(main, folder: str, arguments: list[str], environment: dict[str, str], output: str, python: str) -> int:
    os.setsid()
    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    take_over(folder, environment, [os.open(os.devnull, os.O_RDONLY), handle, handle])
    sys.argv = [str(Path(sys.executable).parent / "snakemake"), *arguments]
    sys.executable = python
    return status_of(lambda: main(arguments))


if __name__ == "__main__":
    serve()
