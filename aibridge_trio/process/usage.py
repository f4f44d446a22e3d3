"""What the kernel says of this process: its CPU time, memory, descriptors and start. Linux; empty elsewhere."""

from __future__ import annotations

import os
import resource
from functools import cache
from pathlib import Path
from typing import NamedTuple

_SELF = Path("/proc/self")
_BOOT = Path("/proc/stat")
# Fields of /proc/self/stat after the name in parentheses, from 0 on: proc_pid_stat(5).
_UTIME, _STIME, _STARTED, _VIRTUAL, _RESIDENT = 11, 12, 19, 20, 21


class ProcessUsage(NamedTuple):
    """CPU time in seconds, memory in bytes, descriptors that are open and may be, the start as Unix time."""

    cpu_seconds: float
    virtual_bytes: int
    resident_bytes: int
    open_fds: int
    max_fds: float
    started_at: float


def process_usage() -> ProcessUsage | None:
    """Return what the kernel says now; None where there is no /proc, or no descriptor is left to read it."""
    try:
        fields = (_SELF / "stat").read_text().rpartition(")")[2].split()
        booted, open_fds = _booted_at(), _open_descriptors()
    except (OSError, StopIteration):
        return None
    ticks = os.sysconf("SC_CLK_TCK")
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return ProcessUsage(
        cpu_seconds=(int(fields[_UTIME]) + int(fields[_STIME])) / ticks,
        virtual_bytes=int(fields[_VIRTUAL]),
        resident_bytes=int(fields[_RESIDENT]) * resource.getpagesize(),
        open_fds=open_fds,
        max_fds=float("inf") if most == resource.RLIM_INFINITY else float(most),
        started_at=booted + int(fields[_STARTED]) / ticks,
    )


@cache
def _booted_at() -> int:
    return next(int(line.split()[1]) for line in _BOOT.read_text().splitlines() if line.startswith("btime "))


def _open_descriptors() -> int:
    """Return how many are open: the folder's size since Linux 6.2, before that the names in it but its own."""
    return (_SELF / "fd").stat().st_size or len([*(_SELF / "fd").iterdir()]) - 1
