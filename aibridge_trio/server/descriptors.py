"""File descriptors: how many this process may open, and a reserve for the moment when none is left."""

from __future__ import annotations

import errno
import os
import resource
import socket
import sys
from contextlib import suppress


def raise_descriptor_limit() -> None:
    """Raise the soft limit to the hard one: connections take one or two descriptors, and shells allow 1024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS reports a hard limit that it does not accept
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def descriptor_limit() -> int:
    """Return how many descriptors this process may open."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if most == resource.RLIM_INFINITY else most


class Reserve:
    """Keeps `size` descriptors back, to accept connections with when no other is left."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: list[int] = []

    @property
    def spent_last(self) -> bool:
        """Whether the reserve is used up; False if it has no size."""
        return self._size > 0 and not self._kept

    def spend(self) -> bool:
        """Free one descriptor; return whether there was one."""
        if self._kept:
            os.close(self._kept.pop())
            return True
        return False

    def refill(self) -> None:
        """Fill the reserve as far as there are descriptors."""
        if len(self._kept) == self._size:
            return
        with suppress(OSError):
            while len(self._kept) < self._size:
                # A socket, not /dev/null: an empty root directory has no /dev/null.
                self._kept.append(socket.socket(socket.AF_UNIX).detach())

    def close(self) -> None:
        """Free all descriptors, and keep none from now on."""
        self._size = 0
        while self.spend():
            pass


def shortage(error: OSError) -> str:
    """Return what this machine lacks, in words, for an error of accept()."""
    match error.errno:
        case errno.EMFILE:
            most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
            return f"out of file descriptors (limit {most}; raise it with ulimit -n or LimitNOFILE=)"
        case errno.ENFILE:
            return "this machine is out of file descriptors (fs.file-max)"
    return f"this machine is short of memory for sockets ({error.strerror or error})"
