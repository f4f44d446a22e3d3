"""A pool of connections to one provider: opened on demand, kept for reuse, never waited for."""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import trio

from aibridge_trio.http.response_parser import ResponseParser
from aibridge_trio.net.dial import Dial
from aibridge_trio.net.stream import ByteStream
from aibridge_trio.net.tls import TLSStream

# How long (seconds) an idle connection is kept. Providers close idle connections after 60 to 400.
_EXPIRY = 50.0

# How many connections are opened for one request if a provider sends data before the request.
_DIALS = 2


@dataclass(frozen=True, slots=True)
class Origin:
    """A provider's address; with a TLS context, connections are encrypted and its name is verified."""

    host: str
    port: int
    tls: ssl.SSLContext | None


class Connection:
    """One connection to a provider. `reused`: it has carried a response before."""

    __slots__ = ("idle_since", "parser", "reused", "stream")

    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream
        self.parser = ResponseParser()
        self.reused = False
        self.idle_since = 0.0

    def close(self) -> None:
        """Close it at once."""
        self.stream.close()


class PoolStats(NamedTuple):
    """Connections in use and idle."""

    busy: int
    idle: int


class Pool:
    """Takes and releases connections in constant time; reuses the youngest first, and closes expired ones."""

    def __init__(self, origin: Origin, dial: Dial) -> None:
        self._origin = origin
        self._dial = dial
        self._idle: deque[Connection] = deque()
        self._busy: set[Connection] = set()
        self._closed = self._retired = False
        self._now = 0.0  # at the latest request or expiry; idle times count from there, to look at no clock
        self.clock: Callable[[], float] = trio.current_time

    def statistics(self) -> PoolStats:
        """Return the connections that are open now."""
        return PoolStats(len(self._busy), len(self._idle))

    def __repr__(self) -> str:
        return f"<Pool {self._origin.host} busy={len(self._busy)} idle={len(self._idle)}>"

    def take_idle(self, now: float) -> Connection | None:
        """Return an idle connection that its provider has not closed, None without one; `now` is the time."""
        self._now = now
        if self._idle and self._idle[0].idle_since < now - _EXPIRY:
            self.expire(now)
        while self._idle:
            connection = self._idle.pop()
            if connection.stream.silent():
                connection.reused = True
                self._busy.add(connection)
                return connection
            connection.close()
        return None

    async def open(self) -> Connection:
        """Open a connection. Raises OSError and trio.BrokenResourceError; leaves nothing open if cancelled.

        A connection that has sent data or ended before the request is not used: the data (often a 408) would be
        taken for the response. It is replaced once.
        """
        self.clock = trio.lowlevel.current_clock().current_time  # without the calls that lead to it
        for _ in range(_DIALS):
            if stream := await self._dial_silent():
                if self._closed:
                    stream.close()
                    raise trio.ClosedResourceError
                connection = Connection(stream)
                self._busy.add(connection)
                return connection
        raise trio.BrokenResourceError("it spoke or ended before it was asked")

    async def _dial_silent(self) -> ByteStream | None:
        """Dial; return None if there is something to read already, other than TLS's own messages."""
        origin = self._origin
        stream = await self._dial(origin.host, origin.port)
        try:
            if origin.tls:
                tls = TLSStream(stream, origin.tls, origin.host)
                await tls.do_handshake()
                silent = await tls.consume_tls_messages()
                stream = tls
            else:
                silent = stream.nothing_to_read()
        except BaseException:
            stream.close()
            raise
        if silent:
            return stream
        stream.close()
        return None

    def release(self, connection: Connection, *, reusable: bool) -> None:
        """Return a connection to the pool, which keeps or closes it."""
        if connection not in self._busy:  # the pool has been closed
            return
        self._busy.discard(connection)
        if reusable and not self._retired:
            connection.idle_since = self._now
            self._idle.append(connection)
        else:
            connection.close()

    def expire(self, now: float) -> None:
        """Close expired idle connections; `now` is the time."""
        self._now = now
        oldest = now - _EXPIRY
        while self._idle and self._idle[0].idle_since < oldest:
            self._idle.popleft().close()

    def retire(self) -> None:
        """Close the idle connections; those in use end with their responses."""
        self._retired = True
        while self._idle:
            self._idle.popleft().close()

    def close(self) -> None:
        """Close all connections, and keep none that is released or opened later."""
        self._closed = True
        for connection in (*self._busy, *self._idle):
            connection.close()
        self._idle.clear()
        self._busy.clear()
