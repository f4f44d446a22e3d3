"""Real servers of each kind, one for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.redis_servers import PROGRAMS, RedisServer, running
from tests.support.resp import RespClient
from tests.support.scripted import ScriptedStore


@pytest.fixture(scope="module", params=PROGRAMS)
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """A server of each kind."""
    with running(request.param) as found:
        yield found


@pytest.fixture(scope="module")
def client(server: RedisServer) -> Iterator[RespClient]:
    """A connection to it."""
    with server.client() as found:
        yield found


@pytest.fixture
def store(client: RespClient) -> ScriptedStore:
    """An empty store."""
    client.call("FLUSHALL")
    return ScriptedStore(client)
