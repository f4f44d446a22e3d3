from __future__ import annotations

import math

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.limits.in_flight import InFlight


@given(st.integers(1, 4), st.lists(st.booleans(), max_size=30))
def test_it_counts_as_trios_limiter_does(total: int, story: list[bool]) -> None:
    """After any acquires and releases both counters say the same of what is free and borrowed."""
    ours, trios, borrowers = InFlight(total), trio.CapacityLimiter(total), list[object]()
    for acquire in story:
        if acquire and trios.available_tokens > 0:
            borrowers.append(borrower := object())
            ours.acquire_on_behalf_of_nowait(borrower)
            trios.acquire_on_behalf_of_nowait(borrower)
        elif not acquire and borrowers:
            borrower = borrowers.pop()
            ours.release_on_behalf_of(borrower)
            trios.release_on_behalf_of(borrower)
        assert ours.available_tokens == trios.available_tokens
        assert ours.borrowed_tokens == trios.borrowed_tokens


def test_infinity_is_unlimited() -> None:
    """Without a limit a slot is free however many are borrowed."""
    slots = InFlight(math.inf)
    for _ in range(1000):
        slots.acquire_on_behalf_of_nowait(None)
    assert slots.available_tokens == math.inf


def test_a_wrong_use_fails() -> None:
    """More is neither borrowed than there is, nor given back than was borrowed."""
    slots = InFlight(1)
    with pytest.raises(AssertionError):
        slots.release_on_behalf_of(None)
    slots.acquire_on_behalf_of_nowait(None)
    with pytest.raises(AssertionError):
        slots.acquire_on_behalf_of_nowait(None)
