"""Connections to a Redis or Valkey, by coredis: commands in order, pipelined, in RESP3.

Only coredis' protocol is used. Sockets, names, TLS and timeouts are the bridge's own, as for providers: a look-up
that hangs keeps a thread of these connections only.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import trio
from anyio import TASK_STATUS_IGNORED, EndOfStream
from anyio.abc import ByteStream as AnyioStream
from anyio.abc import TaskStatus
from coredis.connection import BaseConnection, Location
from coredis.exceptions import (
    AuthenticationFailureError,
    AuthenticationRequiredError,
    BusyLoadingError,
    MovedError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from aibridge_trio.net.fault_causes import cause, chain
from aibridge_trio.net.stream import ByteStream
from aibridge_trio.printable import visible
from aibridge_trio.sharing.backend import StoreError

# Opens a connection to the server. Raises OSError and what a ByteStream raises.
Open = Callable[[], Awaitable[ByteStream]]
Word = str | bytes | int

# Until a connection has been made and the server has let it in (seconds).
CONNECT_TIMEOUT = 2.0
# What a server may send until an answer, or a message, is complete (bytes).
LONGEST_ANSWER = 1 << 23
# Characters of a server's error that are logged: it quotes what it was sent.
_SHOWN_ERROR = 120

# It would write to stderr by itself, between the log's lines.
logging.getLogger("coredis").propagate = False


class NoScript(StoreError):
    """The server does not know the script (any more)."""


class Moved(StoreError):
    """Another server of the cluster has the key: `host`, "" for the same one, and `port`."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"another server of the cluster has the keys: {visible(host, 64)}:{port}")
        self.host, self.port = host, port


class Connection:
    """One connection, while it is `usable`. `version` is the server's."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self.version = visible(connection.server_version or "", 32)

    @property
    def usable(self) -> bool:
        """Whether commands can be sent."""
        return self._connection.usable

    def send(self, *words: Word) -> Awaitable[Any]:
        """Send a command at once, behind those before; return what waits for its answer. Raises StoreError.

        `answer` gives the answer.
        """
        try:
            return self._connection.create_request(_bytes(words[0]), *words[1:])
        except Exception as error:  # noqa: BLE001 - as in `answer`
            raise _in_words(error) from None

    async def answer(self, request: Awaitable[Any]) -> Any:
        """Wait for an answer, and return it. Raises StoreError."""
        try:
            found = await request
        except Exception as error:  # noqa: BLE001 - whatever coredis' parser made of what a server sends
            raise _in_words(error) from None
        self._connection.progress()
        return found

    async def call(self, *words: Word) -> Any:
        """Execute a command. Raises StoreError."""
        return await self.answer(self.send(*words))

    async def subscribe(self, channel: str) -> AsyncIterator[None]:
        """Yield when subscribed, and for each message that follows. Raises StoreError when it ends.

        Nothing else but PING may be sent on this connection.
        """
        try:
            self._connection.send_command(b"SUBSCRIBE", channel)
            async with aclosing(self._connection.push_messages) as messages:
                async for message in messages:
                    self._connection.progress()
                    if message[:1] in ([b"subscribe"], [b"message"]):
                        yield
        except Exception as error:  # noqa: BLE001 - as in `answer`
            raise _in_words(error) from None

    def drop(self) -> None:
        """Close it; what waits for an answer fails."""
        self._connection.invalidate()


async def connect(
    nursery: trio.Nursery, open_stream: Open, *, user: str = "", password: str = "", database: int = 0
) -> Connection:
    """Connect and log in, within CONNECT_TIMEOUT. Raises StoreError.

    The connection lives in `nursery`, which it neither ends nor cancels.
    """
    connection = _Connection(open_stream, user, password, database)
    with trio.move_on_after(CONNECT_TIMEOUT) as scope:
        try:
            await nursery.start(connection.run)
            return Connection(connection)
        except RedisError as error:
            # coredis raises one for a cancellation, too.
            if not scope.cancel_called:
                raise _in_words(error) from None
    connection.invalidate()
    raise StoreError(f"no connection within {CONNECT_TIMEOUT:g} s")


class _Where(Location):
    async def check(self) -> bool:
        return True

    def __repr__(self) -> str:
        return "the store"


class _Connection(BaseConnection):
    """coredis' connection on a stream of the bridge."""

    def __init__(self, open_stream: Open, user: str, password: str, database: int) -> None:
        super().__init__(_Where(), username=user or None, password=password or None, db=database)
        self._open = open_stream
        self._own: _Stream | None = None

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        try:
            await super().run(task_status=task_status)
        finally:
            # coredis leaves them open when it does not come to a connection.
            self._write_buffer_in.close()
            self._write_buffer_out.close()
            self._push_message_buffer_in.close()
            self._push_message_buffer_out.close()
            self._streamed_message_buffer_in.close()
            self._streamed_message_buffer_out.close()

    async def _connect(self) -> AnyioStream:
        self._own = _Stream(await self._open())
        return self._own

    def describe(self) -> str:
        return "<Connection to the store>"

    def progress(self) -> None:
        """Count what the server sends from here on."""
        if self._own:
            self._own.received = 0


class _Stream(AnyioStream):
    """A stream of the bridge as anyio has them."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self.received = 0

    async def receive(self, max_bytes: int = 65536) -> bytes:  # noqa: ARG002 - it never returns more
        data = await self._stream.receive()
        if not data:
            raise EndOfStream
        self.received += len(data)
        if self.received > LONGEST_ANSWER:
            raise trio.BrokenResourceError(f"an answer is longer than {LONGEST_ANSWER} bytes")
        return data

    async def send(self, item: bytes) -> None:
        sent = self._stream.push(item)
        if sent < len(item):
            await self._stream.send(item[sent:])
        else:
            await trio.lowlevel.checkpoint()

    async def send_eof(self) -> None:
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        self._stream.close()
        await trio.lowlevel.checkpoint()


# Errors of servers that are said otherwise than the server does.
_WORDS: tuple[tuple[type[RedisError], str], ...] = (
    (AuthenticationRequiredError, "it asks for a password"),
    (AuthenticationFailureError, "it refuses the user or the password"),
    (BusyLoadingError, "it is loading its data"),
    (ReadOnlyError, "it is a copy, which takes no writes"),
)


def _in_words(error: BaseException) -> StoreError:
    """Return why a command failed, in words for the log."""
    for each in chain(error):
        if isinstance(each, NoScriptError):
            return NoScript("the script is not there")
        if isinstance(each, MovedError):
            return Moved(each.host, each.port)
        if words := next((words for kind, words in _WORDS if isinstance(each, kind)), None):
            return StoreError(words)
        if isinstance(each, ResponseError):
            return StoreError(f"it answers: {visible(str(each), _SHOWN_ERROR)}")
    words = cause(error)
    return StoreError("the connection was closed" if words == type(error).__name__ else words)


def _bytes(word: Word) -> bytes:
    return word if isinstance(word, bytes) else str(word).encode()
