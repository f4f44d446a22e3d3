"""The usage window against a naive model, and its turns."""

from __future__ import annotations

import sys
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from aibridge_trio.core.limits.usage_window import Charge, UsageWindow
from aibridge_trio.core.terms import Rate

MINUTE = Rate(1000, 60.0)


class Model:
    """Each request on its own line, and every sum made anew."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self.running: dict[int, int] = {}
        self.settled: dict[int, tuple[float, int]] = {}

    def counts(self, now: float) -> int:
        span = self.rate.span
        return sum(self.running.values()) + sum(used for at, used in self.settled.values() if at + span > now)

    def allows(self, estimate: int, now: float) -> bool:
        nothing = not self.running and not self.counts(now)
        return nothing or self.counts(now) + estimate <= self.rate.amount

    def wait(self, estimate: int, now: float) -> float:
        """Try every instant at which something leaves, the running ones as if they ended now."""
        ended = Model(self.rate)
        ended.settled = dict(self.settled)
        ended.settled |= {number: (now, used) for number, used in self.running.items()}
        times = sorted({at + self.rate.span for at, used in ended.settled.values() if used})
        return next(at for at in times if at > now and ended.allows(estimate, at)) - now


class Compared(RuleBasedStateMachine):
    """Any order of requests, ends and pauses: the window decides as the model does."""

    @initialize(amount=st.integers(1, 50), span=st.sampled_from([1.0, 60.0, 3600.0]), start=st.floats(0, 1e6))
    def begin(self, amount: int, span: float, start: float) -> None:
        self.now = start
        self.rate = Rate(amount, span)
        self.window, self.model = UsageWindow(self.rate), Model(self.rate)
        self.charges: dict[int, Charge] = {}
        self.ended: list[int] = []
        self.number = 0

    @rule(estimate=st.integers(1, 60))
    def request(self, estimate: int) -> None:
        allowed = self.window.allows(estimate, self.now)
        assert allowed == self.model.allows(estimate, self.now)
        if not allowed:
            assert self.window.wait(estimate, self.now) == self.model.wait(estimate, self.now) > 0
            assert self.window.refuse(estimate, self.now) >= self.window.wait(estimate, self.now)
            return
        assert self.window.wait(estimate, self.now) == 0
        self.number += 1
        self.charges[self.number] = self.window.charge(estimate)
        self.model.running[self.number] = estimate

    @rule(data=st.data(), used=st.integers(0, 60))
    def settle(self, data: st.DataObject, used: int) -> None:
        if self.model.running:
            number = data.draw(st.sampled_from(sorted(self.model.running)))
            self.charges[number].settle(used, self.now)
            self.charges[number].settle(used + 1, self.now)  # only the first counts
            del self.model.running[number]
            self.model.settled[number] = (self.now, used)
            self.ended.append(number)

    @rule(data=st.data())
    def refund(self, data: st.DataObject) -> None:
        if self.charges:
            number = data.draw(st.sampled_from(sorted(self.charges)))
            self.charges.pop(number).refund(self.now)
            self.model.running.pop(number, None)
            self.model.settled.pop(number, None)

    @rule(part=st.sampled_from([0.001, 0.1, 0.5, 1.0, 2.0]))
    def pause(self, part: float) -> None:
        self.now += part * self.rate.span

    @rule(amount=st.integers(1, 50))
    def reload(self, amount: int) -> None:
        self.rate = self.window.rate = self.model.rate = Rate(amount, self.rate.span)

    @invariant()
    def the_same_counts(self) -> None:
        if hasattr(self, "window"):
            use = self.window.use(self.now)
            assert use.settled + use.running == self.model.counts(self.now)
            assert use.remaining == max(0, self.rate.amount - self.model.counts(self.now))


def test_as_the_model() -> None:
    """Up to 96 entries the window is exact, whatever comes in whatever order."""
    run_state_machine_as_test(Compared, settings=settings(max_examples=150, deadline=None))


@given(st.lists(st.tuples(st.floats(0, 0.2), st.integers(1, 40)), min_size=200, max_size=400))
@settings(max_examples=30, deadline=None)
def test_joined_entries_err_on_the_strict_side_by_a_64th(requests: list[tuple[float, int]]) -> None:
    """Beyond 96 entries nothing is admitted that the model refuses, and what is refused fits a 64th later."""
    window, model, now = UsageWindow(MINUTE), Model(MINUTE), 0.0
    for number, (pause, used) in enumerate(requests):
        now += pause
        if window.allows(used, now):
            assert model.allows(used, now)
            window.charge(used).settle(used, now)
            model.settled[number] = (now, used)
        else:
            late = now + MINUTE.span / 64
            assert not model.allows(used, now) or window.wait(used, now) <= late - now


def test_no_minute_ever_holds_more_than_the_limit() -> None:
    """Settled tokens and the estimates of running requests never exceed the limit, in any span."""
    window = UsageWindow(MINUTE)
    running: list[tuple[Charge, float, int]] = []
    settled: list[tuple[float, int]] = []
    for tick in range(4000):
        now = tick / 8
        for each in [each for each in running if each[1] <= now]:
            running.remove(each)
            each[0].settle(each[2] // 2, now)
            settled.append((now, each[2] // 2))
        estimate = 20 + tick * 37 % 90
        if window.allows(estimate, now):
            running.append((window.charge(estimate), now + tick % 11, estimate))
        count = sum(each[2] for each in running) + sum(used for at, used in settled if at + 60 > now)
        assert count <= 1000
    assert len(settled) > 100


@pytest.mark.parametrize("other", [False, True])
def test_what_has_left_is_not_taken_away_when_the_span_grows(other: bool) -> None:
    """A request counted until a second was over, and is refunded when the limit is one of an hour."""
    window = UsageWindow(Rate(10, 1.0))
    charge = window.count(0.0)
    assert window.use(5.0).settled == 0
    window.rate = Rate(10, 3600.0)
    if other:
        window.count(5.5)
    charge.refund(6.0)
    assert window.use(6.0).settled == other
    assert window.idle(6.0) != other


def test_one_that_exceeds_the_whole_limit_goes_alone() -> None:
    """It waits for an empty window; others wait until what it used has left."""
    window = UsageWindow(MINUTE)
    window.charge(10).settle(10, 5.0)
    assert not window.allows(5000, 64.0)
    assert window.wait(5000, 64.0) == 1.0
    assert window.allows(5000, 65.0)
    large = window.charge(5000)
    assert not window.allows(1, 65.0)
    assert window.wait(1, 65.0) == 60.0
    large.settle(5000, 100.0)
    assert not window.allows(1, 159.0)
    assert window.allows(1, 160.0)


def test_a_request_that_used_more_than_its_estimate_is_counted_whole() -> None:
    """What it used beyond the limit is waited for like all else."""
    window = UsageWindow(MINUTE)
    window.charge(100).settle(2500, 0.0)
    assert window.use(0.0).settled == 2500
    assert window.wait(1, 0.0) == 60.0


def test_the_wait_is_when_enough_leaves() -> None:
    """Not when all leaves, and the running ones are taken to end now."""
    window = UsageWindow(MINUTE)
    for second in range(10):
        window.charge(100).settle(100, float(second))
    assert window.wait(100, 10.0) == 50.0
    assert window.wait(250, 10.0) == 52.0
    window = UsageWindow(MINUTE)
    window.charge(600)
    window.charge(300).settle(300, 20.0)
    assert window.wait(400, 30.0) == 50.0
    assert window.wait(500, 30.0) == 60.0


def test_refused_requests_come_back_one_after_another() -> None:
    """Each turn is later than the one before it, by what the limit needs for that; none is put off beyond 60 s."""
    window = UsageWindow(MINUTE)
    window.charge(1000).settle(1000, 0.0)
    turns = [30.0 + window.refuse(20, 30.0) for _ in range(100)]
    assert turns[0] == 60.0
    assert all(later - earlier == pytest.approx(1.05 * 60 * 20 / 1000) for earlier, later in pairwise(turns[:20]))
    assert max(turns) == 90.0


def test_those_that_keep_to_their_turns_are_admitted() -> None:
    """If no other request comes, each is admitted at its turn."""
    window = UsageWindow(MINUTE)
    window.charge(1000).settle(1000, 0.0)
    turns = [50.0 + window.refuse(300, 50.0) for _ in range(3)]
    for turn in turns:
        assert window.allows(300, turn)
        window.charge(300).settle(300, turn)


def test_a_limit_of_requests_counts_from_the_beginning() -> None:
    """However long a request runs; given back if it never went up."""
    window = UsageWindow(Rate(2, 1.0))
    first, second = window.count(0.0), window.count(0.5)
    assert not window.allows(1, 0.9)
    assert window.allows(1, 1.0)
    second.refund(1.0)
    second.refund(1.0)
    assert window.use(1.0).settled == 0
    first.refund(3.0)
    assert window.use(3.0).settled == 0


def test_a_busy_window_takes_bounded_memory() -> None:
    """A million settled requests in a minute are at most 97 entries."""
    window = UsageWindow(Rate(10**9, 60.0))
    for number in range(100_000):
        window.charge(1).settle(1, number * 0.0005)
        assert len(window._times) <= 97
    assert sys.getsizeof(window._times) + sys.getsizeof(window._amounts) < 2500
