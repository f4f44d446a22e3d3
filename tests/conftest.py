"""Fixtures for all."""

from __future__ import annotations

import pytest
import trio
from hypothesis import settings

from tests.network import Network

# Speed is for benchmarks: no example fails for being slow on a busy machine.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


@pytest.fixture
async def network(nursery: trio.Nursery) -> Network:
    """A network in memory. For virtual time the test itself must take `autojump_clock` beside it."""
    return Network(nursery)
