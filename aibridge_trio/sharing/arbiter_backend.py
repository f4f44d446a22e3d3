"""The way from a worker to the arbiter: one connection, by the entrance that the worker has inherited."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable

import trio

from aibridge_trio.sharing.backend import StoreError
from aibridge_trio.sharing.entrance import connect
from aibridge_trio.sharing.frames import LONGEST, FrameStream, frame

_LOST = "the connection to the supervisor was lost"


class ArbiterBackend:
    """Batches go to the arbiter that accepts from `entrance`."""

    def __init__(self, entrance: socket.socket) -> None:
        self._entrance = entrance
        self._connection: _Connection | None = None
        self._nursery: trio.Nursery | None = None

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Read what the arbiter sends until cancelled, then close the connection."""
        async with trio.open_nursery() as self._nursery:
            task_status.started()
            await trio.sleep_forever()

    async def execute(self, batch: bytes) -> bytes:
        """Execute a batch; return the reply. Raises StoreError."""
        connection = self._connection
        if connection is None or connection.closed.is_set():
            connection = await self._connect()
        return await connection.execute(batch)

    async def listen(self, wake: Callable[[], None]) -> None:
        """Call `wake` when there may be messages. Raises StoreError when the connection is lost."""
        connection = self._connection
        if connection is None or connection.closed.is_set():
            await trio.lowlevel.checkpoint()
            raise StoreError(_LOST)
        connection.wake = wake
        wake()
        await connection.closed.wait()
        raise StoreError(_LOST)

    async def _connect(self) -> _Connection:
        if self._nursery is None:
            raise StoreError("the link does not run")
        try:
            connected = connect(self._entrance)
        except OSError as error:
            await trio.lowlevel.checkpoint()
            raise StoreError(f"the supervisor is not reached ({type(error).__name__})") from None
        self._connection = connection = _Connection(connected)
        self._nursery.start_soon(connection.read)
        return connection

    def __repr__(self) -> str:
        return "<ArbiterBackend>"


class _Reply:
    """The reply to a batch, once it is there."""

    __slots__ = ("content", "task")

    def __init__(self) -> None:
        self.content: bytes | None = None
        self.task: trio.lowlevel.Task | None = None

    async def wait(self) -> None:
        """Wait until it is there, or the connection is closed."""
        self.task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort)

    def wake(self) -> None:
        """Let the task go on, if it waits."""
        if self.task is not None:
            trio.lowlevel.reschedule(self.task)
            self.task = None

    def _abort(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self.task = None
        return trio.lowlevel.Abort.SUCCEEDED


class _Connection:
    """Batches that wait for their replies, in order."""

    def __init__(self, connected: socket.socket) -> None:
        self.closed = trio.Event()
        self.wake: Callable[[], None] = _ignore
        self._stream = FrameStream(connected)
        self._replies: deque[_Reply] = deque()

    async def execute(self, batch: bytes) -> bytes:
        """Send a batch and wait for its reply; without one the connection is closed. Raises StoreError."""
        reply = _Reply()
        try:
            if len(batch) > LONGEST:
                raise StoreError("a batch that is too long")
            sent = self._stream.send(frame(batch))
            self._replies.append(reply)
            if not sent:
                await self._stream.drain()
            if reply.content is None and not self.closed.is_set():
                await reply.wait()
        except (OSError, trio.ClosedResourceError) as error:
            raise StoreError(_LOST) from error
        finally:
            if reply.content is None:
                self.close()
        if reply.content is None:
            raise StoreError(_LOST)
        return reply.content

    async def read(self) -> None:
        """Read until the connection is closed."""
        try:
            while True:
                for content in await self._stream.receive():
                    if content:
                        reply = self._replies.popleft()
                        reply.content = content
                        reply.wake()
                    else:
                        self.wake()
        except (OSError, ValueError, IndexError, trio.ClosedResourceError):
            pass
        finally:
            self.close()

    def close(self) -> None:
        """Close it; what waits for a reply fails."""
        if not self.closed.is_set():
            self.closed.set()
            self._stream.close()
            while self._replies:
                self._replies.popleft().wake()


def _ignore() -> None:
    pass
