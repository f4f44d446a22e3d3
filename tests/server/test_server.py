"""Many connections: how the server accepts and ends them, and what the application receives."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aibridge_trio.server.asgi import Receive, Scope, Send
from aibridge_trio.server.connection_limit import ConnectionLimit
from aibridge_trio.server.listener import SocketListener, take
from tests.server.test_connection import GET, OK, Caller, Serve, Site, answer, ok, piece, serve, start
from tests.support.network import MemoryListener, MemoryWire, Network

__all__ = ["serve"]


async def slow(_: Scope, __: Receive, send: Send) -> None:
    """Take ten seconds between head and end."""
    await send(start())
    await trio.sleep(10)
    await send(piece(b"ok", more=False))


# The end


async def test_stopping_ends_idle_connections_at_once(autojump_clock: MockClock, serve: Serve) -> None:
    """Silent connections, idle ones, and unfinished heads are closed; no new connection is accepted."""
    site = await serve(ok)
    callers = [await site.call(data) for data in (b"", GET, b"GET / HT")]
    site.server.stop(60)
    await wait_all_tasks_blocked()
    assert [caller.closed for caller in callers] == [True] * 3
    assert not site.network.listeners["s"].open


async def test_stopping_lets_answers_end(autojump_clock: MockClock, serve: Serve) -> None:
    """A running answer comes to its end, the connection with it; what stood behind is not begun."""
    site = await serve(slow)
    caller = await site.call(GET * 2)
    site.server.stop(60)
    await trio.sleep(11)
    said = caller.heard()
    assert said.endswith(b"0\r\n\r\n")
    assert said.count(b"HTTP/1.1") == 1
    assert len(site.scopes) == 1


async def test_an_answer_that_begins_while_stopping_says_so(autojump_clock: MockClock, serve: Serve) -> None:
    """The response has `Connection: close`, so the caller opens its next connection elsewhere."""

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await trio.sleep(1)
        await answer(send)

    site = await serve(app)
    caller = await site.call(GET)
    site.server.stop(60)
    await trio.sleep(2)
    assert caller.heard() == OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert caller.closed


@pytest.mark.parametrize("how", ["grace", "cut"])
async def test_what_outlasts_the_grace_is_reset(autojump_clock: MockClock, serve: Serve, how: str) -> None:
    """A response in progress is reset, so that it does not look complete."""
    site = await serve(slow)
    caller = await site.call(GET)
    resets: list[bool] = []
    caller.wire.socket.setsockopt = lambda *_: resets.append(True)
    site.server.stop(5)
    if how == "cut":
        site.server.cut()
    await trio.sleep(4)
    assert caller.closed is (how == "cut")
    await trio.sleep(2)
    assert caller.closed
    assert resets == [True]
    assert not caller.heard().endswith(b"0\r\n\r\n")


async def test_a_handshake_does_not_hold_up_the_end(autojump_clock: MockClock, serve: Serve) -> None:
    """The stop does not wait for a handshake."""
    site = await serve(ok)
    caller = Caller(None, None)  # type: ignore[arg-type]
    near, far = trio.testing.memory_stream_pair()
    wire = MemoryWire(far, "s", "10.0.0.2")
    wire.handshake = trio.sleep_forever  # type: ignore[method-assign]
    site.network.listeners["s"].connect(wire)
    caller.stream = near
    await wait_all_tasks_blocked()
    assert site.server.statistics().connections == 1
    site.server.stop(60)
    await wait_all_tasks_blocked()
    assert caller.closed


# Limits


def limited(**bounds: Any) -> ConnectionLimit:
    """Connections with bounds; what is written of them is forgotten."""
    return ConnectionLimit("callers", lambda _: None, **bounds)


async def test_connections_are_limited(autojump_clock: MockClock, serve: Serve) -> None:
    """A connection above the limit gets 503 and is closed; one that ends frees its place."""
    site = await serve(ok, connections=limited(most=2))
    first, _ = await site.call(), await site.call()
    third = await site.call(GET)
    assert third.heard().startswith(b"HTTP/1.1 503 ")
    assert third.closed
    assert third.wire.closed
    assert (site.server.statistics().connections, site.server.statistics().refused) == (2, 1)
    await first.leave()
    await wait_all_tasks_blocked()
    fourth = await site.call(GET)
    assert fourth.heard() == OK


async def test_connections_of_one_address_are_limited(autojump_clock: MockClock, serve: Serve) -> None:
    """Others are not its fellows in misfortune."""
    site = await serve(ok, connections=limited(per_address=1))
    first = await site.call()
    assert (await site.call(GET)).heard().startswith(b"HTTP/1.1 503 ")
    assert (await site.call(GET, "10.0.0.3")).heard() == OK
    await first.leave()
    await wait_all_tasks_blocked()
    assert (await site.call(GET)).heard() == OK


async def test_without_limits_there_are_none(autojump_clock: MockClock, serve: Serve) -> None:
    """A thousand callers of one address are served."""
    site = await serve(ok)
    callers = [await site.call() for _ in range(1000)]
    for caller in callers:
        await caller.say(GET)
    await wait_all_tasks_blocked()
    assert {caller.heard() for caller in callers} == {OK}
    assert repr(site.server) == "<Server connections=1000 stopping=False>"


async def test_a_crowd_that_comes_at_once_does_not_hold_up_the_others(
    autojump_clock: MockClock, network: Network
) -> None:
    """Accepting needs no wait while connections are pending, so it must let other tasks run."""
    site = Site(network, ok)
    turns: list[int] = []
    accepted = 0

    class Crowd(MemoryListener):
        async def accept(self) -> MemoryWire:
            nonlocal accepted
            if accepted == 50:
                await trio.sleep_forever()
            accepted += 1
            return MemoryWire(trio.testing.memory_stream_pair()[1], "s", "10.0.0.2")

    async def work() -> None:
        while accepted < 50:
            turns.append(accepted)
            await trio.lowlevel.checkpoint()

    site.server._listeners = [Crowd()]
    network.nursery.start_soon(work)
    await network.nursery.start(site.server.run)
    await wait_all_tasks_blocked()
    assert len(set(turns)) >= 25


# What goes wrong


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
async def test_a_shortage_is_reported_once_a_second_and_survived(
    autojump_clock: MockClock, network: Network, number: int
) -> None:
    """During a shortage open connections are served; afterwards new ones are accepted again."""
    said: list[str] = []
    site = Site(network, ok, connections=ConnectionLimit("callers", said.append))
    listener: Any = network.listeners["s"]

    class Short(MemoryListener):
        short = False

        async def accept(self) -> MemoryWire:
            if self.short:
                raise OSError(number, "no more")
            return await super().accept()

    short: Any = Short()
    network.listeners["s"] = short
    site.server._listeners = [short]
    assert listener is not short
    await network.nursery.start(site.server.run)
    before = await site.call()
    short.short = True
    (await site.call()).heard()
    await trio.sleep(4.5)
    assert len(said) == 5
    assert "connections of callers wait or are turned away" in said[0]
    assert site.reports == []
    assert site.server.statistics().refused == 0
    await before.say(GET)
    await wait_all_tasks_blocked()
    assert before.heard() == OK
    late = await site.call(GET)
    assert late.heard() == b""
    short.short = False
    await trio.sleep(0.2)
    assert late.heard() == OK


async def test_a_failure_of_our_own_ends_one_connection(
    autojump_clock: MockClock, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exception is reported, and other connections are unaffected."""
    site = await serve(ok)
    other = await site.call()
    victim = await site.call()
    victim.wire.receive = victim.wire.push = None
    await victim.say(GET)
    await wait_all_tasks_blocked()
    victim = await site.call()
    victim.wire.push = None
    await victim.say(GET)
    await wait_all_tasks_blocked()
    assert victim.closed
    assert site.reports
    await other.say(GET)
    await wait_all_tasks_blocked()
    assert other.heard() == OK


# Real listeners


@pytest.fixture
def port() -> Iterator[socket.socket]:
    with take("127.0.0.1", 0, option="test") as sock:
        yield sock


async def test_a_connection_that_failed_before_it_was_accepted_is_passed_over(port: socket.socket) -> None:
    """An error of one connection does not affect others."""
    listener: Any = SocketListener(port, None)
    accept = iter([OSError(errno.ECONNABORTED, "gone"), BlockingIOError(), None])

    class Unlucky:
        def accept(self) -> Any:
            if error := next(accept):
                raise error
            return port.accept()

        def fileno(self) -> int:
            return port.fileno()

    listener.sock = Unlucky()
    with socket.create_connection(port.getsockname()[:2]) as caller:
        wire = await listener.accept()
        assert wire.peer == caller.getsockname()
        assert wire.local == port.getsockname()
        wire.close()


async def test_a_closed_listener_is_the_end_of_accepting(port: socket.socket) -> None:
    """Not a loop that spins."""
    listener = SocketListener(port, None)
    listener.close()
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        await listener.accept()
