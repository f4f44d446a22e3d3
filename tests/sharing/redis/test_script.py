"""The script in real servers answers as the ledger does, whatever comes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings

from aibridge_trio.core.sharing.ledger import Ledger
from aibridge_trio.sharing.redis import script
from tests.support.random_batches import STEPS, Run, Step
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


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_script_and_ledger_agree(client: RespClient, steps: list[Step]) -> None:
    """Each reply is the same: status, generation, messages, results."""
    client.call("FLUSHALL")
    store, ledger, run = ScriptedStore(client), Ledger(), Run()
    for step in steps:
        batch = run.batch(step)
        expected = ledger.run(batch, run.now)
        assert store.run(batch, run.now) == expected
        run.note(batch, expected)


def test_names() -> None:
    """All keys have one hash tag."""
    assert script.tag("bridge") == "{bridge}"
    assert script.channel("bridge") == "{bridge}:wake"
