from __future__ import annotations

import random
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from aibridge_trio.core.caller import Caller
from aibridge_trio.core.limits.concurrency import QueueStats
from aibridge_trio.core.limits.lease import CallerLimits, Limits
from aibridge_trio.core.terms import ClassTotals, Rate
from aibridge_trio.errors import AtCapacity, CallerAtCapacity, RateLimited
from aibridge_trio.events import Event, Waited
from aibridge_trio.gateway.admission import Admission, AdmissionStats
from aibridge_trio.gateway.caller_identity import CallerIdentifier
from aibridge_trio.http.message import Reply, Request
from aibridge_trio.server.asgi import AsgiBody, AsgiReply

CALLER = Caller(b"k", "hint", authenticated=True)
IDLE = QueueStats(waiting=0, callers=0, pace=None)


@dataclass
class Clock:
    """A clock that tests turn."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


async def nowhere(message: MutableMapping[str, Any]) -> None:
    """Send nothing."""


def reply() -> Reply:
    return AsgiReply(nowhere, AsgiBody())


class Harness:
    """An admission and its callers."""

    def __init__(self, max_concurrency: int = 0, rate_limit: int = 0) -> None:
        self.clock = Clock()
        self.callers = CallerIdentifier()
        self.admission = Admission(
            Limits(max_concurrency, rate=Rate(rate_limit) if rate_limit else None), self.clock
        )

    def charge(
        self, *headers: tuple[bytes, bytes], client: str = "203.0.113.7", answer: Reply | None = None
    ) -> bool:
        request = Request("GET", b"/", b"", list(headers), client, None, AsgiBody())
        try:
            with self.admission.enter() as lease:
                lease.charge_rate(self.callers.identify(request), answer or reply())
        except RateLimited:
            return False
        return True

    @property
    def in_flight(self) -> int:
        return self.admission.statistics().in_flight


# --- Concurrency


def test_the_nth_is_admitted_and_the_next_rejected_at_once() -> None:
    """With N allowed the N-th holds a slot, and the N+1st is rejected without waiting."""
    harness = Harness(max_concurrency=2)
    with harness.admission.enter(), harness.admission.enter():
        with pytest.raises(AtCapacity), harness.admission.enter():
            pytest.fail("a third was admitted")
        assert harness.in_flight == 2


def test_a_reject_takes_no_slot() -> None:
    """Rejects do not count: after a flood of them every slot is free (the Go AI Bridge counts them)."""
    harness = Harness(max_concurrency=1)
    with harness.admission.enter():
        for _ in range(100):
            with pytest.raises(AtCapacity), harness.admission.enter():
                pass
    assert harness.in_flight == 0
    with harness.admission.enter():
        assert harness.in_flight == 1


def test_zero_is_unlimited() -> None:
    """With 0 every request is admitted, and still counted."""
    harness = Harness(max_concurrency=0)
    slots = [harness.admission.enter() for _ in range(1000)]
    for slot in slots:
        slot.__enter__()
    assert harness.in_flight == 1000
    for slot in slots:
        slot.__exit__(None, None, None)
    assert harness.in_flight == 0


@pytest.mark.parametrize("error", [ValueError, AtCapacity, KeyboardInterrupt])
def test_the_slot_is_back_after_an_exception(error: type[BaseException]) -> None:
    """Whatever goes wrong inside, the slot is given back, once."""
    harness = Harness(max_concurrency=1)
    for _ in range(3):
        with pytest.raises(error), harness.admission.enter():
            raise error
        assert harness.in_flight == 0


async def test_the_slot_is_back_after_a_cancellation(autojump_clock: MockClock) -> None:
    """A request that is cancelled gives its slot back."""
    harness = Harness(max_concurrency=1)
    with trio.move_on_after(5) as scope, harness.admission.enter():
        await trio.sleep_forever()
    assert scope.cancelled_caught
    assert harness.in_flight == 0


async def test_one_task_may_hold_several_slots() -> None:
    """A slot belongs to a request, not to a task."""
    harness = Harness(max_concurrency=3)
    with harness.admission.enter(), harness.admission.enter():
        await trio.lowlevel.checkpoint()
        assert harness.in_flight == 2


async def test_many_tasks_never_exceed_the_limit(autojump_clock: MockClock) -> None:
    """Whatever comes and goes, never more than N are inside, and a free slot is never refused."""
    harness, chance = Harness(max_concurrency=5), random.Random(1)
    inside, most, admitted, rejected = 0, 0, 0, 0

    async def request() -> None:
        nonlocal inside, most, admitted, rejected
        await trio.sleep(chance.random() * 10)
        free = inside < 5
        try:
            with trio.move_on_after(chance.random()), harness.admission.enter():
                admitted, inside, most = admitted + 1, inside + 1, max(most, inside + 1)
                assert free
                try:
                    await trio.sleep(chance.random())
                    if chance.random() < 0.3:
                        raise ValueError
                finally:
                    inside -= 1
        except AtCapacity:
            rejected += 1
            assert not free
        except ValueError:
            pass

    async with trio.open_nursery() as nursery:
        for _ in range(500):
            nursery.start_soon(request)
    assert most == 5
    assert admitted + rejected == 500
    assert rejected > 0
    assert harness.in_flight == 0


async def test_a_request_whose_caller_left_at_its_turn_does_not_go_up(autojump_clock: MockClock) -> None:
    """A waiting request that is cancelled after a slot became free, and before its task ran, does not go up."""
    told: list[Event] = []
    admission = Admission(Limits(1, queue_size=5), trio.current_time, told.append)
    caller = CallerIdentifier().identify(Request("GET", b"/", b"", [], "203.0.113.7", None, AsgiBody()))
    went_up = False

    async def wait(scope: trio.CancelScope) -> None:
        nonlocal went_up
        with scope, admission.enter() as lease:
            assert not lease.acquire(caller, "openai")
            await lease.wait_turn(100.0)
            went_up = True

    async with trio.open_nursery() as nursery:
        with admission.enter() as first:
            assert first.acquire(caller, "openai")
            nursery.start_soon(wait, scope := trio.CancelScope())
            await trio.testing.wait_all_tasks_blocked()
        scope.cancel()
    assert not went_up
    assert [event.outcome for event in told if isinstance(event, Waited)] == ["left"]
    assert (admission.statistics().in_flight, admission.statistics().queue.waiting) == (0, 0)


# --- Rate


def test_by_bearer() -> None:
    """Each token has its own rate, whatever address it comes from."""
    harness = Harness(rate_limit=1)
    assert harness.charge((b"authorization", b"Bearer one"))
    assert not harness.charge((b"authorization", b"bearer one"), client="198.51.100.1")
    assert harness.charge((b"authorization", b"Bearer two"))


def test_by_api_key() -> None:
    """Each API key has its own rate; the same credential in the other header is the same caller."""
    harness = Harness(rate_limit=1)
    assert harness.charge((b"x-api-key", b"one"))
    assert not harness.charge((b"x-api-key", b"one"))
    assert not harness.charge((b"authorization", b"Bearer one"))
    assert harness.charge((b"x-api-key", b"two"))


def test_by_address_without_a_token() -> None:
    """Without a token the address has a budget, a whole /64 of IPv6 one."""
    harness = Harness(rate_limit=1)
    assert harness.charge(client="203.0.113.7")
    assert not harness.charge(client="203.0.113.7")
    assert harness.charge(client="203.0.113.8")
    assert harness.charge(client="2001:db8::1")
    assert not harness.charge(client="2001:db8::2")
    assert harness.charge((b"authorization", b"Bearer one"), client="203.0.113.7")


def test_a_zero_rate_is_off() -> None:
    """With 0 no caller is counted, and no reply has the rate's headers."""
    harness, answer = Harness(rate_limit=0), reply()
    assert all(harness.charge(answer=answer) for _ in range(1000))
    assert not answer._defaults
    assert harness.admission.statistics().callers == 0


def test_the_reject_names_the_true_wait() -> None:
    """The reject's wait is when exactly the caller will be admitted."""
    harness = Harness(rate_limit=1)
    caller = harness.callers.identify(Request("GET", b"/", b"", [], "203.0.113.7", None, AsgiBody()))
    with harness.admission.enter() as lease:
        lease.charge_rate(caller, reply())
    harness.clock.now = 0.75
    with harness.admission.enter() as lease, pytest.raises(RateLimited) as caught:
        lease.charge_rate(caller, reply())
    assert caught.value.wait == 0.25
    harness.clock.now = 1.0
    with harness.admission.enter() as lease:
        lease.charge_rate(caller, reply())


def test_every_reply_offers_the_budget() -> None:
    """With a rate limit on, admissions and rejects name limit, rest and seconds until all is back."""
    harness = Harness(rate_limit=2)
    told = []
    for _ in range(3):
        answer = reply()
        harness.charge(answer=answer)
        told.append(dict(answer._defaults[0]))
    assert told == [
        {b"x-ratelimit-limit": b"2", b"x-ratelimit-remaining": remaining, b"x-ratelimit-reset": b"1"}
        for remaining in (b"1", b"0", b"0")
    ]


def test_statistics() -> None:
    """The statistics have what is in flight, the callers of the last second, and the limits."""
    harness = Harness(max_concurrency=4, rate_limit=2)
    with harness.admission.enter():
        harness.charge()
        harness.charge(client="203.0.113.8")
        assert harness.admission.statistics() == AdmissionStats(
            limits=Limits(4, rate=Rate(2)), in_flight=1, queue=IDLE, callers=2, evictions=0
        )
    harness.clock.now = 1.0
    idle = harness.admission.statistics()
    assert (idle.in_flight, idle.callers, idle.evictions, idle.queue.waiting) == (0, 0, 0, 0)


def test_a_repr_tells_the_state() -> None:
    """An admission shows what is in flight, and no caller."""
    harness = Harness(max_concurrency=4, rate_limit=2)
    harness.charge((b"authorization", b"Bearer sk-secret"))
    told = repr(harness.admission)
    assert told.startswith("<Admission in_flight=0 <ConcurrencyLimiter ")
    assert told.endswith(" <CallerRates <RateLimiter limit=2/1s callers=1> own=0 totals=0>>")
    assert "secret" not in told


async def test_a_request_that_leaves_at_its_turn_gives_the_rate_to_the_next(autojump_clock: MockClock) -> None:
    """A request that did not go up is not counted: the next one of its caller need not wait."""
    admission = Admission(Limits(2, queue_size=9, rate=Rate(1)), trio.current_time)
    caller = CallerIdentifier().identify(Request("GET", b"/", b"", [], "203.0.113.7", None, AsgiBody()))
    turns: list[tuple[str, float]] = []

    async def ask(name: str, scope: trio.CancelScope) -> None:
        with scope, admission.enter() as lease:
            lease.charge_rate(caller, reply())
            if not lease.acquire(caller, "openai"):
                await lease.wait_turn(100.0)
            turns.append((name, trio.current_time()))

    gone = trio.CancelScope()
    async with trio.open_nursery() as nursery:
        for name in "abc":
            nursery.start_soon(ask, name, gone if name == "b" else trio.CancelScope())
            await trio.testing.wait_all_tasks_blocked()
        began = trio.current_time()
        await trio.sleep_until(began + 1.0)
        admission.limiter.advance(trio.current_time())  # b's turn, in the moment in which it leaves
        gone.cancel()
    assert [(name, at - began) for name, at in turns] == [("a", 0.0), ("c", 1.0)]


async def test_a_suspended_lease_holds_nothing_and_returns(autojump_clock: MockClock) -> None:
    """While a request is held for its provider, others have its slot and share; then it has them again."""
    admission = Admission(Limits(max_concurrency=1, per_provider=1), trio.current_time)
    with admission.enter() as lease:
        assert lease.acquire(CALLER, "openai")
        assert lease.may_resume()
        lease.suspend()
        assert admission.statistics().in_flight == 0
        with admission.enter() as other:
            assert other.acquire(CALLER, "openai")
            assert not lease.may_resume()
            assert not lease.resume()
        assert lease.resume()
        assert lease.resume()
        assert admission.statistics().in_flight == 1
        lease.suspend()
    assert admission.statistics().in_flight == 0
    with admission.enter() as another:
        assert another.acquire(CALLER, "openai")


async def test_a_request_whose_provider_is_known_late_waits_for_one(autojump_clock: MockClock) -> None:
    """It moves to the first free one; while all are full it queues, and learns which one it got."""
    told: list[Event] = []
    limits = Limits(9, per_provider=1, queue_size=9)
    admission = Admission(limits, trio.current_time, told.append)
    with admission.enter() as first, admission.enter() as second, admission.enter() as late:
        for lease, provider in ((first, "azure"), (second, "vllm"), (late, "")):
            assert lease.acquire(CALLER, provider)
        assert not late.provider_free("azure")
        assert not late.move("azure")
        async with trio.open_nursery() as nursery:

            async def leave_later() -> None:
                await trio.sleep(3.0)
                second.suspend()

            nursery.start_soon(leave_later)
            await late.wait_turn(100.0, ("azure", "vllm"))
        assert late.provider == "vllm"
        assert told == [Waited("vllm", 3.0, "served")]
        assert late.move("openai")
        await late.wait_turn(100.0, ("vllm",))  # free: no wait
        assert len(told) == 1


async def test_limits_change_while_requests_wait(autojump_clock: MockClock) -> None:
    """A raised limit gives turns at once, and a rate that begins is waited for; nothing is lost."""
    admission = Admission(Limits(1, queue_size=9), trio.current_time)
    went: list[float] = []

    async def ask() -> None:
        with admission.enter() as lease:
            lease.charge_rate(CALLER, reply())
            if not lease.acquire(CALLER, "openai"):
                await lease.wait_turn(100.0)
            went.append(trio.current_time() - began)
            await trio.sleep(50.0)

    began = trio.current_time()
    async with trio.open_nursery() as nursery, trio.open_nursery() as running:
        running.start_soon(admission.run)
        for _ in range(4):
            nursery.start_soon(ask)
        await trio.sleep(1.0)
        assert admission.statistics().queue.waiting == 3
        admission.apply(Limits(4, queue_size=9, rate=Rate(1, 3.0)))
        assert admission.statistics().limits.max_concurrency == 4
        await trio.sleep(8.0)
        assert went == [0.0, 1.0, 4.0, 7.0]
        assert admission.statistics().in_flight == 4
        admission.apply(Limits(1), shadow={"rate_limit"})
        assert admission.rate_in_shadow
        with pytest.raises(AtCapacity):
            admission.enter()
        running.cancel_scope.cancel()
        nursery.cancel_scope.cancel()
    assert admission.statistics().in_flight == 0


async def test_a_class_that_is_full_is_named(autojump_clock: MockClock) -> None:
    """The message says that all of its callers have used up its limit, or its rate."""
    ci = CallerLimits(class_name="ci")
    totals = {"ci": ClassTotals(max_concurrency=1, rate=Rate(2, 60.0))}
    admission = Admission(Limits(callers={CALLER.key: ci}, classes=totals), trio.current_time)
    with admission.enter() as first, admission.enter() as second, admission.enter() as third:
        for lease in (first, second):
            lease.charge_rate(CALLER, reply())
        assert first.acquire(CALLER, "openai")
        assert not second.acquire(CALLER, "openai")
        with pytest.raises(CallerAtCapacity, match="All callers of class ci together have 1 requests in flight"):
            await second.wait_turn(1.0)
        with pytest.raises(
            RateLimited, match="All callers of class ci together have been rate limited"
        ) as limited:
            third.charge_rate(CALLER, reply())
        assert limited.value.wait == 60.0
