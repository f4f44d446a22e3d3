"""How workers connect to the arbiter."""

from __future__ import annotations

import os
import resource
import socket
import struct
from contextlib import suppress

import pytest

from aibridge_trio.sharing.entrance import accept, connect, new_entrance


def test_a_connection_leads_from_one_end_to_the_other() -> None:
    """It tells whose it is, and no child process inherits it."""
    ours, theirs = new_entrance()
    with ours, theirs, connect(theirs) as kept:
        found = accept(ours)
        assert found
        with found:
            kept.send(b"hello")
            assert found.recv(9) == b"hello"
            assert not found.get_inheritable()
            credentials = found.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            assert struct.unpack("3i", credentials)[0] == os.getpid()


def test_without_an_arbiter_there_is_no_connection() -> None:
    """Nothing is left open."""
    ours, theirs = new_entrance()
    ours.close()
    with theirs:
        before = os.listdir("/proc/self/fd")  # noqa: PTH208 - a count
        with pytest.raises(OSError):
            connect(theirs)
        assert len(os.listdir("/proc/self/fd")) == len(before)  # noqa: PTH208 - a count


def test_nothing_waits() -> None:
    """An arbiter without connections, and one that accepts none, raise at once."""
    ours, theirs = new_entrance()
    kept: list[socket.socket] = []
    with ours, theirs:
        with pytest.raises(BlockingIOError):
            accept(ours)
        with suppress(OSError):  # a full buffer, or no descriptor left
            while True:
                kept.append(connect(theirs))
        assert len(kept) > 64  # the most workers
        for each in kept:
            each.close()


def test_a_connection_is_lost_for_lack_of_descriptors() -> None:
    """The worker finds it closed."""
    ours, theirs = new_entrance()
    with ours, theirs, connect(theirs) as kept:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
        try:
            assert accept(ours) is None
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert kept.recv(1) == b""
