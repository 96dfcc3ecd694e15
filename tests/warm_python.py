"""A Python that starts at once, for the jobs of the tests' small studies, whose time would go into importing the same
libraries.

One process imports them, and nothing of the project. `launcher` writes an executable to stand in for the interpreter:
it hands what it is called with to that process, which forks, and the fork runs the script as its own main program, in
the folder, with the environment and the streams of the caller. Studies whose processes themselves are tested (kills,
missing libraries) run without it.
"""

import atexit
import contextlib
import functools
import importlib
import json
import os
import runpy
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from forked import status_of, take_over

LIBRARIES = [
    "numpy",
    "pandas",
    "torch",
    "transformers",
    "transformers.activations",
    "transformers.modeling_utils",
    "tqdm",
]
LIBRARIES += ["matplotlib.figure", "seaborn", "scipy.stats", "pyarrow.parquet", "safetensors.numpy", "snakemake.script"]
CLIENT = """#!{python} -ISE
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
request = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(server, [len(request).to_bytes(8, "big")], [0, 1, 2])
server.sendall(request)
sys.exit(int(server.makefile().readline() or 1))  # nothing is said by one that was killed
"""


@functools.cache
def launcher() -> Path:
    """An executable that is called as Python is; its process ends with this one."""
    folder = Path(tempfile.mkdtemp())
    address, path = folder / "socket", folder / "python"
    started = subprocess.Popen([sys.executable, __file__, address], stdout=subprocess.PIPE, text=True)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(started.kill)
    assert started.stdout.readline() == "ready\n"
    path.write_text(CLIENT.format(python=sys.executable, address=str(address)), encoding="utf-8")
    path.chmod(0o755)
    return path


def serve(address: str) -> None:
    """Fork for every caller."""
    for library in LIBRARIES:
        importlib.import_module(library)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        print("ready", flush=True)
        while True:
            caller, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _answer(caller)
                os._exit(0)
            caller.close()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _answer(caller: socket.socket) -> None:
    """Run what a caller asks for, and tell how it ended."""
    size, streams, _, _ = socket.recv_fds(caller, 8, 3)
    arguments, folder, environment = json.loads(caller.makefile("rb").read(int.from_bytes(size, "big")))
    take_over(folder, environment, streams)
    script = next(argument for argument in arguments if not argument.startswith("-"))
    sys.argv = arguments[arguments.index(script) :]
    sys.path[0] = str(Path(script).parent)

    def run() -> None:
        try:
            runpy.run_path(script, run_name="__main__")
        finally:
            atexit._run_exitfuncs()

    caller.sendall(f"{status_of(run)}\n".encode())


if __name__ == "__main__":
    serve(sys.argv[1])
