"""A side counts its requests' calls at the mock, and what became of them."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace

import httpx
import pytest
import trio

from aibridge_trio.demo.callers import Arrival
from aibridge_trio.demo.side import Outcome, Side
from aibridge_trio.mock import MockOptions
from aibridge_trio.server.server import Server

pytestmark = pytest.mark.real

QUICK = MockOptions(tokens=2)
PATIENCE = 60.0


@asynccontextmanager
async def a_side(options: MockOptions = QUICK) -> AsyncIterator[Side]:
    """A side whose mock is served on a free port, straight."""
    side = Side()
    side.mock.change(options)
    server = Server(side.app, report=lambda error: pytest.fail(repr(error)))
    host, port = server.open("127.0.0.1", 0, option="test")
    side.url = f"http://{host}:{port}/v1"
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        yield side
        await side.aclose()
        nursery.cancel_scope.cancel()


async def test_an_answer_takes_one_call() -> None:
    """It has a wait, and wastes nothing; a credential is its caller's."""
    async with a_side() as side:
        for caller in range(2):
            await side.ask(caller, Arrival(0.0, caller, 1), PATIENCE)
        outcome = side.outcome()
        assert replace(outcome, longest=None) == Outcome(answered=2, failed=0, calls=2, longest=None)
        assert outcome.longest is not None
        assert (outcome.requests, outcome.wasted) == (2, 0)
        assert side.outcome([1]).answered == side.outcome([1, 7]).answered == 1
        seen = [dict(each.headers)["authorization"] for each in side.mock.statistics().last]
    assert seen == [f"Bearer sk-demo-0123456789-caller-{caller}" for caller in range(2)]


async def test_calls_without_an_answer_are_wasted() -> None:
    """Each request's calls are its own; a client that does not retry a status has one."""
    async with a_side(replace(QUICK, fail=((503, 1.0),))) as side:
        await side.ask(0, Arrival(0.0, 0, 1), PATIENCE)
        side.mock.change(replace(QUICK, fail=((400, 1.0),)))
        await side.ask(1, Arrival(0.0, 0, 1), PATIENCE)
        side.mock.change(QUICK)
        await side.ask(2, Arrival(0.0, 0, 1), PATIENCE)
        assert side.outcome([0]) == Outcome(answered=0, failed=1, calls=3, longest=None)
        assert side.outcome([1]) == Outcome(answered=0, failed=1, calls=1, longest=None)
        assert side.outcome().wasted == 4


async def test_an_error_has_no_first_token() -> None:
    """Whatever is in its body: the wait is that of the answer behind it."""
    error = {"status": 503, "body": 'data: {"content": "x"}', "headers": {"retry-after-ms": "500"}}
    async with a_side() as side, httpx.AsyncClient(trust_env=False) as client:
        script = f"{side.url.removesuffix('/v1')}/mock/script"
        (await client.post(script, json={"answers": [error]})).raise_for_status()
        await side.ask(0, Arrival(0.0, 0, 1), PATIENCE)
        outcome = side.outcome()
        assert (outcome.answered, outcome.calls, outcome.wasted) == (1, 2, 1)
        assert outcome.longest is not None
        assert outcome.longest >= 0.5


async def test_a_caller_that_leaves_wastes_its_call() -> None:
    """The mock sees it leave."""
    async with a_side(replace(QUICK, latency=60)) as side:
        await side.ask(0, Arrival(0.0, 0, 1), 0.5)
        assert side.outcome() == Outcome(answered=0, failed=1, calls=1, longest=None)
        while not side.mock.statistics().aborted:
            await trio.sleep(0.01)


async def test_a_refused_connection_is_a_failure_without_calls() -> None:
    """None reaches the mock."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    side = Side()
    side.url = f"http://127.0.0.1:{port}/v1"
    await side.ask(0, Arrival(0.0, 0, 1), PATIENCE)
    assert side.outcome() == Outcome(answered=0, failed=1, calls=0, longest=None)
    await side.aclose()
