"""Fixtures for all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio
from hypothesis import settings

from tests.support.network import Network
from tests.support.processes import Bridge, Provider, a_bridge, a_provider

# Speed is for benchmarks: no example fails for being slow on a busy machine.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


@pytest.fixture
async def network(nursery: trio.Nursery) -> Network:
    """A network in memory. For virtual time the test itself must take `autojump_clock` beside it."""
    return Network(nursery)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """A mock provider, a process of its own."""
    with a_provider() as provider:
        yield provider


@pytest.fixture(autouse=True)
def fresh(request: pytest.FixtureRequest) -> None:
    """Clear the provider's script and counts before each test that uses it."""
    provider = request.getfixturevalue("provider") if "provider" in request.fixturenames else None
    if isinstance(provider, Provider):
        provider.clear()


@pytest.fixture(scope="module")
def bridge(provider: Provider) -> Iterator[Bridge]:
    """A bridge that protects nothing."""
    with a_bridge(provider=provider) as bridge:
        yield bridge


@pytest.fixture(scope="module")
def narrow(provider: Provider) -> Iterator[Bridge]:
    """A bridge on which every reject can be reached."""
    limits = ("--max-concurrency", "2", "--rate-limit", "1", "--max-body", "100KiB")
    with a_bridge(*limits, "--first-byte-timeout", "500ms", "--circuit-breaker", provider=provider) as bridge:
        yield bridge
