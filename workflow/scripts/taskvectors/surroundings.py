"""What jobs inherit from the shell: what is set, kept and cleared, in this one place.

Every Snakemake process calls `settle` before anything else of ours: the user's own, and the one inside each job of a
cluster. What Snakemake itself wants before, a home and a folder for its cache that can be written to, the Makefile
sets where it is missing; without make, set HOME and XDG_CACHE_HOME.

Set
    MPLBACKEND (a notebook's would break every figure), PYTHONNOUSERSITE (packages in ~/.local would take the place of
    the environment's), IPYTHONDIR and JUPYTER_NO_CONFIG (start-up files and settings of the user's would run inside
    the report's notebook), STUDY_COMMAND (what the user typed, for provenance). The notebook's own job sets PYTHONPATH
    and JUPYTER_RUNTIME_DIR for its kernel (taskvectors/report/notebook.py).
Set where they are missing
    USER, HOME (a container's user may have neither name nor home; without them Python raises an error), and the
    folders of caches, where the home cannot be written to: XDG_CACHE_HOME, MPLCONFIGDIR, NUMBA_CACHE_DIR.
Cleared
    What puts other code or settings in the place of the environment's: PYTHONPATH, PYTHONSTARTUP, PYTHONHOME,
    PYTHONOPTIMIZE, PYTHONWARNINGS, PYTHONINSPECT, MATPLOTLIBRC, JUPYTER_PATH, JUPYTER_CONFIG_PATH, JUPYTER_CONFIG_DIR,
    BASH_ENV. What changes numbers: NVIDIA_TF32_OVERRIDE, TORCH_ALLOW_TF32_CUBLAS_OVERRIDE, NUMBA_DISABLE_JIT. What
    Snakemake decides by the cores of a job: OMP_NUM_THREADS and its relatives.
Kept
    All else: proxies, HF_HOME and HF_TOKEN, CUDA_VISIBLE_DEVICES, TMPDIR, the locale, the package index of pip,
    SLURM's variables, STUDY_PROCESSOR (taskvectors/models/kernels.py), OPENBLAS_CORETYPE (some processors compute
    wrongly without it).
"""

import contextlib
import os
import pwd
import re
import shlex
from collections.abc import MutableMapping, Sequence
from pathlib import Path

COMMAND = "STUDY_COMMAND"
SCRATCH = Path(".snakemake/surroundings")  # in the folder of the study, which can be written to
SET = {"MPLBACKEND": "agg", "PYTHONNOUSERSITE": "1", "JUPYTER_NO_CONFIG": "1"}
CLEARED = (
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONHOME",
    "PYTHONOPTIMIZE",
    "PYTHONWARNINGS",
    "PYTHONINSPECT",
    "MATPLOTLIBRC",
    "JUPYTER_PATH",
    "JUPYTER_CONFIG_PATH",
    "JUPYTER_CONFIG_DIR",
    "BASH_ENV",
    "NVIDIA_TF32_OVERRIDE",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "NUMBA_DISABLE_JIT",
)
THREADS = ("OMP_NUM_THREADS", "GOTO_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
CACHES = {"XDG_CACHE_HOME": "cache", "MPLCONFIGDIR": "matplotlib", "NUMBA_CACHE_DIR": "numba"}
GIT = re.compile(r"GIT_\w+")  # a hook's variables name another repository
HOME = "$\0HOME"  # replaces it; no user can have written the same
NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")  # in this order Python asks for the user's


def settle(environment: MutableMapping[str, str], arguments: Sequence[str], folder: str | Path) -> None:
    """Change an environment, that jobs inherit, as the head of this module says.

    Args:
        environment: `os.environ`.
        arguments: of the user's command.
        folder: of the study, for files that are not kept.
    """
    scratch = Path(folder).absolute() / SCRATCH
    for name in (*CLEARED, *THREADS):
        environment.pop(name, None)
    environment.update(SET)
    environment.update(IPYTHONDIR=str(scratch / "ipython"))
    if not any(environment.get(name) for name in NAMES) and not _known_to_the_system():
        environment["USER"] = f"user-{os.getuid()}"
    if not environment.get("HOME") and not _known_to_the_system():
        environment["HOME"] = str(scratch)
    if not os.access(environment.get("HOME") or Path.home(), os.W_OK | os.X_OK):
        for name, part in CACHES.items():
            if not environment.get(name):
                environment[name] = str(scratch / part)
                with contextlib.suppress(OSError):
                    (scratch / part).mkdir(parents=True, exist_ok=True)
    environment.setdefault(COMMAND, shown_command(arguments, environment))


def _known_to_the_system() -> bool:
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        return False
    return True


def shown_command(arguments: Sequence[str], environment: MutableMapping[str, str]) -> str:
    """A command as provenance shows it: as a shell reads it, `$HOME` in the place of the user's home."""
    home = environment.get("HOME") or ""
    return " ".join(["snakemake", *(_shown(argument, home) for argument in arguments)])


def _shown(argument: str, home: str) -> str:
    option, path = (argument[:2], argument[2:]) if re.match(r"-\w/", argument) else ("", argument)  # -d/home/ann
    shown = shortened(path, home, HOME)
    if shown == path:
        return shlex.quote(argument)
    escaped = re.sub(r'(["\\`$])', r"\\\1", shown).replace(re.sub(r"([$])", r"\\\1", HOME), "$HOME")
    return f'{option}"{escaped}"'


def shortened(text: str, folder: str | Path, name: str) -> str:
    """A text in which a short name replaces a folder wherever the whole folder begins a path, never a part of a
    name."""
    folder = str(folder).rstrip("/")
    if not folder:
        return text
    before, behind = r"(?:(?<![\w/.~+@%-])|(?<=://)|(?<=\s-\w))", r"(?![\w+@%~-]|\.\w)"  # also in file://… and -L…
    return re.sub(rf"{before}{re.escape(folder)}{behind}", lambda _: name, text)


def without_git(environment: MutableMapping[str, str]) -> dict[str, str]:
    """An environment for git in which nothing names another repository."""
    return {name: value for name, value in environment.items() if not GIT.fullmatch(name)}
