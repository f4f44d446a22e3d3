"""Connections that idle: at first with all that serves them, then parked, with no more than their streams.

A parked connection has no task, no parser and no buffers, and does not remember its last head. It gets all of them
anew when there is something to read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import trio

from aibridge_trio.net.deadline import Deadline
from aibridge_trio.net.stream import ServerStream

# How long (seconds) a connection waits for a request before it is parked: the next request of a busy client comes
# sooner, and finds its head remembered. It is no longer than half of the idle timeout.
PARK_AFTER = 2.0


class Served(Protocol):
    """A connection that has its task."""

    def stop(self) -> None:
        """End it: it idles."""


class Idle:
    """A connection that idles for longer than PARK_AFTER: with its task (`connection`), or parked.

    What comes and is no request (an empty line) makes the task begin again, and does not end the idle time.
    """

    __slots__ = ("_parking", "connection", "stream")

    def __init__(self, parking: Parking, stream: ServerStream, connection: Served) -> None:
        self._parking = parking
        self.stream = stream
        self.connection: Served | None = connection

    def end(self) -> None:
        """End the idle time: a request begins, or the connection has ended."""
        self._parking.end(self)

    def expire(self) -> None:
        """See Waiter: the connection was idle for too long."""
        self._parking.stop(self)

    def wake(self) -> None:
        """Handle that a parked connection has something to read, or that its caller has left."""
        self._parking.wake(self)


class Parking:
    """The idle connections of a server: `waiting` is the timeout of those that are not idle for long.

    They may idle for `keep_alive` seconds. `resume` begins a task for a stream that was parked; `closed` is called
    for a stream that was closed here.
    """

    def __init__(
        self, keep_alive: float, *, resume: Callable[[Idle], Served], closed: Callable[[ServerStream], None]
    ) -> None:
        self.keep_alive = keep_alive
        self.waiting = Deadline(_park_after(keep_alive))
        self._idle = Deadline(keep_alive - self.waiting.seconds)
        self._parked: set[Idle] = set()
        self._resume = resume
        self._closed = closed

    def apply(self, keep_alive: float) -> None:
        """Change how long connections may idle, of those that do, too."""
        self.keep_alive = keep_alive
        self.waiting.apply(_park_after(keep_alive))
        self._idle.apply(keep_alive - self.waiting.seconds)

    async def run(self) -> None:
        """Park and end connections until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.waiting.run)
            nursery.start_soon(self._idle.run)

    def begin(self, connection: Served, stream: ServerStream) -> Idle:
        """Begin the idle time of a connection that has waited for PARK_AFTER."""
        idle = Idle(self, stream, connection)
        self._idle.begin(idle)
        return idle

    def end(self, idle: Idle) -> None:
        """End the idle time, if it has not expired."""
        self._idle.end(idle)

    def park(self, idle: Idle) -> None:
        """Keep nothing of a connection but its stream, until there is something to read."""
        idle.connection = None
        self._parked.add(idle)
        idle.stream.call_when_readable(idle.wake)

    def wake(self, idle: Idle) -> None:
        """Give a parked connection a task, unless its caller has left."""
        if idle not in self._parked:
            return  # it is being closed
        if idle.stream.peer_left():
            self._close(idle)
        else:
            self._parked.remove(idle)
            idle.connection = self._resume(idle)

    def stop(self, idle: Idle) -> None:
        """End an idle connection. What its caller has just sent is read first, lest the end be a reset."""
        if idle.connection is None and idle.stream.nothing_to_read():
            self._close(idle)
            return
        if idle.connection is None:
            self.wake(idle)
        if idle.connection:
            idle.connection.stop()

    def stop_all(self) -> None:
        """End all parked connections."""
        for idle in tuple(self._parked):
            self.stop(idle)

    def close(self) -> None:
        """Close all parked connections at once."""
        for idle in tuple(self._parked):
            self._close(idle)

    def evict(self) -> bool:
        """End the connection that has idled longest; return whether there was one."""
        idle = self._idle
        # One of those that wait becomes an idle one first.
        return idle.expire_oldest() or (self.waiting.expire_oldest() and idle.expire_oldest())

    def statistics(self) -> int:
        """Return the number of parked connections."""
        return len(self._parked)

    def __repr__(self) -> str:
        return f"<Parking parked={len(self._parked)}>"

    def _close(self, idle: Idle) -> None:
        self._parked.remove(idle)
        self._idle.end(idle)
        idle.stream.close()
        self._closed(idle.stream)


def _park_after(keep_alive: float) -> float:
    return min(PARK_AFTER, keep_alive / 2)
