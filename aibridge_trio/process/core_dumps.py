"""Disables core dumps, because the process holds keys in memory."""

from __future__ import annotations

import resource
from contextlib import suppress


def forbid_core_dumps() -> None:
    """Set the limit for core dumps (core(5)) to 0: memory holds central keys and callers' keys.

    The kernel applies the limit to files; systemd-coredump and apport apply it to the dumps they receive.
    `PR_SET_DUMPABLE` stays as it is: cleared, it would hide /proc/PID/fd and maps from the process's own user.
    """
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
