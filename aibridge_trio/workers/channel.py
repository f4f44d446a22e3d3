"""Messages between the supervisor and a worker, over a pair of sockets that the worker inherits.

Values are pickled: both ends run the same program, and no other process has the sockets. So secrets of the
configuration stand neither in a command line nor in a file.
"""

from __future__ import annotations

import itertools
import math
import pickle
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import trio

_LENGTH = struct.Struct("!I")
_READ = 1 << 16
# The first part of a message, in place of a name: what was returned.
_RETURNED = ""

# Answers a call by its name and value; what it returns is sent back.
Handler = Callable[[str, Any], Awaitable[Any]]


class Gone(Exception):
    """The other process has ended, or did not answer in time."""


class Channel:
    """One end of a connection; `run` handles what the other end calls."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._numbers = itertools.count(1)
        self._calls: dict[int, trio.MemorySendChannel[Any]] = {}
        self._out, self._waiting = trio.open_memory_channel[bytes](math.inf)
        self.closed = False

    async def call(self, name: str, value: Any = None, within: float = math.inf) -> Any:
        """Return what the other end returns. Raises Gone."""
        number = next(self._numbers)
        answer, answered = trio.open_memory_channel[Any](1)
        if self.closed:
            raise Gone(name)
        self._calls[number] = answer
        try:
            self._send(number, name, value)
            with trio.fail_after(within):
                return await answered.receive()
        except (trio.TooSlowError, trio.EndOfChannel):
            raise Gone(name) from None
        finally:
            del self._calls[number]

    def tell(self, name: str, value: Any = None) -> None:
        """Send a message that has no answer; nothing is sent to a process that has ended."""
        self._send(0, name, value)

    async def run(self, handle: Handler) -> None:
        """Handle calls until the other end has gone."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write)
                await self._read(nursery, handle)
                nursery.cancel_scope.cancel()
        finally:
            self.closed = True
            for answer in self._calls.values():
                answer.close()

    async def flush(self) -> None:
        """Wait until all that was sent is with the other end's kernel."""
        while not self.closed and self._waiting.statistics().current_buffer_used:  # noqa: ASYNC110 - written by a task
            await trio.sleep(0.01)

    def __repr__(self) -> str:
        return f"<Channel calls={len(self._calls)} closed={self.closed}>"

    def _send(self, number: int, name: str, value: Any) -> None:
        if not self.closed:
            content = pickle.dumps((number, name, value), pickle.HIGHEST_PROTOCOL)
            self._out.send_nowait(_LENGTH.pack(len(content)) + content)

    async def _write(self) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for content in self._waiting:
                await self._stream.send_all(content)

    async def _read(self, nursery: trio.Nursery, handle: Handler) -> None:
        data = bytearray()
        while True:
            try:
                piece = await self._stream.receive_some(_READ)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
            if not piece:
                return
            data += piece
            while len(data) >= _LENGTH.size:
                end = _LENGTH.size + _LENGTH.unpack_from(data)[0]
                if len(data) < end:
                    break
                number, name, value = pickle.loads(data[_LENGTH.size : end])  # noqa: S301 - as above
                del data[:end]
                if name == _RETURNED:
                    if number in self._calls:
                        self._calls[number].send_nowait(value)
                else:
                    nursery.start_soon(self._answer, handle, number, name, value)

    async def _answer(self, handle: Handler, number: int, name: str, value: Any) -> None:
        result = await handle(name, value)
        if number:
            self._send(number, _RETURNED, result)
