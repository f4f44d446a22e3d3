"""The names of a breaker's states."""

from __future__ import annotations

from aibridge_trio.core.breaker.state import SEVERITY, State


def test_the_gravest_state_is_last() -> None:
    """A provider with several breakers shows the gravest state of them."""
    assert SEVERITY == (State.CLOSED, State.HALF_OPEN, State.OPEN)
    assert set(SEVERITY) == set(State)
