"""A lease and the store; a lease and the limiter are in test_admission.py."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.core.caller import Caller
from aibridge_trio.core.limits.lease import CallerLimits, Limits
from aibridge_trio.core.terms import ClassTotals, Rate
from aibridge_trio.errors import QueueTimeout, RateLimited
from aibridge_trio.gateway.admission import Admission
from aibridge_trio.gateway.request_lease import RequestLease, patience
from tests.gateway.test_admission import reply
from tests.support.ledger_store import Common

CALLER = Caller(b"\x01", "hint", authenticated=True)


def test_half_of_a_callers_timeout_may_be_waited() -> None:
    """As its SDK states it."""
    assert patience([(b"x-stainless-read-timeout", b"60")]) == 30.0


async def entered(admission: Admission, provider: str = "x") -> RequestLease:
    lease = admission.enter()
    lease.charge_rate(CALLER, reply())
    assert lease.acquire(CALLER, provider)
    assert await lease.ask() is None
    return lease


async def test_the_store_follows_the_lease(autojump_clock: MockClock) -> None:
    """Another provider's share is asked for alone; a held request holds nothing; the rate stays counted."""
    common = Common()
    limits = Limits(5, per_caller=5, per_provider=5, rate=Rate(3, 60.0))
    admission = Admission(limits, trio.current_time, store=common.store())
    lease = await entered(admission)
    assert common.held == {"slots": 1, "caller:01": 1, "provider:x": 1}
    assert await lease.ask() is None
    assert common.asks == 1
    assert lease.move("y")
    assert common.held == {"slots": 1, "caller:01": 1}
    assert await lease.ask() is None
    assert common.held == {"slots": 1, "caller:01": 1, "provider:y": 1}
    lease.suspend()
    assert not common.held
    assert lease.resume()
    assert await lease.ask() is None
    assert len(common.held) == 3
    assert common.asks == 3
    lease.leave()
    assert not common.held
    other = await entered(admission)
    other.leave()
    last = await entered(admission)
    assert last.charged_at is not None
    last.leave()


async def test_an_ask_that_is_cancelled_leaves_nothing(autojump_clock: MockClock) -> None:
    """Whether the store has counted it or not."""
    common = Common(latency=1.0)
    admission = Admission(Limits(5, rate=Rate(2, 60.0)), trio.current_time, store=common.store())
    for after in (0.5, 1.5):
        with trio.move_on_after(after), admission.enter() as lease:
            lease.charge_rate(CALLER, reply())
            lease.acquire(CALLER, "x")
            await lease.ask()
        assert not common.held
    assert admission.statistics().in_flight == 0


async def test_nothing_is_asked_of_a_store_that_shares_nothing() -> None:
    """`shared` says so before."""
    with Admission(Limits(5), trio.current_time).enter() as lease:
        assert not lease.shared


async def test_a_request_that_waits_after_all_is_counted_no_more(autojump_clock: MockClock) -> None:
    """One that must wait for another provider gives its charge back, to the store as well."""
    common = Common()
    limits = Limits(per_provider=1, queue_size=5, rate=Rate(1, 60.0))
    admission = Admission(limits, trio.current_time, store=common.store())
    other = admission.enter()
    assert other.acquire(Caller(b"\x02", "other", authenticated=True), "y")
    lease = await entered(admission)
    with pytest.raises(QueueTimeout):
        await lease.wait_turn(0.5, ("y",))
    lease.leave()
    assert not common.held
    (await entered(admission)).leave()
    other.leave()


async def test_a_rate_that_a_reload_takes_away_meanwhile(autojump_clock: MockClock) -> None:
    """What the store says of it is not shown, and the request goes on."""
    common = Common(latency=1.0)
    admission = Admission(Limits(5, rate=Rate(2, 60.0)), trio.current_time, store=common.store())
    async with trio.open_nursery() as nursery:

        async def come_and_go() -> None:
            (await entered(admission)).leave()

        nursery.start_soon(come_and_go)
        await trio.sleep(0.5)
        admission.apply(Limits(5))
    assert not common.held


async def test_a_held_request_is_not_counted_again_when_the_store_is_away(autojump_clock: MockClock) -> None:
    """Its replica's part of the rate is exceeded by then; denied, it would have its turn again at once."""
    common = Common()
    limits = Limits(10, rate=Rate(4, 60.0))
    admission, _ = (Admission(limits, trio.current_time, store=common.store()) for _ in range(2))
    leases = [await entered(admission) for _ in range(3)]
    assert common.stores[0].replicas == 2
    held = leases.pop()
    held.suspend()
    common.stores[0].cut()
    assert held.resume()
    assert await held.ask() is None
    for lease in (held, *leases):
        lease.leave()


async def test_a_rate_that_a_reload_adds_while_a_request_is_held(autojump_clock: MockClock) -> None:
    """The request was counted before: it goes on, and counts for the new rate neither here nor in the store."""
    common = Common()
    callers = {CALLER.key: CallerLimits(rate=Rate(9, 60.0), class_name="k")}
    before, after = (
        Limits(5, callers=callers, classes={"k": ClassTotals(rate=rate)}) for rate in (None, Rate(1, 60.0))
    )
    admission = Admission(before, trio.current_time, store=common.store())
    held = [await entered(admission) for _ in range(2)]
    for lease in held:
        lease.suspend()
    admission.apply(after)
    for lease in held:
        assert lease.resume()
        assert await lease.ask() is None
    (await entered(admission)).leave()
    late = admission.enter()
    with pytest.raises(RateLimited):
        late.charge_rate(CALLER, reply())
    for lease in (late, *held):
        lease.leave()
    assert not common.held


async def test_a_rate_that_a_reload_takes_away_was_used(autojump_clock: MockClock) -> None:
    """Other replicas have it still: what went up counts there, whatever this one knows when it ends."""
    common = Common()
    limits = Limits(5, rate=Rate(2, 60.0))
    one, other = (Admission(limits, trio.current_time, store=common.store()) for _ in range(2))
    leases = [await entered(one) for _ in range(2)]
    one.apply(Limits(5))
    leases[0].suspend()
    for lease in leases:
        lease.leave()
    late = other.enter()
    late.charge_rate(CALLER, reply())
    assert late.acquire(CALLER, "x")
    denied = await late.ask()
    assert denied
    assert denied.key == "rate:caller:01"
    late.leave()
    assert not common.held
