"""The store of one machine's workers: a ledger in the process that supervises them, over unix sockets."""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

import trio

from aibridge_trio.core.sharing.ledger import Ledger
from aibridge_trio.sharing.entrance import accept
from aibridge_trio.sharing.frames import WAKE_UP, FrameStream, frame

# Workers, and their connections: each has one at a time.
_MOST_CONNECTIONS = 1_024
# How long a worker may leave a reply unread, and how long a process may take to end once its sockets are closed
# (seconds); the ledger takes what a silent one holds in any case.
_UNREAD, _ENDING = 5.0, 3.0
# After a connection that could not be accepted, for example because descriptors are short (seconds).
_ACCEPT_AGAIN = 0.1
_CREDENTIALS = struct.Struct("3i")


class Arbiter:
    """Executes the batches of workers. `wall` returns the Unix time (seconds).

    What a worker holds is given back as soon as its process has ended; what it had running counts as used.
    """

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self.ledger = Ledger()
        self._connections: set[_Connection] = set()

    async def serve(
        self, entrance: socket.socket, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve the workers that connect by an entrance, until cancelled; then close it."""
        with entrance:
            async with trio.open_nursery() as nursery:
                task_status.started()
                while True:
                    await trio.lowlevel.wait_readable(entrance)
                    try:
                        connected = accept(entrance)
                    except OSError:
                        await trio.sleep(_ACCEPT_AGAIN)
                        continue
                    if connected is None:  # descriptors are short; the worker tries again
                        await trio.sleep(_ACCEPT_AGAIN)
                    elif len(self._connections) < _MOST_CONNECTIONS:
                        nursery.start_soon(self._serve, connected)
                    else:
                        connected.close()

    async def _serve(self, connected: socket.socket) -> None:
        """Serve a connection; an error ends this one only."""
        connection = _Connection(connected)
        ended = _when_ended(connected)
        self._connections.add(connection)
        try:
            with suppress(OSError, ValueError, RecursionError, trio.TooSlowError):
                await connection.serve(self._execute)
        finally:
            self._connections.discard(connection)
            if ended >= 0:
                try:
                    await self._lose_if_ended(connection.replica, ended)
                finally:
                    os.close(ended)

    async def _lose_if_ended(self, replica: str, ended: int) -> None:
        # A process closes its sockets a moment before it has ended; one that lives connects again.
        with trio.move_on_after(_ENDING):
            await trio.lowlevel.wait_readable(ended)
            if replica:
                before = self.ledger.number
                self.ledger.lose(replica, self._wall())
                self._wake_after(before)

    def _execute(self, batch: bytes) -> bytes:
        before = self.ledger.number
        reply = self.ledger.execute(batch, self._wall())
        self._wake_after(before)
        return reply

    def _wake_after(self, before: int) -> None:
        if self.ledger.number != before:
            for each in self._connections:
                each.wake()

    def __repr__(self) -> str:
        return f"<Arbiter connections={len(self._connections)} {self.ledger!r}>"


class _Connection:
    """A worker's connection; `replica` is the one whose batches came over it."""

    def __init__(self, connected: socket.socket) -> None:
        self.replica = ""
        self._stream = FrameStream(connected)

    async def serve(self, execute: Callable[[bytes], bytes]) -> None:
        """Execute batches until the connection ends. Raises OSError, ValueError."""
        stream = self._stream
        try:
            while True:
                for batch in await stream.receive():
                    stream.send(frame(execute(batch)))
                    self.replica = self.replica or json.loads(batch)[0]
                    if stream.unsent:
                        with trio.fail_after(_UNREAD):
                            await stream.drain()
        finally:
            stream.close()

    def wake(self) -> None:
        """Send a wake-up, unless the worker does not read: it asks by itself once a second."""
        if not self._stream.unsent:
            with suppress(OSError):
                self._stream.send(WAKE_UP)


def _when_ended(connected: socket.socket) -> int:
    """Return a descriptor that is readable when the process at the other end has ended; -1 where there is none."""
    try:
        found = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        return os.pidfd_open(_CREDENTIALS.unpack(found)[0])
    except (AttributeError, OSError):
        return -1
