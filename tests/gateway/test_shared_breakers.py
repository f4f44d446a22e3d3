"""Breakers of several replicas under random faults, in virtual time; and what a replica remembers of messages."""

from __future__ import annotations

from contextlib import suppress

import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.sharing.needs import Message
from aibridge_trio.errors import CircuitOpen
from tests.support.memory_store import MemoryStore
from tests.support.shared_circuits import OVERLOAD, SUCCESS, Mode, Replica, State, replicas

POLICY = BreakerPolicy(threshold=3, cooldown=2.0, max_probes=2, longest_cooldown=10.0, window=4.0)
COUNT = 3
# How often a replica calls if it has nothing to say (seconds).
BEAT = 1.0
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["fail", "fail", "fail", "succeed", "succeed", "probe", "cut", "refuse", "deaf", "heal"]),
        st.integers(0, COUNT - 1),
        st.sampled_from([0.0, 0.003, 0.02, 0.3, 2.0]),
    ),
    max_size=40,
)


class Play:
    """Replicas, and the probes that are under way."""

    def __init__(self, found: list[Replica]) -> None:
        self.found = found
        self.faulty = False

    async def act(self, name: str, replica: Replica) -> None:
        match name:
            case "fail":
                await replica.settle(OVERLOAD)
            case "succeed":
                await replica.settle(SUCCESS)
            case "probe":
                await self.probe()
            case "heal":
                replica.restart_contact()
            case fault:
                setattr(replica.backend, fault, True)
                if fault == "refuse":
                    replica.backend.reset_connection()

    async def probe(self) -> None:
        """Send many requests at once; of those that are in contact and agree no more go up than may."""
        began = []
        agree = {each.breaker.change for each in self.found}

        async def one(replica: Replica) -> None:
            with suppress(CircuitOpen):
                attempt = await replica.begin()
                if attempt.right:
                    began.append(attempt)
                else:
                    attempt.__exit__(None, None, None)

        async with trio.open_nursery() as nursery:
            for each in self.found:
                for _ in range(3):
                    nursery.start_soon(one, each)
        if len(agree) == 1:
            by_change: dict[str, int] = {}
            for attempt in began:
                assert attempt.right
                by_change[attempt.right.change] = by_change.get(attempt.right.change, 0) + 1
            assert all(count <= POLICY.max_probes for count in by_change.values())
        for attempt in began:
            attempt.__exit__(None, None, None)


async def all_in_contact(found: list[Replica]) -> None:
    """Wait until all are in contact.

    A replica whose call or wake-up was lost without an error does not know before its next call is late: a second,
    and the timeout.
    """
    await trio.sleep(BEAT + found[0].link.timeout + 0.01)
    with trio.fail_after(10):
        while any(each.breaker.alone for each in found):
            await trio.sleep(0.001)


@settings(max_examples=40, deadline=None)
@given(EVENTS, st.integers(0, 1_000))
@example([("fail", 0, 0.0), ("fail", 0, 0.0), ("cut", 0, 0.0), ("fail", 0, 0.003)], 0)
@example([("fail", 0, 0.003), ("fail", 1, 0.0), ("fail", 1, 0.0), ("cut", 0, 0.003)], 1)
def test_replicas_agree_after_faults(events: list[tuple[str, int, float]], seed: int) -> None:
    """Whatever fails meanwhile: no more probes than may be, and once the store is back all agree."""

    async def play() -> None:
        async with replicas(COUNT, POLICY, first=seed * 10) as found:
            playing = Play(found)
            for name, number, pause in events:
                await playing.act(name, found[number])
                await trio.sleep(pause)
            for each in found:
                each.restart_contact()
            await all_in_contact(found)
            await trio.sleep(0.1)
            assert len({(each.state, each.stats.mode, each.breaker.change) for each in found}) == 1
            ends = [each.stats.cooldown_left for each in found if each.stats.cooldown_left is not None]
            assert not ends or max(ends) - min(ends) < 0.1

    trio.run(play, clock=MockClock(autojump_threshold=0))


@settings(max_examples=20, deadline=None)
@given(EVENTS, st.integers(0, COUNT - 1), st.sampled_from([Mode.OPEN, Mode.CLOSE]), st.booleans())
def test_an_override_wins(events: list[tuple[str, int, float]], number: int, mode: Mode, cut: bool) -> None:
    """What an operator sets on any replica, cut off or not, is the mode of all in the end."""

    async def play() -> None:
        async with replicas(COUNT, POLICY) as found:
            playing = Play(found)
            if cut:
                await playing.act("refuse", found[number])
            found[number].circuit.override(mode)
            for name, other, pause in events:
                await playing.act(name, found[other])
                await trio.sleep(pause)
            for each in found:
                each.restart_contact()
            await trio.sleep(5)
            assert {each.stats.mode for each in found} == {mode}
            assert {each.state for each in found} == {State.OPEN if mode is Mode.OPEN else State.CLOSED}

    trio.run(play, clock=MockClock(autojump_threshold=0))


async def test_a_breaker_that_comes_later_knows(autojump_clock: MockClock) -> None:
    """A breaker that a reload adds learns what the others did before."""
    store = MemoryStore()
    async with replicas(2, POLICY, store=store) as found:
        found[0].circuit.override(Mode.OPEN)
        await trio.sleep(0.2)
        shared = found[1].shared
        later = shared.join("openai|", POLICY, lambda _: None, lambda: 0.5, lambda: None)
        assert later.breaker.statistics(trio.current_time()).mode is Mode.AUTO
        shared.learn(later)
        assert later.breaker.statistics(trio.current_time()).mode is Mode.OPEN
        shared.leave(later)
        assert "0" in repr(shared)


async def test_messages_are_checked_and_bounded(autojump_clock: MockClock) -> None:
    """Messages without a name, a version or an age are ignored; values of unknown breakers are bounded."""
    async with replicas(1, POLICY) as found:
        shared = found[0].shared
        for wrong in (
            Message("breaker", 1, 1, {}),  # type: ignore[arg-type]
            Message("breaker", "openai|", None, {}),  # type: ignore[arg-type]
            Message("breaker", "openai|", 1, {}, float("nan")),
            Message("breaker", "openai|", 1, {}, -1.0),
        ):
            shared._heard(wrong)
        assert not shared._values
        for number in range(3_000):
            shared._heard(Message("breaker", f"p{number}|", 1, {}))
        assert len(shared._values) == 1_024
