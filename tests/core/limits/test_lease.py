from __future__ import annotations

from aibridge_trio.core.limits.lease import Lease, Limits


def test_a_lease_begins_empty() -> None:
    """A new lease holds nothing, waits for nothing, and is not counted against a rate."""
    lease = Lease()
    held = [lease.slot, lease.caller_share, lease.provider_share, lease.queued, lease.pushed_out]
    assert not any(held)
    assert (lease.charged_at, lease.shadowed) == (None, ())


def test_leases_are_told_apart_by_identity() -> None:
    """Two requests of one caller are two leases, however equal their fields are: sets and queues rely on it."""
    one, other = Lease("a", "x"), Lease("a", "x")
    assert one != other
    assert len({one, other, one}) == 2


def test_a_repr_shows_the_state_and_no_caller() -> None:
    """A lease shows whether it is idle, in flight or queued; a caller's key stays out of messages."""
    lease = Lease("secret", "x")
    assert repr(lease) == "<Lease idle>"
    lease.slot = True
    assert repr(lease) == "<Lease in flight>"
    lease.slot, lease.queued = False, True
    assert repr(lease) == "<Lease queued>"


def test_without_settings_nothing_is_limited() -> None:
    """The defaults limit nothing and queue nothing."""
    assert (Limits().max_concurrency, Limits().per_caller, Limits().per_provider, Limits().queue_size) == (
        0,
        0,
        0,
        0,
    )
