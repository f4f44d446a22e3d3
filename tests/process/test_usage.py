"""What the kernel says of this process."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

from aibridge_trio.process.usage import process_usage


def test_it_is_this_process() -> None:
    """CPU time as Python counts it, its limit of descriptors, its start as the kernel dates it."""
    usage = process_usage()
    assert usage
    spent = time.process_time()
    assert spent - 1 < usage.cpu_seconds < spent + 1
    assert usage.max_fds == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    began = Path("/proc/self").stat().st_ctime  # the kernel's time of the process's files, about its start
    assert began - 60 < usage.started_at < began + 60
    assert 1 << 20 < usage.resident_bytes < usage.virtual_bytes


def test_each_open_descriptor_counts() -> None:
    """Ten more are ten more."""
    before = process_usage()
    opened = [os.open("/dev/null", os.O_RDONLY) for _ in range(10)]
    try:
        after = process_usage()
    finally:
        for each in opened:
            os.close(each)
    assert before
    assert after
    assert after.open_fds - before.open_fds == 10
    assert after.open_fds == len([*Path("/proc/self/fd").iterdir()]) + 10 - 1
