"""What a bridge saves of itself; tests/bridge/test_saved_state.py plays whole restarts."""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock

from aibridge_trio.bridge.own_state import OwnState
from aibridge_trio.core.terms import TokenBudget
from tests.support.network import Network
from tests.support.spenders import known, spender

BUDGET = TokenBudget(1000, "day")
OPTIONS: dict[str, Any] = {"known_callers": known(spender("a", budget=BUDGET)), "circuit_breaker": True}


async def test_parts_are_taken_over_one_by_one(autojump_clock: MockClock, network: Network) -> None:
    """As a worker gets them: breakers, what was learned, budgets; a part that is missing changes nothing."""
    async with network.bridge(**OPTIONS) as running:
        state = running.bridge.state
        before = state.learned()
        at = before["saved_at"]
        opened = {"state": "open", "age": 5, "left": 20, "trips_in_a_row": 1, "successes": 0, "ramp": None}
        state.take({"saved_at": at, "providers": {"openai": {"breakers": {"": opened}}}}, learned=True)
        state.take({"saved_at": at, "budgets": {}}, learned=True)
        state.take({"saved_at": at, "providers": {"openai": {"learned": None}}}, learned=True)
        now = state.learned()["providers"]
        assert now["openai"]["breakers"][""]["state"] == "open"
        assert now["anthropic"] == before["providers"]["anthropic"]
        assert state.budgets() == {}


async def test_nothing_learned_is_taken_over_later(autojump_clock: MockClock, network: Network) -> None:
    """Only budgets, of a process that has run on; and what has no time is no state."""
    async with network.bridge(**OPTIONS) as running:
        state: OwnState = running.bridge.state
        at = state.learned()["saved_at"]
        opened = {"state": "open", "age": 5, "left": 20, "trips_in_a_row": 1, "successes": 0, "ramp": None}
        state.take({"saved_at": at, "providers": {"openai": {"breakers": {"": opened}}}}, learned=False)
        assert state.learned()["providers"]["openai"]["breakers"][""]["state"] == "closed"
        with pytest.raises(ValueError, match="saved_at"):
            state.take({"providers": {}}, learned=True)
