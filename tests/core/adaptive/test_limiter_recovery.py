"""The adaptive limiter after an incident: whatever the provider did, callers are served again within seconds."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from itertools import count
from random import Random

import pytest

from aibridge_trio.core.adaptive.entry import Entry, Pushback
from aibridge_trio.core.adaptive.limiter import AdaptiveLimiter

CALLERS, RATE = 20, 6.0
BEGINS, STREAMS, REFUSES = 0.4, 2.0, 0.05  # seconds


class World:
    """Callers that come at a rate, and a provider that refuses from 30 s on, or hangs if `pushback` is None."""

    def __init__(self, pushback: Pushback | None, ends: float, *, own_keys: bool) -> None:
        self.now = 0.0
        self.pushback = pushback
        self.ends = ends
        self.own_keys = own_keys
        self.random = Random(1)
        self.limiter = AdaptiveLimiter(self.send, self.random.random, 0.0)
        self.sent_in_incident = 0
        self.steps: list[tuple[float, int, Callable[[Entry], None], Entry]] = []
        self.numbers = count()

    def after(self, seconds: float, step: Callable[[Entry], None], entry: Entry) -> None:
        heapq.heappush(self.steps, (self.now + seconds, next(self.numbers), step, entry))

    def come(self, _: Entry) -> None:
        caller = self.random.randrange(CALLERS)
        entry = Entry(caller, caller if self.own_keys else None, self.now, self.now + 1e6, 1000.0)
        if self.limiter.enter(entry, self.now):
            self.send(entry)
        self.after(1 / RATE, self.come, entry)

    def send(self, entry: Entry) -> None:
        ill = 30.0 <= self.now < self.ends
        self.sent_in_incident += ill
        if not ill:
            self.after(BEGINS, self.begin, entry)
        elif self.pushback:
            self.after(REFUSES, self.refuse, entry)

    def begin(self, entry: Entry) -> None:
        self.limiter.accepted(entry, self.now)
        self.after(STREAMS, self.end, entry)

    def end(self, entry: Entry) -> None:
        self.limiter.leave(entry, self.now)

    def refuse(self, entry: Entry) -> None:
        assert self.pushback
        self.limiter.pushed_back(entry, self.pushback, self.now)

    def run(self, until: float) -> None:
        """Let time pass."""
        while self.now < until:
            due = self.limiter.next_due(self.now)
            if due <= self.steps[0][0]:
                assert due > self.now
                self.now = due
                self.limiter.advance(due)
            else:
                self.now, _, step, entry = heapq.heappop(self.steps)
                step(entry)


INCIDENTS = {
    "503": Pushback("503"),
    "503 with a hint": Pushback("503", retry_after=5.0),
    "529": Pushback("529"),
    "refused connections": Pushback("refused"),
    "429": Pushback("429", quota=True),
    "429 with a hint": Pushback("429", quota=True, retry_after=1.0),
}


@pytest.mark.parametrize("own_keys", [False, True])
@pytest.mark.parametrize("lasts", [5.0, 20.0, 60.0, 300.0])
@pytest.mark.parametrize("name", INCIDENTS)
def test_soon_after_an_incident_the_line_is_empty(name: str, lasts: float, own_keys: bool) -> None:
    """Within half a minute; or in a minute and a half if a few seconds of 429s have to be taken for a quota."""
    world = World(INCIDENTS[name], 30.0 + lasts, own_keys=own_keys)
    world.come(Entry("first"))
    looks_like_quota = name.startswith("429") and lasts < 30.0
    world.run(world.ends + (90.0 if looks_like_quota else 30.0))
    assert world.limiter.statistics(world.now).held == 0
    assert world.limiter.governor.level <= 2 * RATE * (BEGINS + STREAMS)


@pytest.mark.parametrize("name", ["503", "529", "refused connections"])
def test_in_an_outage_few_calls_are_made(name: str) -> None:
    """Pauses grow to a few seconds: in five minutes a hundred canaries and some more, of 1,800 requests."""
    world = World(INCIDENTS[name], 330.0, own_keys=False)
    world.come(Entry("first"))
    world.run(330.0)
    assert 80 <= world.sent_in_incident <= 160


def test_a_provider_that_hangs_after_an_outage_began_does_not_hold_up_all() -> None:
    """The canary of that time hangs for good, but the provider is well again."""
    world = World(Pushback("503"), 60.0, own_keys=False)
    world.come(Entry("first"))
    world.run(50.0)
    assert world.limiter.governor.outage
    world.pushback = None  # from here on it takes requests, and says nothing
    world.run(95.0)
    assert world.limiter.statistics(world.now).held == 0


def test_absurd_hints_hold_callers_back_for_minutes_at_most() -> None:
    """A year in Retry-After is five minutes and a half."""
    world = World(Pushback("429", quota=True, retry_after=3e7), 40.0, own_keys=False)
    world.come(Entry("first"))
    world.run(math.ceil(45.0 + 330.0 + 30.0))
    assert world.limiter.statistics(world.now).held == 0


def test_requests_without_a_key_of_their_own_are_not_held_by_anothers_key() -> None:
    """A key's quota is that key's."""
    woken: list[Entry] = []
    limiter = AdaptiveLimiter(woken.append, lambda: 0.5, 0.0)
    for number in range(50):
        entry = Entry(number, number, 0.0, 1e6)
        if limiter.enter(entry, 0.0):
            limiter.pushed_back(entry, Pushback("429", quota=True, retry_after=60.0), 0.1)
    assert limiter.enter(Entry("central", None, 1.0, 1e6), 1.0)
    assert woken == []
