"""Fixtures for all."""

from __future__ import annotations

import pytest
import trio

from tests.network import Network


@pytest.fixture
async def network(nursery: trio.Nursery) -> Network:
    """A network in memory. For virtual time the test itself must take `autojump_clock` beside it."""
    return Network(nursery)
