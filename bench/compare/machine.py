"""What all this ran on, for the page of results."""

from __future__ import annotations

import os
import platform
from collections.abc import Collection
from pathlib import Path


def busy_seconds(cores: Collection[int]) -> float:
    """Return for how many seconds these cores have worked since the machine started."""
    names = {f"cpu{core}" for core in cores}
    busy = 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *counts = line.split()
        if name in names:
            # user, nice, system, idle, iowait, irq, softirq, steal.
            used = [int(count) for count in counts[:8]]
            busy += sum(used) - used[3] - used[4]
    return busy / os.sysconf("SC_CLK_TCK")


def described() -> dict[str, str]:
    """Return the machine: processor, cores, kernel, system, Python of the bench."""
    return {
        "processor": _field("/proc/cpuinfo", "model name", ":") or platform.machine(),
        "cores": str(os.cpu_count()),
        "kernel": platform.release(),
        "system": _field("/etc/os-release", "PRETTY_NAME", "=").strip('"'),
        "Python": platform.python_version(),
    }


def _field(file: str, name: str, separator: str) -> str:
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return ""
    for line in lines:
        key, _, value = line.partition(separator)
        if key.strip() == name:
            return value.strip()
    return ""
