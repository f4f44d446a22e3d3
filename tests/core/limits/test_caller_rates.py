"""Rates by caller: each counted by a naive model, and never exceeded while they change."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from aibridge_trio.core.limits.caller_rates import CallerRates, OfClass
from aibridge_trio.core.limits.lease import CallerLimits, Limits
from aibridge_trio.core.limits.rate import Budget, RateStats
from aibridge_trio.core.terms import ClassTotals, Rate

CALLERS, CLASSES = "abcd", ("ci", "people")


def test_rates_of_callers_and_of_classes_are_own_ones() -> None:
    """The options' rate is none."""
    assert not CallerRates(Limits(rate=Rate(1))).has_own
    rates = CallerRates(Limits(classes={"ci": ClassTotals(rate=Rate(3))}))
    assert rates.has_own
    rates.apply(Limits(callers={"a": CallerLimits(rate=Rate(3))}))
    assert rates.has_own


def test_a_known_caller_has_its_own_rate() -> None:
    """Others have that of all; one whose rate is None is unlimited, and gets no budget."""
    known = {"a": CallerLimits(rate=Rate(2, 60.0)), "b": CallerLimits()}
    rates = CallerRates(Limits(rate=Rate(1), callers=known))
    for _ in range(5):
        assert rates.charge("b", 0.0) is None
    assert rates.budget("b", 0.0) is None
    assert rates.charge("a", 0.0) == Budget(2, remaining=1, reset=60.0)
    assert rates.charge("c", 0.0) == Budget(1, remaining=0, reset=1.0)
    assert rates.charge("a", 30.0) == Budget(2, remaining=0, reset=60.0)
    assert rates.charge("a", 45.0) == Budget(2, remaining=0, reset=45.0, wait=15.0)
    assert rates.charge("c", 45.0) == Budget(1, remaining=0, reset=1.0)
    assert rates.statistics(45.0) == RateStats(callers=2, evictions=0)


def test_the_wait_for_an_hours_rate_is_the_true_one() -> None:
    """Longer than a minute: a request that comes earlier is refused in vain."""
    rates = CallerRates(Limits(rate=Rate(1, 3600.0)))
    waits = [budget.wait for at in (0.0, 10.0, 20.0) if (budget := rates.charge("a", at))]
    assert waits == [None, 3590.0, 3580.0]


def test_a_class_has_a_total() -> None:
    """All its callers together; the refusal says so, and tells the class's rate."""
    known = {name: CallerLimits(rate=Rate(2), class_name="ci") for name in "ab"}
    rates = CallerRates(Limits(callers=known, classes={"ci": ClassTotals(rate=Rate(3, 2.0))}))
    assert [rates.charge(caller, 0.0) for caller in "aab"] == [
        Budget(2, remaining=1, reset=1.0),
        Budget(2, remaining=0, reset=1.0),
        Budget(2, remaining=1, reset=1.0),
    ]
    assert rates.charge("b", 0.5) == Budget(3, remaining=0, reset=1.5, wait=1.5, class_name="ci")
    assert rates.barrier("b", 0.5) == (OfClass("ci"), 2.0)
    assert rates.barrier("a", 0.5) == ("a", 1.0)
    assert rates.class_barrier("a", 0.5) == (OfClass("ci"), 2.0)
    assert rates.turn("a", 0.5) == 2.0
    rates.refund("b", 0.0)
    assert rates.charge("b", 0.5) == Budget(2, remaining=1, reset=1.0)
    assert rates.budget("a", 0.5) == Budget(2, remaining=0, reset=0.5)


def test_known_callers_are_never_evicted() -> None:
    """However many others come: they cannot buy one a new rate."""
    rates = CallerRates(Limits(rate=Rate(5), callers={"a": CallerLimits(rate=Rate(1))}))
    assert rates._default
    rates._default._max_callers = 3
    rates.charge("a", 0.0)
    for number in range(10):
        rates.charge(number, 0.0)
    assert rates.statistics(0.0) == RateStats(callers=4, evictions=7)
    assert not rates.allows("a", 0.5)


@pytest.mark.parametrize(
    ("rate", "requests", "bytes_each"),
    [(Rate(10), 1, 900), (Rate(5000, 3600.0), 1, 900), (Rate(10**6), 600, 8_000)],
)
def test_many_callers_in_bounded_memory(rate: Rate, requests: int, bytes_each: int) -> None:
    """Hundreds of bytes for a caller with few requests, some kilobytes for one with a large rate that uses it."""
    many = 400
    rates = CallerRates(Limits(callers={number: CallerLimits(rate=rate) for number in range(many)}))
    tracemalloc.start()
    for step in range(requests):
        for number in range(many):
            rates.charge(number, step * rate.span / requests)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used / many < bytes_each


def test_rates_of_a_hundred_thousand_callers_change_at_once() -> None:
    """All of them keep what they have used."""
    many = range(100_000)
    rates = CallerRates(Limits(callers={number: CallerLimits(rate=Rate(2, 60.0)) for number in many}))
    for number in many:
        rates.charge(number, 0.0)
    rates.apply(Limits(callers={number: CallerLimits(rate=Rate(1 + number % 2, 60.0)) for number in many}))
    assert [rates.allows(number, 1.0) for number in range(4)] == [False, True, False, True]
    assert rates.statistics(1.0) == RateStats(callers=100_000, evictions=0)
    rates.apply(Limits())
    assert not rates.active
    assert "own=0" in repr(rates)


RATES = st.none() | st.builds(Rate, st.integers(1, 4), st.sampled_from([0.5, 1.0, 3.0]))
LIMITS = st.builds(
    Limits,
    rate=RATES,
    callers=st.dictionaries(
        st.sampled_from("abc"), st.builds(CallerLimits, rate=RATES, class_name=st.sampled_from(["", *CLASSES]))
    ),
    classes=st.dictionaries(st.sampled_from(CLASSES), st.builds(ClassTotals, rate=RATES)),
)


class Rated(RuleBasedStateMachine):
    """Against a list of all admissions. After a change only what the limits before remember must count."""

    @initialize(limits=LIMITS)
    def begin(self, limits: Limits) -> None:
        self.limits, self.rates, self.now = limits, CallerRates(limits), 0.0
        self.log: list[tuple[str, float]] = []
        self.since: dict[str, int] = {}  # from which one on a caller's, or a class's, admissions must count

    def bounds(self, caller: str) -> list[tuple[str, Rate, Callable[[str], bool]]]:
        """Return the rates of a caller, the key under which each counts, and whose requests it counts."""
        own = self.limits.callers.get(caller)
        rate = own.rate if own else self.limits.rate
        found: list[tuple[str, Rate, Callable[[str], bool]]] = [(caller, rate, caller.__eq__)] if rate else []
        total = self.limits.classes.get(own.class_name) if own else None
        if own and total and total.rate:
            members = {name for name, each in self.limits.callers.items() if each.class_name == own.class_name}
            found.append((own.class_name, total.rate, members.__contains__))
        return found

    def counted(self, rate: Rate, counts: Callable[[str], bool], since: int) -> int:
        return sum(counts(name) and at + rate.span > self.now for name, at in self.log[since:])

    @rule(ticks=st.integers(1, 12))
    def time_passes(self, ticks: int) -> None:
        self.now += ticks / 8

    @rule(caller=st.sampled_from(CALLERS))
    def request(self, caller: str) -> None:
        bounds = self.bounds(caller)
        known = [self.counted(rate, counts, self.since.get(key, 0)) for key, rate, counts in bounds]
        budget = self.rates.charge(caller, self.now)
        admitted = budget is None or budget.wait is None
        assert (budget is None) == (not bounds)
        if admitted:
            assert all(count < rate.amount for count, (_, rate, _) in zip(known, bounds, strict=True))
            self.log.append((caller, self.now))
        else:
            assert budget
            full = [self.counted(rate, counts, 0) >= rate.amount for _, rate, counts in bounds]
            assert any(full), "refused, though counting all that ever was admits it"
            assert not budget.class_name or full[-1]

    @rule(limits=LIMITS)
    def change(self, limits: Limits) -> None:
        before = {name: self.bounds(name) for name in CALLERS}
        members = {name: each.class_name for name, each in self.limits.callers.items()}
        self.limits = limits
        self.rates.apply(limits)
        for name in CALLERS:
            old = {key: rate for key, rate, _ in before[name]}
            for key, rate, _ in self.bounds(name):
                if key not in old or old[key].span < rate.span:
                    self.since[key] = len(self.log)
        after = {name: each.class_name for name, each in limits.callers.items()}
        for name in CALLERS:
            if members.get(name) != after.get(
                name
            ):  # a class counts a caller's requests from when it belongs to it
                for name_of_class in (members.get(name), after.get(name)):
                    self.since[name_of_class or ""] = len(self.log)


def test_no_span_has_more_than_its_rate_while_rates_change() -> None:
    """A request is admitted only if each of its rates has counted fewer than its amount."""
    run_state_machine_as_test(Rated, settings=settings(max_examples=150, stateful_step_count=50, deadline=None))
