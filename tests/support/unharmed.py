"""What a bridge has at rest, as the kernel and its own numbers tell; and that it has no more of it afterwards."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET, socket
from typing import Any, NamedTuple

from tests.support.processes import ASK, MESSAGES, Bridge, until

MIB = 1024 * 1024
# What the allocator may keep of what was in use for a while.
_ROUNDING = 32 * MIB
_LISTENS = "0A"
ASKED: Any = {"model": "m", "max_tokens": 9, "messages": ASK}


class Link(NamedTuple):
    """One TCP socket of a process: its own port and the other side's, and bytes that it has not read."""

    own: int
    other: int
    listens: bool
    unread: int


def links(pid: int) -> list[Link]:
    """Return the TCP sockets of a process, over IPv4."""
    inodes = set[str]()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile
            inodes.add(str(entry.readlink()).removeprefix("socket:[").removesuffix("]"))
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return [
        Link(
            int(row[1].rpartition(":")[2], 16),
            int(row[2].rpartition(":")[2], 16),
            row[3] == _LISTENS,
            int(row[4].partition(":")[2], 16),
        )
        for row in rows
        if row[9] in inodes
    ]


def resident(pid: int) -> int:
    """Return how much memory a process holds, in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


@dataclass(frozen=True)
class Rest:
    """Connections of callers, descriptors but for those to providers and operators, and memory."""

    callers: int
    descriptors: int
    memory: int

    @classmethod
    def of(cls, bridge: Bridge) -> Rest:
        """Look."""
        pid = bridge.process.pid
        found = [link for link in links(pid) if not link.listens]
        return cls(
            callers=sum(link.own == bridge.port for link in found),
            # Kept connections to providers are not left behind, and operators' are not these callers'.
            descriptors=len(list(Path(f"/proc/{pid}/fd").iterdir()))
            - sum(link.own != bridge.port for link in found),
            memory=resident(pid),
        )


def served(bridge: Bridge) -> bool:
    """Whether an honest caller is served."""
    return bridge.caller.post(MESSAGES, json=ASKED).status_code == 200


@contextmanager
def unharmed(bridge: Bridge) -> Iterator[None]:
    """Behind this block it serves as before, and holds no slot, no connection, no descriptor, no memory more."""
    assert served(bridge)
    before = Rest.of(bridge)
    yield
    until(lambda: bridge.in_flight() == 0, "every slot back")
    until(lambda: Rest.of(bridge).callers <= before.callers, "callers' connections closed")
    until(lambda: Rest.of(bridge).descriptors <= before.descriptors, "every descriptor back")
    assert Rest.of(bridge).memory - before.memory < _ROUNDING
    assert served(bridge)


def reset(sock: socket) -> None:
    """Close so that the other side sees a break."""
    sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def heard(sock: socket) -> bytes:
    """Read until the other side ends it, one way or the other."""
    data = bytearray()
    with suppress(ConnectionError):
        while piece := sock.recv(65536):
            data += piece
    return bytes(data)
