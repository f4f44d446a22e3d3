"""One connection: commands in order, errors in words without secrets, bounds on what a server sends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from aibridge_trio.net.dial import new_dialer
from aibridge_trio.sharing.backend import StoreError
from aibridge_trio.sharing.redis import connection
from aibridge_trio.sharing.redis.connection import Connection, Moved, NoScript, connect
from tests.support.redis_servers import RedisServer, running

pytestmark = pytest.mark.real
HELLO = b"%3\r\n+proto\r\n:3\r\n+version\r\n+6.2.0\r\n+id\r\n:1\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running(password="hunter2") as server:
        yield server


@asynccontextmanager
async def connected(port: int, password: str = "") -> AsyncIterator[Connection]:
    """A connection, closed at the end."""
    dial = new_dialer()
    async with trio.open_nursery() as nursery:
        made = await connect(nursery, partial(dial, "127.0.0.1", port), password=password)
        yield made
        made.drop()


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[Connection]:
    """A connection to a server that answers HELLO, then with each of these whatever it is asked."""

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            try:
                for answer in (HELLO, *answers):
                    await stream.receive_some()
                    await stream.send_all(answer)
                await stream.receive_some()
            except trio.BrokenResourceError:
                pass

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        async with connected(listeners[0].socket.getsockname()[1]) as made:
            yield made
        nursery.cancel_scope.cancel()


async def test_commands_are_pipelined(server: RedisServer) -> None:
    """Many are under way at once; each has its own answer, also if another one is not waited for any more."""
    async with connected(server.port, "hunter2") as made:
        requests = [made.send("ECHO", str(number)) for number in range(100)]
        with trio.move_on_after(0):
            await made.answer(requests[3])
        for number in reversed(range(100)):
            assert await made.answer(requests[number]) == b"%d" % number


async def test_errors_are_in_words(server: RedisServer) -> None:
    """And the connection goes on."""
    async with connected(server.port, "hunter2") as made:
        with pytest.raises(NoScript):
            await made.call("EVALSHA", "a" * 40, 0)
        with pytest.raises(StoreError, match="it answers: unknown command 'NO'"):
            await made.call("NO", "x" * 1000)
        assert await made.call("PING") == b"PONG"
    with pytest.raises(StoreError, match="closed"):
        made.send("PING")


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (b"-MOVED 866 10.0.0.1:7001\r\n", Moved, "10.0.0.1:7001"),
        (b"-READONLY You can't write\r\n", StoreError, "it is a copy"),
        (b"-LOADING in memory\r\n", StoreError, "loading"),
        (b"-NOAUTH Authentication required.\r\n", StoreError, "asks for a password"),
        (b"-NOPERM no permission\r\n", StoreError, "it answers: no permission"),
        (b"-OOM command not allowed\r\n", StoreError, "OOM"),
        (b"-ERR \x1b[2J\r\n", StoreError, "it answers: "),
        (b"-" + b"x" * 100_000 + b"\r\n", StoreError, "it answers: xxx"),
        (b"-MOVED nowhere\r\n", StoreError, ""),
        (b"?\r\n", StoreError, ""),
        (b"$x\r\n", StoreError, ""),
        (b"*1\r\n" * 10_000 + b":1\r\n", StoreError, ""),
        (b"", StoreError, ""),
    ],
)
async def test_what_a_server_answers(answer: bytes, kind: type[StoreError], said: str) -> None:
    """Whatever it is, it becomes a StoreError with a short, printable text, or an answer."""
    async with answering(answer) as made:
        found: StoreError | None = None
        with trio.move_on_after(0.2):
            try:
                await made.call("PING")
            except StoreError as error:
                found = error
    if said or found:
        assert type(found) is kind
        assert said in str(found)
        assert str(found).isprintable()
        assert len(str(found)) < 200


async def test_an_answer_without_an_end_breaks_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its memory is bounded."""
    monkeypatch.setattr(connection, "LONGEST_ANSWER", 1 << 16)
    async with answering(b"$99999999\r\n" + bytes(1 << 20)) as made:
        with pytest.raises(StoreError):
            await made.call("PING")
        assert not made.usable


async def test_answers_one_after_another_may_be_long_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is on each."""
    monkeypatch.setattr(connection, "LONGEST_ANSWER", 1 << 17)
    long = b"$%d\r\n%b\r\n" % (1 << 16, bytes(1 << 16))
    async with answering(*[long] * 8) as made:
        for _ in range(8):
            assert len(await made.call("PING")) == 1 << 16


async def test_subscribing(server: RedisServer) -> None:
    """A step when it is subscribed, one for each message, an error at the end."""
    async with connected(server.port, "hunter2") as made, connected(server.port, "hunter2") as other:
        steps = 0
        with pytest.raises(StoreError):  # noqa: PT012 - the end of the loop
            async for _ in made.subscribe("channel"):
                steps += 1
                if steps < 4:
                    await other.call("PUBLISH", "channel", "x")
                else:
                    made.drop()
        assert steps == 4


async def test_nothing_shows_the_password(server: RedisServer) -> None:
    """Neither errors nor objects."""
    with pytest.raises(BaseException) as caught:
        async with connected(server.port, "hunter3"):
            pass
    assert "hunter3" not in repr(caught.value)
    async with connected(server.port, "hunter2") as made:
        assert "hunter2" not in repr(made) + repr(made.__dict__)


async def test_a_dropped_connection_fails_with_words(server: RedisServer) -> None:
    """Whenever it is dropped: a command, a subscription that begins and one that waits end in a StoreError."""
    async with connected(server.port, "hunter2") as made:
        made.drop()
        with pytest.raises(StoreError):
            await made.call("PING")
        with pytest.raises(StoreError):
            await anext(made.subscribe("news"))
    async with connected(server.port, "hunter2") as made:
        messages = made.subscribe("news")
        await anext(messages)
        made.drop()
        with pytest.raises((StoreError, StopAsyncIteration)):
            await anext(messages)
