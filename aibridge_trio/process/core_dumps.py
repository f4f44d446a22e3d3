"""Keys in memory stay in memory: no core dump of a process that holds them."""

from __future__ import annotations

import resource
from contextlib import suppress


def forbid_core_dumps() -> None:
    """Set the limit for cores (core(5)) to 0: central keys are in memory, and callers' own on their way.

    The kernel heeds it for files, systemd-coredump and apport heed it for what they are sent. `PR_SET_DUMPABLE` is
    left alone: without it the process's own user could no longer look at its descriptors and memory maps.
    """
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
