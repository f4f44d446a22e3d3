"""Connections to one provider: opened when needed, kept for the next request, never waited for."""

from __future__ import annotations

import math
import select
import socket
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import trio

# How long (seconds) an idle connection is kept. Providers close theirs after 60 to 400.
_EXPIRY = 50.0
# What one read of a socket takes, in bytes.
READ_SIZE = 65536


class Link(Protocol):
    """A byte stream to a provider, and what cannot be asked of every stream."""

    stream: trio.abc.Stream

    def silent(self) -> bool:
        """Whether nothing has come that was not read: no bytes, no end."""

    def close(self) -> None:
        """Close it at once. Not an await: it is called where nothing may come between."""


# Opens a link to a host and a port. Raises OSError.
Dial = Callable[[str, int], Awaitable[Link]]


class SocketLink:
    """A TCP connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream: trio.abc.Stream = stream
        self._socket = stream.socket

    def silent(self) -> bool:
        """Ask the kernel."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        """Close the socket; who waits for it is woken."""
        self._socket.close()


async def dial(host: str, port: int) -> Link:
    """Open a TCP connection: whichever of the host's addresses answers first (RFC 8305). Raises OSError."""
    stream = await trio.open_tcp_stream(host, port)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return SocketLink(stream)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a provider listens; with a TLS context its connections are encrypted and its name is verified."""

    host: str
    port: int
    tls: ssl.SSLContext | None


class Connection:
    """One connection to a provider. `reused` tells whether it has answered before."""

    def __init__(self, link: Link, stream: trio.abc.Stream) -> None:
        self.link = link
        self.stream = stream
        self.reused = False
        self.idle_since = -math.inf


class Statistics(NamedTuple):
    """Connections in use and idle."""

    busy: int
    idle: int


class Pool:
    """Takes and gives connections in constant time; the youngest is reused first, old ones are closed."""

    def __init__(self, origin: Origin, dial: Dial = dial) -> None:
        self._origin = origin
        self._dial = dial
        self._idle: deque[Connection] = deque()
        self._busy: set[Connection] = set()

    def statistics(self) -> Statistics:
        """Return what is open now."""
        return Statistics(len(self._busy), len(self._idle))

    def __repr__(self) -> str:
        return f"<Pool {self._origin.host} busy={len(self._busy)} idle={len(self._idle)}>"

    def take(self) -> Connection | None:
        """Return an idle connection that has not been closed by its provider, None without one."""
        self.expire()
        while self._idle:
            connection = self._idle.pop()
            if connection.link.silent():
                connection.reused = True
                self._busy.add(connection)
                return connection
            connection.link.close()
        return None

    async def open(self) -> Connection:
        """Open another one. Raises OSError and trio.BrokenResourceError; cancelled, it leaves nothing open."""
        origin = self._origin
        link = await self._dial(origin.host, origin.port)
        stream = link.stream
        if origin.tls:
            try:
                stream = trio.SSLStream(
                    link.stream, origin.tls, server_hostname=origin.host, https_compatible=True
                )
                await stream.do_handshake()
            except BaseException:
                link.close()
                raise
        connection = Connection(link, stream)
        self._busy.add(connection)
        return connection

    def give(self, connection: Connection, *, reusable: bool) -> None:
        """Take a connection back: keep it, or close it."""
        self._busy.discard(connection)
        if reusable:
            connection.idle_since = trio.current_time()
            self._idle.append(connection)
        else:
            connection.link.close()
        self.expire()

    def expire(self) -> None:
        """Close what has been idle for too long."""
        oldest = trio.current_time() - _EXPIRY
        while self._idle and self._idle[0].idle_since < oldest:
            self._idle.popleft().link.close()

    def close(self) -> None:
        """Close all of them."""
        for connection in (*self._busy, *self._idle):
            connection.link.close()
        self._idle.clear()
