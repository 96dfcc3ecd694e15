"""Memory that this process may use, and keeping it.

The least of all limits counts: the machine's free memory, those of the control groups that a container or a scheduler
put the process into (version 1 and 2, every level), what SLURM gave the job, and `ulimit`.
"""

import ctypes
import os
import re
import resource
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

BESIDE = 400_000_000  # bytes of a job's memory that the Snakemake inside the job takes
GROUPS, MOUNTS = Path("/proc/self/cgroup"), Path("/proc/self/mountinfo")
# Files of a control group: its limits (beyond the high one it is slowed to a crawl), what it takes, and the parts of
# that which the kernel gives back when asked.
VERSION_1 = (("memory.limit_in_bytes",), "memory.usage_in_bytes", ("total_inactive_file", "total_active_file"))
VERSION_2 = (("memory.max", "memory.high"), "memory.current", ("inactive_file", "active_file"))


def memory_at_hand() -> int:
    """Bytes that this process can still take."""
    limits = [psutil.virtual_memory().available, *left_in_groups(), *left_of_slurm(os.environ), *left_of_ulimit()]
    return max(0, min(limits))


def left_in_groups(groups: Path = GROUPS, mounts: Path = MOUNTS) -> Iterator[int]:
    """What every control group above this process leaves it, of those with a limit; nothing where there are none.

    Args:
        groups: Linux's list of the groups that the process is in.
        mounts: Linux's list of what is mounted where.
    """
    try:
        lines = [line.split(":", 2) for line in _text(groups).splitlines() if line.count(":") >= 2]
        mounted = list(_mounted_groups(_text(mounts)))
    except OSError:
        return
    for _, controllers, path in lines:
        version_1 = "memory" in controllers.split(",")
        if not version_1 and controllers:
            continue
        for top, point in ((top, point) for first, top, point in mounted if first == version_1):
            # A container sees a part of the tree: its own group is then the top of what is mounted.
            inside = os.path.relpath(path, top) if path.startswith(top.rstrip("/") + "/") or path == top else "."
            folder = Path(os.path.normpath(point / inside))
            while folder == point or folder.is_relative_to(point):
                yield from _left_in_group(folder, *(VERSION_1 if version_1 else VERSION_2))
                folder = folder.parent


def _text(file: Path) -> str:
    """The text of a file; names in the file may hold any bytes."""
    return file.read_text(encoding="utf-8", errors="surrogateescape")


def _mounted_groups(mountinfo: str) -> Iterator[tuple[bool, str, Path]]:
    """Of every mounted tree of control groups that limit memory: whether it is of version 1, its top, and where it is
    mounted."""
    for line in mountinfo.splitlines():
        fields, _, kind = line.partition(" - ")
        names = fields.split()[3:5]
        system, _, options = (*kind.split(), "", "", "")[:3]
        if len(names) == 2 and (system == "cgroup2" or (system == "cgroup" and "memory" in options.split(","))):
            top, point = (re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), name) for name in names)
            yield system == "cgroup", top, Path(point)


def _left_in_group(folder: Path, limits: tuple[str, ...], taken: str, given_back: tuple[str, ...]) -> Iterator[int]:
    try:
        now = int((folder / taken).read_text(encoding="utf-8"))
        counts = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="utf-8").splitlines())
        for file in limits:
            if (folder / file).exists() and (most := (folder / file).read_text(encoding="utf-8").strip()) != "max":
                yield int(most) - now + sum(int(counts.get(part, 0)) for part in given_back)
    except (OSError, ValueError):
        return


def left_of_slurm(environment: Mapping[str, str]) -> Iterator[int]:
    """What SLURM gave the job on this node, in all, by core or by GPU, less what the process takes; SLURM kills what
    takes more."""
    for what in ("NODE", "CPU", "GPU"):
        megabytes = _megabytes(environment.get(f"SLURM_MEM_PER_{what}"))
        if not megabytes:  # 0 means all that the node has
            continue
        if what == "CPU":
            megabytes *= _count(environment.get("SLURM_CPUS_ON_NODE")) or len(os.sched_getaffinity(0))
        elif what == "GPU":
            megabytes *= _count(environment.get("SLURM_GPUS_ON_NODE")) or 1
        yield int(megabytes * 1024**2) - psutil.Process().memory_info().rss - BESIDE


def _count(text: str | None) -> int:
    """The number at the end of an environment variable, such as 4 or gpu:4; 0 if there is none."""
    match = re.search(r"(\d+)\s*$", text or "")
    return int(match[1]) if match else 0


def _megabytes(text: str | None) -> float:
    """An amount of memory as SLURM writes it, in MB if it names no unit; 0 of anything else."""
    match = re.fullmatch(r"\s*(\d+)\s*([KMGT]?)B?\s*", text or "", re.IGNORECASE)
    return int(match[1]) * {"K": 1 / 1024, "": 1, "M": 1, "G": 1024, "T": 1024**2}[match[2].upper()] if match else 0


def left_of_ulimit() -> Iterator[int]:
    """What the shell's `ulimit -v` and `ulimit -d` leave."""
    for kind, part in ((resource.RLIMIT_AS, "vms"), (resource.RLIMIT_DATA, "data")):
        most, _ = resource.getrlimit(kind)
        if most != resource.RLIM_INFINITY:
            yield most - getattr(psutil.Process().memory_info(), part)


def keep_freed_memory() -> None:
    """Have the C library keep large blocks instead of giving each back to the kernel and getting it anew, zeroed.

    A pass frees and allocates the same activations again and again; without this a sixth of its time goes into page
    faults. Without glibc nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        trim_threshold, mmap_threshold, most = -1, -3, 1 << 30  # malloc.h: M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
        mallopt(trim_threshold, most)
        mallopt(mmap_threshold, most)
