"""Batches on one connection, in order, from connecting to its end.

A server that has lost the script (restarted, SCRIPT FLUSH) executes nothing of a batch: when all that is under way
is answered, the script is loaded again, and those batches are sent again, in their order.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import trio

from aibridge_trio.sharing.backend import StoreError
from aibridge_trio.sharing.redis.connection import Connection, NoScript, Word

# How often a batch is sent again because the script was not there.
_MOST_LOADS = 2


class Script:
    """A script in Lua that executes batches: `key` is KEYS[1], the batch ARGV[1]."""

    def __init__(self, source: str, key: str) -> None:
        self.source = source
        self.key = key
        self._digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()

    def command(self, batch: bytes) -> tuple[Word, ...]:
        """Return the command that executes a batch, where the script is known."""
        return "EVALSHA", self._digest, 1, self.key, batch


class _Call:
    """A batch: `answer` waits for the reply once it is sent, `woken` is set when it is sent or has failed."""

    def __init__(self, batch: bytes, number: int) -> None:
        self.batch = batch
        self.number = number
        self.answer: Awaitable[Any] | None = None
        self.woken = trio.Event()
        self.loads = 0


class Batches:
    """Executes batches; `over` when the connection has failed, and for good."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._connection: Connection | None = None
        self._failure: str | None = None
        self._number = 0
        self._unsent: deque[_Call] = deque()
        self._under_way = 0  # sent, and not answered
        self._without_script: list[_Call] = []
        self._executed = 0  # the highest number of a batch that was

    @property
    def over(self) -> bool:
        """Whether another connection is needed."""
        return self._failure is not None or (self._connection is not None and not self._connection.usable)

    async def open(
        self, connect: Callable[[trio.Nursery], Coroutine[Any, Any, Connection]], nursery: trio.Nursery
    ) -> None:
        """Connect, then send what has come meanwhile."""
        try:
            connection = await connect(nursery)
        except StoreError as error:
            self.end(error)
            return
        if self._failure is not None:
            connection.drop()
            return
        self._connection = connection
        self._send()

    async def execute(self, batch: bytes) -> bytes:
        """Execute a batch. One that is cancelled when it was sent ends the connection. Raises StoreError."""
        self._number += 1
        call = _Call(batch, self._number)
        self._unsent.append(call)
        self._send()
        try:
            while True:
                while call.answer is None:
                    self._check()
                    await call.woken.wait()
                try:
                    return await self._reply(call)
                except NoScript as error:
                    self._try_again(call, error)
        except StoreError as error:
            self.end(error)
            self._check()  # what came first, not what it led to
            raise
        except BaseException:
            if call in self._unsent:
                self._unsent.remove(call)
            else:
                self.end(StoreError("an answer was late"))
            raise

    def end(self, error: StoreError) -> None:
        """Close the connection; all that is under way fails."""
        if self._failure is None:
            self._failure = str(error)
        if self._connection:
            self._connection.drop()
        for call in (*self._unsent, *self._without_script):
            call.woken.set()
        self._unsent.clear()
        self._without_script.clear()

    async def _reply(self, call: _Call) -> bytes:
        assert self._connection
        assert call.answer
        try:
            found = await self._connection.answer(call.answer)
        finally:
            self._under_way -= 1
        if not isinstance(found, bytes):
            raise StoreError("it answers with something else")
        self._executed = max(self._executed, call.number)
        if not self._under_way and self._without_script:
            self._load_again()
        return found

    def _try_again(self, call: _Call, error: NoScript) -> None:
        call.answer, call.woken = None, trio.Event()
        call.loads += 1
        if call.loads > _MOST_LOADS:
            raise error
        self._without_script.append(call)
        if not self._under_way:
            self._load_again()

    def _load_again(self) -> None:
        """Send the script, then what was not executed. After a later batch an earlier one would be stale."""
        calls = sorted(self._without_script, key=lambda each: each.number)
        if calls[0].number < self._executed:
            self.end(StoreError("the script was lost in the middle"))
            return
        self._without_script.clear()
        self._unsent.extendleft(reversed(calls))
        self._send(load=True)

    def _send(self, *, load: bool = False) -> None:
        if not self._connection or self._without_script:
            return
        try:
            if load:
                self._connection.send("SCRIPT", "LOAD", self._script.source)
            while self._unsent:
                call = self._unsent[0]
                call.answer = self._connection.send(*self._script.command(call.batch))
                self._unsent.popleft()
                self._under_way += 1
                call.woken.set()
        except StoreError as error:
            self.end(error)

    def _check(self) -> None:
        if self._failure is not None:
            raise StoreError(self._failure)

    def __repr__(self) -> str:
        return f"<Batches under_way={self._under_way} unsent={len(self._unsent)}>"
