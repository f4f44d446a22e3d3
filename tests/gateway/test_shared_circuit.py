"""Breakers of several replicas over one store: they count, open, probe and close together."""

from __future__ import annotations

from contextlib import suppress
from itertools import cycle

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.caller import Caller
from aibridge_trio.errors import CircuitOpen
from tests.support.memory_store import MemoryStore
from tests.support.shared_circuits import OVERLOAD, SUCCESS, Mode, Replica, State, away, replicas, until

POLICY = BreakerPolicy(threshold=6, cooldown=30.0, max_probes=3)


async def open_all(found: list[Replica]) -> None:
    for replica, _ in zip(cycle(found), range(POLICY.threshold), strict=False):
        await replica.settle(OVERLOAD)
    await until(lambda: all(each.state is State.OPEN for each in found), 0.2)


async def test_failures_of_all_replicas_open_all(autojump_clock: MockClock) -> None:
    """Two failures on each of three replicas are six, and all breakers open within 100 ms of the last."""
    async with replicas(3, POLICY) as found:
        for each in found:
            assert await each.settle(OVERLOAD, OVERLOAD)
        await until(lambda: all(each.state is State.OPEN for each in found), 0.1)
        assert sum(each.stats.trips for each in found) == 1
        told = [text for each in found for text in each.said]
        assert sum(text.endswith("seen by another replica") for text in told) == 2
        assert any("over all replicas" in text for text in told)


async def test_fewer_than_the_threshold_open_none(autojump_clock: MockClock) -> None:
    """One failure fewer than the threshold opens no breaker."""
    async with replicas(5, POLICY) as found:
        for each in found:
            await each.settle(OVERLOAD)
        await trio.sleep(1)
        assert {each.state for each in found} == {State.CLOSED}


async def test_cooldowns_end_together(autojump_clock: MockClock) -> None:
    """The cooldown ends at the same time everywhere, with the same number of trips in a row."""
    async with replicas(3, POLICY) as found:
        await open_all(found)
        left = [each.stats.cooldown_left for each in found]
        assert max(left) - min(left) < 0.05  # type: ignore[type-var, operator]
        assert {each.stats.in_a_row for each in found} == {1}
        await trio.sleep(31)
        assert {each.state for each in found} == {State.HALF_OPEN}


async def test_probes_are_capped_over_all(autojump_clock: MockClock) -> None:
    """Ten replicas with twenty requests each let up as many probes as one bridge would."""
    async with replicas(10, POLICY) as found:
        await open_all(found)
        await trio.sleep(30.5)
        began = []

        async def one(replica: Replica) -> None:
            with suppress(CircuitOpen):
                began.append(await replica.begin())

        async with trio.open_nursery() as nursery:
            for each in found:
                for _ in range(20):
                    nursery.start_soon(one, each)
        assert len(began) == POLICY.max_probes


async def test_successes_are_counted_over_all(autojump_clock: MockClock) -> None:
    """One successful probe on each of three replicas closes the breaker for all."""
    async with replicas(3, POLICY) as found:
        await open_all(found)
        await trio.sleep(30.5)
        for each in found:
            assert await each.settle(SUCCESS)
        await until(lambda: all(each.state is State.CLOSED for each in found), 0.2)


async def test_a_failed_probe_opens_all(autojump_clock: MockClock) -> None:
    """One failed probe opens the breaker for all, with the longer cooldown of a second trip."""
    async with replicas(3, POLICY) as found:
        await open_all(found)
        await trio.sleep(30.5)
        assert await found[1].settle(OVERLOAD)
        await until(lambda: all(each.state is State.OPEN for each in found), 0.1)
        assert {each.stats.in_a_row for each in found} == {2}


async def test_rights_come_back(autojump_clock: MockClock) -> None:
    """A probe that is neutral, or whose body never ends, gives its right back."""
    store = MemoryStore()
    async with replicas(2, POLICY, store=store) as found:
        await open_all(found)
        await trio.sleep(30.5)
        key = f"probe:openai|:{found[0].breaker.change}"
        stalled = [found[0].circuit.admit() for _ in range(3)]
        for attempt in stalled:
            await attempt.ask_right()
        assert store.total(key) == 3
        with pytest.raises(CircuitOpen):
            await found[1].begin()
        await trio.sleep(6)
        assert store.total(key) == 0
        with pytest.raises(CircuitOpen):
            stalled[0].acquire()
        with await found[1].begin():
            pass
        await trio.sleep(0.1)
        assert store.total(key) == 0


async def test_a_caller_may_not_open_the_breaker_of_others(autojump_clock: MockClock) -> None:
    """Timeouts of one caller on many replicas open nothing while others are served; those of two callers do."""
    slow = OVERLOAD._replace(overload=False, caller_related=True)
    one, two, three = (Caller(bytes([number]) * 16, "x", authenticated=True) for number in (1, 2, 3))
    async with replicas(3, POLICY) as found:
        await found[2].settle(SUCCESS, caller=three)
        await trio.sleep(1)
        for each in found[:2]:
            await each.settle(*[slow] * 5, caller=one)
        await trio.sleep(1)
        assert {each.state for each in found} == {State.CLOSED}
        await found[2].settle(slow, caller=two)
        await until(lambda: all(each.state is State.OPEN for each in found), 0.2)


async def test_a_share_is_one_of_all_calls(autojump_clock: MockClock) -> None:
    """With a failure share, one replica's failures open nothing while most calls of the others succeed."""
    policy = BreakerPolicy(threshold=6, failure_share=0.5)
    async with replicas(3, policy) as found:
        for _ in range(10):
            await found[0].settle(SUCCESS)
            await found[1].settle(SUCCESS)
        await trio.sleep(1)
        await found[2].settle(*[OVERLOAD] * 10)
        await trio.sleep(0.5)
        assert {each.state for each in found} == {State.CLOSED}
        await found[2].settle(*[OVERLOAD] * 12)
        await until(lambda: all(each.state is State.OPEN for each in found), 0.2)
        assert any("calls failed" in text and "over all replicas" in text for text in found[2].said)


async def test_overrides_are_shared(autojump_clock: MockClock) -> None:
    """An override on one replica is that of all, and of one that joins later."""
    store = MemoryStore()
    async with replicas(3, POLICY, store=store) as found:
        found[0].circuit.override(Mode.OPEN)
        await until(lambda: all(each.stats.mode is Mode.OPEN for each in found), 0.1)
        async with replicas(1, POLICY, store=store, first=9) as later:
            await until(lambda: later[0].stats.mode is Mode.OPEN, 0.1)
        found[2].circuit.override(Mode.AUTO)
        await until(lambda: all(each.stats.mode is Mode.AUTO for each in found), 0.1)
        assert {each.state for each in found} == {State.HALF_OPEN}


async def test_alone_while_the_store_is_away(autojump_clock: MockClock) -> None:
    """Without the store a breaker works by itself: its own failures open it, its own probes close it."""
    async with replicas(2, POLICY) as found:
        await away(found[0])
        await found[0].settle(*[OVERLOAD] * 6)
        assert [each.state for each in found] == [State.OPEN, State.CLOSED]
        await trio.sleep(30.5)
        assert await found[0].settle(SUCCESS, SUCCESS, SUCCESS)
        assert found[0].state is State.CLOSED


async def test_back_with_a_trip_of_its_own(autojump_clock: MockClock) -> None:
    """A breaker that opened while it was cut off tells the others when it is back, with what remains."""
    async with replicas(2, POLICY) as found:
        await away(found[0])
        await found[0].settle(*[OVERLOAD] * 6)
        await trio.sleep(5)
        found[0].restart_contact()
        await until(lambda: found[1].state is State.OPEN, 3.0)
        left = [each.stats.cooldown_left or 0.0 for each in found]
        assert abs(left[0] - left[1]) < 0.05
        assert left[0] < 25.1


async def test_back_to_what_others_did(autojump_clock: MockClock) -> None:
    """A breaker that was cut off adopts the trip that it missed."""
    async with replicas(3, POLICY) as found:
        await away(found[0])
        await open_all(found[1:])
        assert found[0].state is State.CLOSED
        found[0].restart_contact()
        await until(lambda: found[0].state is State.OPEN, 3.0)


async def test_an_override_wins_over_a_partition(autojump_clock: MockClock) -> None:
    """What an operator set on a replica that was cut off wins over trips of the others; the latest of two wins."""
    async with replicas(3, POLICY) as found:
        await away(found[0])
        found[1].circuit.override(Mode.OPEN)
        await trio.sleep(1)
        found[0].circuit.override(Mode.CLOSE)
        found[0].restart_contact()
        await until(lambda: all(each.stats.mode is Mode.CLOSE for each in found), 3.0)


async def test_lies_change_nothing(autojump_clock: MockClock) -> None:
    """Values that are no states, of huge versions too, neither change nor break a breaker for good."""
    store = MemoryStore()
    async with replicas(2, POLICY, store=store) as found:
        for value in ("[]", '{"state":"open"}', '{"change":1}', '"open"', "null"):
            await found[0].link.call(["set", "breaker", "openai|", -1, value, 600])
        await found[0].link.call(["set", "breaker", "unknown", -1, "{}", 600])
        await trio.sleep(0.2)
        assert {each.state for each in found} == {State.CLOSED}
        await open_all(found)


async def test_a_store_without_content(autojump_clock: MockClock) -> None:
    """A store that has lost everything learns the state again, and its replicas agree."""
    store = MemoryStore()
    async with replicas(3, POLICY, store=store) as found:
        found[0].circuit.override(Mode.OPEN)
        await trio.sleep(70)
        store.reset()
        await trio.sleep(5)
        async with replicas(1, POLICY, store=store, first=9) as later:
            await until(lambda: later[0].stats.mode is Mode.OPEN, 0.2)
        found[1].circuit.override(Mode.CLOSE)
        await until(lambda: all(each.stats.mode is Mode.CLOSE for each in found), 0.2)
