"""The application's startup and shutdown, around all connections."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aibridge_trio.server.asgi import Receive, Scope, Send
from aibridge_trio.server.server import Server
from tests.server.test_connection import GET, OK, ok
from tests.support.network import Network


async def test_the_application_hears_of_its_life(autojump_clock: MockClock, network: Network) -> None:
    """Startup before the first connection, shutdown behind the last; what it notes is in every scope."""
    heard: list[str] = []
    states: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            states.append(scope["state"])
            await ok(scope, receive, send)
            return
        scope["state"]["pool"] = 7
        for _ in range(2):
            heard.append((await receive())["type"])
            await send({"type": f"{heard[-1]}.complete"})

    server = Server(app, report=print)
    network.attach("s", server)
    done = trio.Event()

    async def run(task_status: trio.TaskStatus[None]) -> None:
        await server.run(task_status)
        done.set()

    await network.nursery.start(run)
    assert heard == ["lifespan.startup"]
    stream = network.dial("s")
    await stream.send_all(GET)
    await wait_all_tasks_blocked()
    server.stop(1)
    await done.wait()
    assert heard == ["lifespan.startup", "lifespan.shutdown"]
    assert states == [{"pool": 7}]


@pytest.mark.parametrize("how", ["returns", "raises"])
async def test_an_application_that_knows_no_lifespan_is_served(
    autojump_clock: MockClock, network: Network, how: str
) -> None:
    """Not every application does."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await ok(scope, receive, send)
        elif how == "raises":
            raise LookupError(scope["type"])

    server = Server(app, report=print)
    network.attach("s", server)
    await network.nursery.start(server.run)
    stream = network.dial("s")
    await stream.send_all(GET)
    assert bytes(await stream.receive_some()) == OK
    server.stop(0)
