"""Idle connections without a task: nothing is lost but memory."""

from __future__ import annotations

import gc
import socket
import sys
import weakref
from collections.abc import Iterator
from types import FrameType, FunctionType, ModuleType
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aibridge_trio.net.poller import Poller
from aibridge_trio.net.stream import TCPStream
from aibridge_trio.server import parking
from aibridge_trio.server.asgi import Receive, Scope, Send
from aibridge_trio.server.connection import Connection
from aibridge_trio.server.connection_limit import ConnectionLimit
from aibridge_trio.server.parking import PARK_AFTER, Parking
from aibridge_trio.server.server import Server
from tests.server.test_connection import GET, OK, Caller, Serve, Site, ok, post, serve
from tests.support.network import Network

__all__ = ["serve"]

CLOSES = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


def parked(site: Site) -> int:
    """Return how many connections are parked."""
    return site.server._parking.statistics()


def served(site: Site) -> int:
    """Return how many connections have a task."""
    return len(site.server._connections)


async def idle(site: Site, data: bytes = GET) -> Caller:
    """Return a caller whose connection is parked."""
    caller = await site.call(data)
    caller.heard()
    await trio.sleep(PARK_AFTER + 0.1)
    assert (parked(site), served(site)) == (1, 0)
    assert site.server.statistics().connections == 1
    return caller


@pytest.mark.parametrize("first", [b"", GET, GET * 3], ids=["silent", "one", "pipelined"])
async def test_a_parked_connection_serves_the_next_request(
    autojump_clock: MockClock, serve: Serve, first: bytes
) -> None:
    """Again and again; between the requests it has no task."""
    site = await serve(ok)
    caller = await idle(site, first)
    for _ in range(3):
        await caller.say(GET)
        await wait_all_tasks_blocked()
        assert caller.heard() == OK
        assert (parked(site), served(site)) == (0, 1)
        await trio.sleep(PARK_AFTER + 0.1)
        assert (parked(site), served(site)) == (1, 0)
    assert site.reports == []


async def test_a_busy_connection_keeps_its_task(autojump_clock: MockClock, serve: Serve) -> None:
    """One that gets its next request within PARK_AFTER is served by the same object, which knows its last head."""
    site = await serve(ok)
    caller = await site.call(GET)
    (connection,) = site.server._connections
    for _ in range(10):
        await trio.sleep(PARK_AFTER - 0.1)
        await caller.say(GET)
        await wait_all_tasks_blocked()
    assert site.server._connections == {connection}


async def test_requests_of_a_parked_connection_may_come_in_pieces(autojump_clock: MockClock, serve: Serve) -> None:
    """Their heads have their own timeout, which counts from the first byte."""
    site = await serve(ok)
    caller = await idle(site)
    for byte in post(3) + b"abc":
        await caller.say(bytes([byte]))
        await trio.sleep(0.1)
    assert caller.heard() == OK
    await caller.say(GET[:5])
    await trio.sleep(29)
    assert not caller.closed
    await trio.sleep(2)
    assert caller.heard().startswith(b"HTTP/1.1 408 ")


async def test_pipelined_requests_wake_a_parked_connection(autojump_clock: MockClock, serve: Serve) -> None:
    """All of them are answered."""
    site = await serve(ok)
    caller = await idle(site)
    await caller.say(GET * 5)
    await trio.sleep(0.1)
    assert caller.heard() == OK * 5


async def test_a_parked_connection_ends_when_its_time_is_over(autojump_clock: MockClock, serve: Serve) -> None:
    """After exactly as long as any idle connection."""
    site = await serve(ok)
    caller = await idle(site)
    await trio.sleep(119.8 - PARK_AFTER)
    assert not caller.closed
    await trio.sleep(0.2)
    assert (parked(site), served(site), site.server.statistics().connections) == (0, 0, 0)
    assert caller.closed


async def test_an_empty_line_is_no_request(autojump_clock: MockClock, serve: Serve) -> None:
    """It wakes the connection, which is parked again, and does not make it live longer."""
    site = await serve(ok)
    caller = await idle(site)
    for _ in range(11):
        await caller.say(b"\r\n")
        await wait_all_tasks_blocked()
        assert (parked(site), served(site)) == (0, 1)
        await trio.sleep(10)
        assert (parked(site), served(site)) == (1, 0)
    await trio.sleep(8)
    assert caller.closed


async def test_another_timeout_applies_to_parked_connections(autojump_clock: MockClock, serve: Serve) -> None:
    """As of a reload."""
    site = await serve(ok)
    caller = await idle(site)
    site.server.apply(None, 10)
    await trio.sleep(7.5)
    assert not caller.closed
    await trio.sleep(0.5)
    assert caller.closed


async def test_a_short_timeout_parks_sooner(autojump_clock: MockClock, serve: Serve) -> None:
    """Half of it is as long as a connection waits with its task."""
    site = await serve(ok, keep_alive=1)
    caller = await site.call(GET)
    await trio.sleep(0.6)
    assert parked(site) == 1
    await trio.sleep(0.3)
    assert not caller.closed
    await trio.sleep(0.2)
    assert caller.closed


async def test_a_caller_that_leaves_while_parked_is_noticed(autojump_clock: MockClock, serve: Serve) -> None:
    """At once, without a task; also if it has sent a request before, as with any idle connection."""
    site = await serve(ok)
    for last in (b"", GET):
        caller = await idle(site)
        if last:
            caller.wire._on_input, wake = None, caller.wire._on_input
            await caller.say(last)
            caller.wire._on_input = wake
        before = len(site.scopes)
        await caller.leave()
        await wait_all_tasks_blocked()
        assert caller.wire.closed
        assert (parked(site), served(site), site.server.statistics().connections) == (0, 0, 0)
        assert len(site.scopes) == before


async def test_stopping_closes_parked_connections(autojump_clock: MockClock, serve: Serve) -> None:
    """At once, and the server ends."""
    site = await serve(ok)
    caller = await idle(site)
    site.server.stop(60)
    await wait_all_tasks_blocked()
    assert caller.closed
    assert site.server.statistics().connections == 0


async def test_a_request_in_the_moment_of_the_stop_is_read(autojump_clock: MockClock, serve: Serve) -> None:
    """It is not begun; but a connection that closes with unread bytes would be reset."""
    site = await serve(ok)
    caller = await idle(site)
    caller.wire._on_input = None
    await caller.say(GET)
    site.server.stop(60)
    await wait_all_tasks_blocked()
    assert caller.unread() == 0
    assert len(site.scopes) == 1
    await trio.sleep(6)
    assert caller.wire.closed
    assert site.server.statistics().connections == 0


async def test_a_cancelled_server_closes_parked_connections(autojump_clock: MockClock, network: Network) -> None:
    """However it ends, no stream stays open."""
    site = Site(network, ok)
    async with trio.open_nursery() as nursery:
        await nursery.start(site.server.run)
        caller = await idle(site)
        nursery.cancel_scope.cancel()
    assert caller.wire.closed
    assert site.server.statistics().connections == 0


async def test_a_parked_connection_says_when_it_is_the_last_response(
    autojump_clock: MockClock, serve: Serve
) -> None:
    """When another process takes over, the next response closes the connection."""
    site = await serve(ok)
    caller = await idle(site)
    site.server.close_after_responses()
    await caller.say(GET)
    await trio.sleep(0.1)
    assert caller.heard() == CLOSES
    assert caller.closed


@pytest.mark.parametrize("age", [1.0, 10.0], ids=["with a task", "parked"])
async def test_the_one_that_idles_longest_makes_place(autojump_clock: MockClock, serve: Serve, age: float) -> None:
    """Parked or not, above the limit it is the first to go."""
    limit = ConnectionLimit("callers", lambda _: None, most=2)
    site = await serve(ok, connections=limit, evicts=True)
    callers = []
    for _ in range(2):
        callers.append(await site.call(GET))
        await trio.sleep(age)
    third = await site.call(GET)
    assert [caller.closed for caller in callers] == [True, False]
    assert third.heard() == OK
    assert site.server.statistics().connections == 2


async def test_what_is_not_taken_yet_keeps_the_task(autojump_clock: MockClock, serve: Serve) -> None:
    """A connection that writes is not parked: the rest of its answer would be lost."""
    site = await serve(ok)
    caller = await site.call(GET)
    (connection,) = site.server._connections
    connection.writer.buffer(b"rest")
    await trio.sleep(PARK_AFTER + 0.1)
    assert (parked(site), served(site)) == (0, 1)
    await connection.writer.drain()
    assert caller.heard() == OK + b"rest"
    await trio.sleep(118)
    assert caller.closed


# On sockets


@pytest.fixture
def poller() -> Iterator[Poller]:
    poller = Poller()
    yield poller
    assert poller.statistics() == 0
    poller.close()


async def test_nothing_is_kept_of_a_parked_connection_but_its_stream(
    monkeypatch: pytest.MonkeyPatch, poller: Poller
) -> None:
    """A stream, its place in the poller, and its deadline: less than 1 kB of Python objects, and no task."""
    monkeypatch.setattr(parking, "PARK_AFTER", 0.02)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await ok(scope, receive, send)

    server = Server(app, report=print, poller=poller)
    port = server.open("127.0.0.1", 0, option="test")[1]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(poller.run)
        await nursery.start(server.run)
        await wait_all_tasks_blocked()
        tasks = _tasks()
        with socket.create_connection(("127.0.0.1", port)) as caller:
            for _ in range(2):
                await trio.to_thread.run_sync(caller.sendall, GET)
                assert await trio.to_thread.run_sync(caller.recv, 1000) == OK
                with trio.fail_after(30):
                    while not server._parking.statistics():
                        await trio.sleep(0.01)
                assert _tasks() == tasks
                gc.collect()
                assert not [each for each in gc.get_objects() if isinstance(each, Connection)]
                (idle,) = server._parking._parked
                assert _size(idle) < 1000
                del idle
        nursery.cancel_scope.cancel()


def _tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


def _size(root: object) -> int:
    """Return the bytes of all objects that are reachable, but for what connections share."""
    shared = (Parking, Poller, Server, type, FunctionType, ModuleType, FrameType, str)
    seen: dict[int, Any] = {}
    rest = [root]
    while rest:
        each = rest.pop()
        if id(each) not in seen and not isinstance(each, shared):
            seen[id(each)] = each
            rest += gc.get_referents(each)
    assert [each for each in seen.values() if isinstance(each, TCPStream)]
    return sum(map(sys.getsizeof, seen.values()))


async def test_an_evicted_connection_leaves_no_cycle(autojump_clock: MockClock, serve: Serve) -> None:
    """Under a flood there are many, and the collector runs rarely."""
    site = await serve(ok, connections=ConnectionLimit("callers", lambda _: None, most=1), evicts=True)
    first = await site.call(GET)
    gc.collect()
    gc.disable()
    try:
        [evicted] = map(weakref.ref, site.server._connections)
        await site.call(GET)
        await wait_all_tasks_blocked()
        assert first.closed
        assert evicted() is None
    finally:
        gc.enable()
