"""Memory that this process may use, and keeping it."""

import ctypes
import os

import psutil

BESIDE = 400_000_000  # bytes of a job's memory that the Snakemake inside the job takes


def memory_at_hand() -> int:
    """Bytes that this process can still take: what the machine has, and no more than a SLURM job was given."""
    available = psutil.virtual_memory().available
    given = os.environ.get("SLURM_MEM_PER_NODE")  # in MB; SLURM kills a job that takes more
    if given is None or int(given) == 0:
        return available
    left = int(given) * 1024**2 - psutil.Process().memory_info().rss - BESIDE
    return max(0, min(available, left))


def keep_freed_memory() -> None:
    """Have the C library keep large blocks instead of giving each back to the kernel and getting it anew, zeroed.

    A pass frees and allocates the same activations again and again; without this a sixth of its time goes into page faults.
    Without glibc nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        trim_threshold, mmap_threshold, most = -1, -3, 1 << 30  # malloc.h: M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
        mallopt(trim_threshold, most)
        mallopt(mmap_threshold, most)
