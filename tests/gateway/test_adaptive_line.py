"""A line's timer, and the bridge's own limits as the line sees them."""

from __future__ import annotations

import math

import trio
from trio.testing import MockClock

from aibridge_trio.core.adaptive.entry import Pushback, Stage
from aibridge_trio.core.limits.concurrency import ConcurrencyLimiter
from aibridge_trio.core.limits.lease import Lease, Limits
from aibridge_trio.core.quota import Left
from aibridge_trio.gateway.adaptive_line import AdaptiveLine, LineEntry, share_limits
from aibridge_trio.gateway.buffering import BufferMemory
from aibridge_trio.providers.quota_headers import QUOTAS
from tests.support.limiter import Slots


class Waiting(LineEntry):
    """A request in a line, which may go if `free`."""

    __slots__ = ("free", "woken_at")

    def __init__(self, caller: str = "a", *, free: bool = True) -> None:
        super().__init__(caller)
        self.free = free
        self.woken_at = math.inf

    def wake(self) -> None:
        """Note when."""
        self.woken_at = trio.current_time()

    def may_go(self) -> bool:
        """Return it."""
        return self.free


def a_line(provider: str = "openai") -> AdaptiveLine:
    """Return a line on the virtual clock."""
    return AdaptiveLine(provider, trio.current_time, BufferMemory(0), trio.current_time, quotas=QUOTAS[provider])


async def test_a_held_request_goes_when_it_is_due(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """The timer gives the canary's turn, without any traffic."""
    line, entry = a_line(), Waiting()
    nursery.start_soon(line.run)
    await trio.testing.wait_all_tasks_blocked()
    assert line.limiter.enter(entry, trio.current_time())
    assert line.limiter.pushed_back(entry, Pushback("529"), trio.current_time())
    assert line.active
    line.waiting = 1
    line.reschedule()
    await trio.sleep(60)
    assert 0 < entry.woken_at < 10
    assert entry.stage is Stage.STARTING


async def test_without_a_pushback_the_timer_sleeps(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """A quiet line costs nothing: its timer has no end."""
    line = a_line()
    nursery.start_soon(line.run)
    await trio.sleep(1)
    assert line.limiter.enter(Waiting(), trio.current_time())
    line.reschedule()
    await trio.testing.wait_all_tasks_blocked()
    assert line._due == math.inf


async def test_free_slots_go_to_each_line_in_turn(autojump_clock: MockClock) -> None:
    """Each time a lease is given back another line is asked first, and only those with held requests."""
    limiter = ConcurrencyLimiter(Limits(max_concurrency=1), Slots(1), lambda _: None)
    lines = [a_line("openai"), a_line("anthropic"), a_line("copilot")]
    share_limits(limiter, lines)
    asked: list[str] = []
    for line in lines[:2]:
        line.waiting = 1
        line.limiter.freed = lambda *_, name=line.provider: asked.append(name)  # type: ignore[method-assign]
    for _ in range(6):
        lease = Lease()
        limiter.enter(lease, 0.0)
        limiter.acquire(lease, "a", "openai", 0.0)
        limiter.leave(lease, 0.0)
    assert len(asked) == 12
    assert {asked[0], asked[2], asked[4]} == {"openai", "anthropic"}


async def test_a_line_knows_when_no_slot_is_free(autojump_clock: MockClock) -> None:
    """Without a slot or a share of its provider no held request goes up."""
    limits = Limits(max_concurrency=2, per_provider=1)
    limiter = ConcurrencyLimiter(limits, Slots(2), lambda _: None)
    lines = [a_line("openai"), a_line("anthropic")]
    share_limits(limiter, lines)
    assert [line.own_limits.is_free() for line in lines] == [True, True]
    leases = [Lease(), Lease()]
    for lease, provider in zip(leases, ("openai", "anthropic"), strict=True):
        limiter.enter(lease, 0.0)
        limiter.acquire(lease, "a", provider, 0.0)
        if provider == "openai":
            assert [line.own_limits.is_free() for line in lines] == [False, True]
    assert [line.own_limits.is_free() for line in lines] == [False, False]
    assert lines[0].own_limits.is_free_for(Waiting())
    assert not lines[0].own_limits.is_free_for(Waiting(free=False))


async def test_what_headers_tell_of_a_quota_is_read_and_other_headers_cost_nothing() -> None:
    """An answer of OpenAI; and one of a server that tells nothing."""
    openai = a_line("openai")
    told = [
        (b"content-type", b"application/json"),
        (b"X-RateLimit-Limit-Requests", b"60"),
        (b"x-ratelimit-remaining-requests", b"1"),
        (b"x-ratelimit-reset-requests", b"1s"),
    ]
    assert openai.quotas_left(told) == [Left("requests", 60, 1, 1.0)]
    assert openai.quotas_left([(b"content-type", b"application/json")]) == []
