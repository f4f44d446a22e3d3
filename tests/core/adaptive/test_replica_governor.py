"""Governors of several replicas at one provider: what they take over, and that each finds its part."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from random import Random

import pytest

from aibridge_trio.core.adaptive.entry import Entry, Pushback, Stage
from aibridge_trio.core.adaptive.limiter import AdaptiveLimiter
from aibridge_trio.core.adaptive.replica_governor import ReplicaGovernor


def in_outage() -> ReplicaGovernor:
    """Return a governor that has just found out that nothing is accepted, at 3 s."""
    governor = ReplicaGovernor(lambda: 0.5)
    for number in range(40):
        if governor.outage:
            break
        now = number * 0.1
        level = governor.sent(now)
        governor.pushed_back(Pushback("overload"), level, now, now + 0.05)
        governor.ended(answering=False)
    return governor


def test_only_the_claim_sends_canaries() -> None:
    """In an outage that is shared, a replica without the claim sends nothing, and waits for no time."""
    governor = in_outage()
    later = governor.resumes_at + 1
    assert governor.has_capacity(later)
    governor.shares_canaries = True
    assert not governor.has_capacity(later)
    assert governor.next_due(later) == float("inf")
    governor.has_claim = True
    assert governor.has_capacity(later)


def test_the_end_of_an_outage_is_told_once() -> None:
    """The first accepted canary ends the outage, gives up the claim, and others learn of it."""
    governor = in_outage()
    told: list[bool] = []
    governor.on_outage_over = lambda: told.append(governor.outage)
    governor.shares_canaries = governor.has_claim = True
    now = governor.resumes_at + 1
    level = governor.sent(now)
    governor.accepted(level, now, now + 0.1)
    level = governor.sent(now)
    governor.accepted(level, now, now + 0.1)
    assert told == [False]
    assert not governor.has_claim


def test_the_end_of_an_outage_elsewhere() -> None:
    """An outage ends with an accepted start of another replica, unless it began after that."""
    governor = in_outage()
    governor.shares_canaries = True
    governor.outage_over_elsewhere(0.0, 60.0)
    assert governor.statistics(60.0).outage
    governor.outage_over_elsewhere(60.0, 60.0)
    assert not governor.statistics(60.0).outage
    assert governor.has_capacity(60.0)


def test_a_spent_quota() -> None:
    """A quota that is spent holds requests back elsewhere, too, until it is free again."""
    one, two = ReplicaGovernor(lambda: 0.5), ReplicaGovernor(lambda: 0.5)
    told: list[tuple[float, float]] = []
    one.on_quota_spent = lambda until, size: told.append((until, size))
    one.quota_refused(Pushback("429", quota=True, retry_after=20.0), 1, 0.0, 0.1)
    ((until, size),) = told
    assert until >= 20.1
    assert two.has_capacity(1.0)
    two.quota_spent_elsewhere(until, size, 1.0)
    assert two.resumes(0.0, 1.0) == pytest.approx(until)
    assert not two.has_capacity(1.0)
    assert two.has_capacity(until + 0.001)


class Play:
    """Replicas that keep as many requests in the line as they can, and a provider that takes so many at once."""

    def __init__(self, replicas: int, capacity: int, seed: int) -> None:
        self._random = Random(seed)
        self._capacity = capacity
        self._numbers = count()
        self._events: list[tuple[float, int, int, str, Entry]] = []
        self.inside = 0
        self.accepted = [0] * replicas
        self.refused = [0] * replicas
        self.used = [0.0] * replicas
        self.now = 0.0
        self._limiters: list[AdaptiveLimiter] = []
        for number in range(replicas):
            limiter = AdaptiveLimiter(self._waker(number), self._random.random, 0.0)
            limiter.governor = ReplicaGovernor(self._random.random)
            self._limiters.append(limiter)

    def _waker(self, number: int) -> Callable[[Entry], None]:
        return lambda entry: self._goes_up(number, entry)

    def run(self, seconds: float, each: int, *, measured_from: float) -> None:
        """Let so many seconds pass; counts begin at `measured_from`."""
        for number in range(len(self._limiters)):
            for _ in range(each):
                self._come(number)
        ticks = 0.0
        while ticks < seconds:
            ticks += 0.02
            while self._events and self._events[0][0] <= ticks:
                at, _, number, what, entry = heapq.heappop(self._events)
                self.now = at
                getattr(self, what)(number, entry)
            self.now = ticks
            if ticks < measured_from:
                self.accepted = [0] * len(self.accepted)
                self.refused = [0] * len(self.refused)
                self.used = [0.0] * len(self.used)
            for number, limiter in enumerate(self._limiters):
                limiter.advance(ticks)
                self.used[number] += limiter.governor.answering * 0.02

    def _come(self, number: int) -> None:
        entry = Entry(caller=number, came=self.now)
        if self._limiters[number].enter(entry, self.now):
            self._goes_up(number, entry)

    def _goes_up(self, number: int, entry: Entry) -> None:
        self._at(0.05, number, "_reaches", entry)

    def _reaches(self, number: int, entry: Entry) -> None:
        """The provider takes it, or pushes it back; the bridge learns of it later."""
        taken = self.inside < self._capacity
        self.inside += taken
        self._at(0.05, number, "_begins" if taken else "_is_pushed_back", entry)

    def _begins(self, number: int, entry: Entry) -> None:
        self.accepted[number] += 1
        self._limiters[number].accepted(entry, self.now)
        self._at(self._random.expovariate(1 / 2.0), number, "_ends", entry)

    def _ends(self, number: int, entry: Entry) -> None:
        self.inside -= 1
        self._limiters[number].leave(entry, self.now)
        self._come(number)

    def _is_pushed_back(self, number: int, entry: Entry) -> None:
        self.refused[number] += 1
        if not self._limiters[number].pushed_back(entry, Pushback("overload"), self.now):
            assert entry.stage is Stage.OUTSIDE
            self._at(self._limiters[number].wait(self.now), number, "_comes_again", entry)

    def _comes_again(self, number: int, _entry: Entry) -> None:
        self._come(number)

    def _at(self, delay: float, number: int, what: str, entry: Entry) -> None:
        heapq.heappush(self._events, (self.now + delay, next(self._numbers), number, what, entry))


@pytest.mark.parametrize(("replicas", "most_refused"), [(1, 0.4), (3, 1.0)])
def test_each_finds_its_part(replicas: int, most_refused: float) -> None:
    """Governors that share nothing use all that the provider takes, each near an equal part of it.

    Its price are pushbacks: if callers ask three replicas for three times what the provider takes, up to as many
    as answers, in place of one in five.
    """
    capacity, seconds, since = 30, 400.0, 100.0
    play = Play(replicas, capacity, seed=1)
    play.run(seconds, 3 * capacity // replicas, measured_from=since)
    used = [each / (seconds - since) for each in play.used]
    assert sum(used) > 0.9 * capacity
    assert all(0.4 * capacity / replicas < each < 1.7 * capacity / replicas for each in used)
    assert sum(play.refused) < most_refused * sum(play.accepted)
