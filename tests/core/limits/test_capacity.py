"""Slots and shares together: nothing is held twice or lost, and a limit in shadow never delays a request."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.limits.capacity import Capacity, Slots
from aibridge_trio.core.limits.in_flight import InFlight
from aibridge_trio.core.limits.lease import CallerLimits, Lease, Limits
from aibridge_trio.core.terms import ClassTotals

LIMITS = Limits(max_concurrency=2, per_caller=1, per_provider=1)
SHADOW = ("capacity", "caller_capacity", "provider_capacity")


def lease_of(capacity: Capacity, caller: str, provider: str) -> Lease:
    """Return a lease that has acquired what is available."""
    lease = Lease(caller, provider)
    capacity.acquire_slot(lease)
    capacity.acquire_shares(lease)
    return lease


def release(capacity: Capacity, lease: Lease) -> None:
    """Give back what a lease holds."""
    capacity.release_shares(lease)
    capacity.release_slot(lease)


def held(lease: Lease) -> tuple[bool, bool, bool]:
    """Return which of slot, caller's share and provider's share a lease holds."""
    return lease.slot, lease.caller_share, lease.provider_share


def test_missing_names_what_is_exhausted() -> None:
    """A lease lacks exactly the limits that other leases exhaust."""
    capacity = Capacity(LIMITS, InFlight(2), ())
    first = lease_of(capacity, "a", "x")
    assert held(first) == (True, True, True)
    assert capacity.missing(Lease("b", "y", slot=True)) == []
    assert capacity.missing(Lease("a", "y", slot=True)) == ["caller_capacity"]
    assert capacity.missing(Lease("b", "x", slot=True)) == ["provider_capacity"]
    assert capacity.missing(Lease("a", "x")) == ["capacity", "caller_capacity", "provider_capacity"]


def test_a_slot_is_acquired_and_released_once() -> None:
    """A second acquire or release of the same lease changes nothing."""
    slots = InFlight(1)
    capacity, lease = Capacity(Limits(1), slots, ()), Lease("a", "x")
    assert capacity.acquire_slot(lease)
    assert capacity.acquire_slot(lease)
    assert (slots.borrowed_tokens, capacity.slot_free()) == (1, False)
    assert not capacity.acquire_slot(Lease("b", "x"))
    assert capacity.release_slot(lease)
    assert not capacity.release_slot(lease)
    assert (slots.borrowed_tokens, capacity.slot_free()) == (0, True)


@pytest.mark.parametrize("slots", [InFlight(2), trio.CapacityLimiter(2)], ids=["simulator", "trio"])
@given(events=st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy")) | st.integers(0, 9), max_size=30))
def test_all_that_was_acquired_comes_back(slots: Slots, events: list[tuple[str, str] | int]) -> None:
    """Whatever leases come and go, limits hold meanwhile, and at the end everything is available again."""
    capacity, leases = Capacity(LIMITS, slots, ()), list[Lease]()
    for event in events:
        if isinstance(event, tuple):
            leases.append(lease_of(capacity, *event))
        elif event < len(leases):
            release(capacity, leases.pop(event))
        assert sum(lease.slot for lease in leases) <= 2
        for key in "ab":
            assert sum(lease.caller_share for lease in leases if lease.caller == key) <= 1
        for key in "xy":
            assert sum(lease.provider_share for lease in leases if lease.provider == key) <= 1
    for lease in leases:
        release(capacity, lease)
    assert slots.available_tokens == 2
    assert all(capacity.shares_available(caller, (provider,)) for caller in "ab" for provider in "xy")


@pytest.mark.parametrize("shadow", SHADOW)
def test_a_limit_in_shadow_is_missing_but_available(shadow: str) -> None:
    """A request need not wait for it, holds nothing of it, and the limit still says that it is exhausted."""
    capacity = Capacity(LIMITS, InFlight(1), (shadow,))
    lease_of(capacity, "a", "x")
    second = Lease("a", "x", slot=False)
    assert set(capacity.missing(second)) == set(SHADOW)
    available = {
        "capacity": capacity.slot_available(),
        "caller_capacity": capacity.shares_available("a", ("y",)),
        "provider_capacity": capacity.provider_available("x"),
    }
    assert [name for name in SHADOW if available[name]] == [shadow]
    assert not capacity.slot_free()
    assert held(lease_of(capacity, "a", "x")) == (False, False, False)


def test_without_shares_none_is_held() -> None:
    """Where neither callers nor providers are limited, a lease holds a slot and no share."""
    capacity = Capacity(Limits(2), InFlight(2), ())
    lease = lease_of(capacity, "a", "x")
    assert held(lease) == (True, False, False)
    assert not capacity.has_shares
    assert "keys=0" in repr(capacity)


CI = {name: CallerLimits(max_concurrency=2, class_name="ci") for name in "ab"}
OF_CLASS = Limits(per_caller=1, callers=CI, classes={"ci": ClassTotals(max_concurrency=3)})


def test_callers_of_a_class_share_its_total() -> None:
    """Beside their own limits; callers of no class have neither."""
    capacity = Capacity(OF_CLASS, InFlight(9), ())
    first = lease_of(capacity, "a", "x")
    assert (first.caller_share, first.class_share) == (True, "ci")
    for caller in "ab":
        lease_of(capacity, caller, "x")
    assert capacity.missing(Lease("b", "x", slot=True)) == ["caller_capacity"]
    assert capacity.caller_bar("b") == (3, "ci")
    assert capacity.caller_bar("a") == (2, "")
    release(capacity, first)
    assert lease_of(capacity, "b", "x").class_share == "ci"
    assert lease_of(capacity, "c", "x").class_share == ""
    assert capacity.caller_bar("c") == (1, "")


def test_a_limit_that_begins_counts_what_is_in_flight() -> None:
    """Beyond it, too: nothing new is admitted until it has left."""
    slots = InFlight(9)
    capacity = Capacity(Limits(), slots, ())
    leases = [lease_of(capacity, "a", "x") for _ in range(3)]
    capacity.apply(replace(OF_CLASS, max_concurrency=2, providers={"x": 1}), ())
    assert slots.available_tokens == -1
    assert all(held(lease) == (True, True, True) and lease.class_share for lease in leases)
    assert capacity.missing(Lease("a", "x")) == ["capacity", "caller_capacity", "provider_capacity"]
    for lease, missing in zip(leases[:2], (SHADOW[1:], SHADOW[2:]), strict=True):
        release(capacity, lease)
        assert capacity.missing(Lease("a", "x", slot=True)) == [*missing]
    capacity.apply(Limits(), ())
    assert held(leases[2]) == (True, False, False)
    assert list(capacity.inside) == [leases[2]]


def test_a_limit_that_leaves_shadow_counts_what_it_let_pass() -> None:
    """A lease that held nothing of it holds it now."""
    slots = InFlight(1)
    capacity = Capacity(LIMITS, slots, SHADOW)
    leases = [lease_of(capacity, "a", "x") for _ in range(2)]
    assert held(leases[1]) == (False, False, False)
    capacity.apply(Limits(1, 1, 1), SHADOW)
    assert held(leases[1]) == (False, False, False)
    capacity.apply(Limits(1, 1, 1), ())
    assert held(leases[1]) == (True, True, True)
    for lease in leases:
        release(capacity, lease)
    assert slots.available_tokens == 1
    assert capacity.missing(Lease("a", "x", slot=True)) == []
