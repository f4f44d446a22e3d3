from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from aibridge_trio.core.limits.rate import Budget, RateLimiter, RateStats
from aibridge_trio.core.terms import Rate


def admitted(limiter: RateLimiter, caller: str, now: float) -> bool:
    return limiter.charge(caller, now).wait is None


def test_the_limit_at_once_after_a_silent_second() -> None:
    """A caller that was silent for a second has N at once, and no more."""
    limiter = RateLimiter(Rate(3))
    assert [admitted(limiter, "a", 5.0) for _ in range(5)] == [True, True, True, False, False]
    assert [admitted(limiter, "a", 6.0) for _ in range(5)] == [True, True, True, False, False]


def test_an_admission_stops_counting_exactly_one_second_later() -> None:
    """A hair before the second is over the caller is refused, at the second admitted."""
    limiter = RateLimiter(Rate(1))
    assert admitted(limiter, "a", 0.0)
    assert not admitted(limiter, "a", 1 - 2**-30)
    assert admitted(limiter, "a", 1.0)


@given(st.floats(0, 1e6))
@example(0.9)  # 0.9 + 1 − 1 < 0.9
def test_one_second_later_as_floats_add(at: float) -> None:
    """At the very instant that a sleep of one second ends the caller is admitted, wherever the clock began."""
    limiter = RateLimiter(Rate(2))
    assert [admitted(limiter, "a", at) for at in (at, at + 0.5, at + 0.5)] == [True, True, False]
    assert admitted(limiter, "a", at + 1.0)
    assert limiter.statistics(at + 1.0 + 1.0).callers == 0


def test_no_second_ever_holds_more_than_the_limit() -> None:
    """Bursts round a boundary do not add up (GCRA and token buckets admit up to 2N − 1)."""
    limiter = RateLimiter(Rate(10))
    times = [tick / 64 for tick in range(64 * 5) if admitted(limiter, "a", tick / 64)]
    assert all(sum(start <= at < start + 1 for at in times) <= 10 for start in times)
    assert len(times) == 50


def test_a_refused_request_counts_nothing() -> None:
    """A caller that hammers meanwhile is admitted as early as one that waits."""
    limiter = RateLimiter(Rate(1))
    assert admitted(limiter, "a", 0.0)
    assert not any(admitted(limiter, "a", tick / 1024) for tick in range(1024))
    assert admitted(limiter, "a", 1.0)


def test_callers_are_apart() -> None:
    """One caller's requests do not count for another."""
    limiter = RateLimiter(Rate(1))
    assert admitted(limiter, "a", 0.0)
    assert not admitted(limiter, "a", 0.5)
    assert admitted(limiter, "b", 0.5)


def test_the_budget_tells_what_is_left() -> None:
    """An admission's budget has what remains, a refusal's the wait; both when all of it is back."""
    limiter = RateLimiter(Rate(2))
    assert limiter.charge("a", 0.0) == Budget(2, remaining=1, reset=1.0, wait=None)
    assert limiter.charge("a", 0.25) == Budget(2, remaining=0, reset=1.0, wait=None)
    assert limiter.charge("a", 0.5) == Budget(2, remaining=0, reset=0.75, wait=0.5)
    assert limiter.charge("a", 1.0) == Budget(2, remaining=0, reset=1.0, wait=None)


@given(st.integers(1, 5), st.lists(st.integers(0, 64), max_size=30))
def test_wait_leads_exactly_to_the_next_admission(limit: int, gaps: list[int]) -> None:
    """A caller is admitted after its wait, and not a moment earlier."""
    limiter, now = RateLimiter(Rate(limit)), 0.0
    for gap in gaps:
        now += gap / 64
        if limiter.allows("a", now):
            limiter.admit("a", now)
    while limiter.allows("a", now):
        limiter.admit("a", now)
    wait = limiter.charge("a", now).wait
    assert wait is not None
    assert wait == limiter.turn("a", now) - now
    assert 0 < wait <= 1
    assert not admitted(limiter, "a", now + wait - 2**-20)
    assert admitted(limiter, "a", now + wait)


@given(st.floats(1, 1e6), st.floats(0, 1, exclude_max=True))
def test_wait_leads_to_the_next_admission_as_floats_add(at: float, later: float) -> None:
    """A sleep for the wait ends at an admission: no rounding of floats leads to another refusal."""
    limiter = RateLimiter(Rate(1))
    assert admitted(limiter, "a", at)
    wait = limiter.charge("a", at + later).wait
    assert wait is None or admitted(limiter, "a", at + later + wait)


@given(
    limit=st.integers(1, 12),
    before=st.lists(st.integers(0, 70), max_size=12),
    burst=st.lists(st.integers(0, 900), min_size=1, max_size=40),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_requests_that_keep_to_their_turns_are_all_admitted(
    limit: int, before: list[int], burst: list[int], chance: float
) -> None:
    """Requests that come back after their waits are all admitted, whatever was admitted before.

    In whole milliseconds, rounded up, as `retry-after-ms` has them.
    """
    limiter, now = RateLimiter(Rate(limit), chance=lambda: chance), 0.0
    for gap in before:
        now += gap / 64
        limiter.charge("a", now)
    while limiter.allows("a", now):
        limiter.admit("a", now)
    due = limiter.turn("a", now)
    told = []
    for at in sorted(now + tick / 1000 for tick in burst):
        if at >= due:
            break
        budget = limiter.charge("a", at)
        assert budget.wait is not None
        told.append(at + math.ceil((budget.wait + budget.spread) * 1000) / 1000)
    assert told == sorted(told)
    assert all(later - earlier >= 1 / limit - 0.001 for earlier, later in pairwise(told))
    assert all(admitted(limiter, "a", at) for at in told)


def test_each_refused_request_gets_a_later_turn() -> None:
    """A burst's turns lie 1/limit apart, and hardly more."""
    limiter = RateLimiter(Rate(5))
    waits = [limiter.charge("a", 10.0).wait for _ in range(40)]
    assert waits[:5] == [None] * 5
    assert waits[5:] == pytest.approx([1 + number * 1.05 / 5 for number in range(35)])


def test_admissions_bunched_at_the_end_of_the_second_are_no_turn() -> None:
    """A turn is when all earlier turns are kept and one more is admitted, not only 1/limit later."""
    limiter = RateLimiter(Rate(5))
    for at in (0.0, 0.9, 0.9, 0.9, 0.9):
        assert admitted(limiter, "a", at)
    told = [0.95 + (limiter.charge("a", 0.95).wait or 0.0) for _ in range(3)]
    assert told == pytest.approx([1.0, 1.9, 2.11])


def test_the_spread_is_that_of_a_whole_sequence() -> None:
    """Sequences of different callers begin apart, by less than 1/limit; within one the turns do not change."""
    chances = iter([0.5, 0.25])
    limiter = RateLimiter(Rate(5), chance=lambda: next(chances))
    for caller in "ab":
        budgets = [limiter.charge(caller, 0.0) for _ in range(8)][5:]
        assert [budget.wait for budget in budgets] == pytest.approx([1.0, 1.21, 1.42])
        assert {budget.spread for budget in budgets} == {0.1 if caller == "a" else 0.05}


@given(limit=st.integers(1, 9), later=st.floats(0, 0.99), chance=st.floats(0, 1, exclude_max=True))
def test_the_spread_is_a_fifth_at_most(limit: int, later: float, chance: float) -> None:
    """And less than 1/limit, however long the wait: for the first turn of a sequence as for the last."""
    limiter = RateLimiter(Rate(limit), chance=lambda: chance)
    budgets = [limiter.charge("a", 0.0) for _ in range(limit)] + [limiter.charge("a", later) for _ in range(9)]
    for budget in budgets[limit:]:
        assert budget.wait is not None
        assert 0 <= budget.spread <= budget.wait * 0.2
        assert budget.spread < 1 / limit


def test_turns_are_forgotten_when_they_have_passed() -> None:
    """Once its turns have passed, kept or not, a caller begins a new sequence."""
    limiter = RateLimiter(Rate(1))
    assert [limiter.charge("a", 0.0).wait for _ in range(4)] == pytest.approx([None, 1.0, 2.05, 3.1])
    assert limiter.charge("a", 3.1).wait is None
    assert limiter.charge("a", 3.5).wait == pytest.approx(0.6)


def test_a_caller_that_ignores_its_turns_gets_a_minute_at_most() -> None:
    """However often it asks; and after a silent minute all that is forgotten."""
    limiter = RateLimiter(Rate(1), chance=lambda: 0.5)
    for number in range(1000):
        budget = limiter.charge("a", number / 1000)
        assert budget.wait is None or 0 < budget.wait + budget.spread <= 60.0 + 1e-9
    assert admitted(limiter, "a", 1.0)  # as ever
    assert limiter.charge("a", 61.1).wait is None
    assert limiter.charge("a", 61.2).wait == pytest.approx(0.9)


def test_turns_ahead_outlive_the_admissions() -> None:
    """A caller's turns are known while they lie ahead, though none of it was admitted in the last second."""
    limiter = RateLimiter(Rate(1))
    for _ in range(10):
        limiter.charge("a", 0.0)
    assert limiter.statistics(5.5).callers == 0
    assert admitted(limiter, "a", 5.5)
    assert limiter.charge("a", 5.5).wait == pytest.approx(1 + 9 * 1.05 - 5.5)


def test_sequences_are_bounded_too() -> None:
    """Refused callers are remembered no longer than their turns, and never more than `max_callers`."""
    limiter = RateLimiter(Rate(1), max_callers=8)
    for number in range(100):
        for _ in range(3):
            limiter.charge(number, number / 1000)
        assert len(limiter._sequences) <= 8
    for _ in range(100):
        limiter.charge("a", 0.2)
    assert limiter._sequences["a"].turns.total == 1
    limiter.charge("b", 100.0)
    assert not limiter._sequences


def test_a_refund_undoes_an_admission() -> None:
    """After a refund the budget is as if the request had not come."""
    limiter = RateLimiter(Rate(2))
    limiter.admit("a", 0.0)
    limiter.admit("a", 0.5)
    limiter.refund("a", 0.5)
    assert limiter.budget("a", 0.5) == Budget(2, remaining=1, reset=0.5)
    limiter.refund("a", 0.0)
    assert limiter.statistics(0.5).callers == 0
    assert limiter.budget("a", 0.5) == Budget(2, remaining=2, reset=0.0)


@given(limit=st.integers(1, 5), gaps=st.lists(st.integers(0, 40), max_size=10), ahead=st.integers(0, 12))
def test_a_turn_behind_others_is_when_it_comes(limit: int, gaps: list[int], ahead: int) -> None:
    """A turn behind others is the time of the admission when each of them goes as early as it may."""
    limiter, now = RateLimiter(Rate(limit)), 0.0
    for gap in gaps:
        now += gap / 64
        limiter.charge("a", now)
    expected = limiter.turn("a", now, ahead)
    for _ in range(ahead):
        now = limiter.turn("a", now)
        assert admitted(limiter, "a", now)
    assert limiter.turn("a", now) == expected


def test_expiry_forgets_silent_callers() -> None:
    """A caller that was silent for a second costs nothing."""
    limiter = RateLimiter(Rate(1))
    for caller in "abc":
        limiter.charge(caller, 0.0)
    assert limiter.statistics(0.75) == RateStats(callers=3, evictions=0)
    assert limiter.statistics(1.0) == RateStats(callers=0, evictions=0)
    assert len(limiter._admissions) == 0


def test_eviction_forgets_the_least_recently_admitted() -> None:
    """Beyond the bound the caller whose last admission is oldest is forgotten, and that is counted."""
    limiter = RateLimiter(Rate(2), max_callers=2)
    for caller in "aba":
        limiter.charge(caller, 0.0)
    limiter.charge("a", 0.0)  # refused: not counted
    limiter.charge("b", 0.25)
    limiter.charge("c", 0.5)  # "a" was admitted last at 0.0, "b" at 0.25
    assert limiter.statistics(0.5) == RateStats(callers=2, evictions=1)
    assert not admitted(limiter, "b", 0.5)
    assert admitted(limiter, "a", 0.5)


def test_a_refusal_does_not_protect_from_eviction() -> None:
    """Only admissions make a caller recent: a caller that hammers while refused is evicted as early as others."""
    limiter = RateLimiter(Rate(1), max_callers=2)
    limiter.charge("a", 0.0)
    limiter.charge("b", 0.25)
    assert not admitted(limiter, "a", 0.5)
    limiter.charge("c", 0.5)
    assert not admitted(limiter, "b", 0.5)
    assert admitted(limiter, "a", 0.5)


def test_a_million_callers_in_bounded_memory() -> None:
    """A million invented callers within four seconds never fill more than 100,000 entries, and are counted."""
    limiter = RateLimiter(Rate(10))
    rate = 250_000
    for number in range(1_000_000):
        limiter.charge(number, number / rate)
        if number % 9_973 == 0:
            assert len(limiter._admissions) <= 100_000
    now = 999_999 / rate
    assert limiter.statistics(now) == RateStats(callers=100_000, evictions=900_000)
    assert limiter.statistics(now + 1).callers == 0


def test_callers_at_an_honest_pace_are_never_evicted() -> None:
    """`max_callers` callers within one second need no eviction, for ever."""
    limiter = RateLimiter(Rate(1), max_callers=128)
    for number in range(10_000):
        limiter.charge(number, number / 128)
    assert limiter.statistics(9_999 / 128) == RateStats(callers=128, evictions=0)


@given(
    old=st.integers(1, 9),
    new=st.integers(1, 9),
    gaps=st.lists(st.integers(0, 30), max_size=12),
    ahead=st.integers(0, 12),
)
def test_after_a_change_the_turn_is_when_it_comes(old: int, new: int, gaps: list[int], ahead: int) -> None:
    """Also while more is counted than the new limit admits: what was admitted before stays counted."""
    limiter, now = RateLimiter(Rate(old)), 0.0
    for gap in gaps:
        now += gap / 64
        limiter.charge("a", now)
    limiter.apply(Rate(new))
    expected = limiter.turn("a", now, ahead)
    for _ in range(ahead):
        now = limiter.turn("a", now)
        assert admitted(limiter, "a", now)
    turn = limiter.turn("a", now)
    assert turn == expected
    assert turn == now or not limiter.allows("a", turn - 2**-20)
    assert admitted(limiter, "a", turn)
    assert limiter.budget("a", turn).remaining >= 0


def test_a_repr_tells_the_state() -> None:
    """A limiter shows its limit and how many callers it knows, but none of them."""
    limiter = RateLimiter(Rate(5))
    limiter.charge("secret", 0.0)
    assert repr(limiter) == "<RateLimiter limit=5/1s callers=1>"


CALLERS = "abcdef"


class RateMachine(RuleBasedStateMachine):
    """The limiter against: count the admissions of the last second in one list of all of them."""

    @initialize(
        limit=st.integers(1, 4), max_callers=st.integers(1, 6), span=st.sampled_from([0.5, 1.0, 4.0, 128.0])
    )
    def begin(self, limit: int, max_callers: int, span: float) -> None:
        self.limit, self.max_callers, self.span = limit, max_callers, span
        self.limiter = RateLimiter(Rate(limit, span), max_callers)
        self.log: list[tuple[str, float]] = []
        self.evictions = 0
        self.now = 0.0
        self.turns: dict[str, list[float]] = {}

    def recent(self, caller: str | None = None) -> list[tuple[str, float]]:
        return [
            (each, at) for each, at in self.log if self.now - self.span < at <= self.now and caller in (None, each)
        ]

    @rule(ticks=st.integers(0, 24))
    def time_passes(self, ticks: int) -> None:
        self.now += ticks / 16

    @precondition(lambda self: self.recent())
    @rule(data=st.data())
    def time_passes_to_an_expiry(self, data: st.DataObject) -> None:
        self.now = data.draw(st.sampled_from(self.recent()))[1] + self.span

    @rule(caller=st.sampled_from(CALLERS), times=st.integers(1, 3))
    def take(self, caller: str, times: int) -> None:
        for _ in range(times):
            mine = self.recent(caller)
            budget = self.limiter.charge(caller, self.now)
            assert budget.limit == self.limit
            if len(mine) >= self.limit:
                # Admitted when fewer than the limit are left, and after earlier turns.
                turn = self.now + (budget.wait or 0.0)
                earliest, planned = mine[-self.limit][1] + self.span, self.planned(caller, mine)
                assert earliest - 1e-9 <= turn <= planned + 1e-9
                if self.max_callers == len(CALLERS):  # none was forgotten
                    assert turn == pytest.approx(planned)
                self.turns[caller].append(turn)
                assert (budget.remaining, budget.reset) == (0, mine[-1][1] + self.span - self.now)
                continue
            assert budget.wait is None
            assert (budget.remaining, budget.reset) == (self.limit - len(mine) - 1, self.span)
            self.log.append((caller, self.now))
            self.forget()

    def planned(self, caller: str, mine: list[tuple[str, float]]) -> float:
        """Return when one more would be admitted, if all requests with a turn keep it."""
        ahead = [at for at in self.turns.setdefault(caller, []) if at > self.now]
        turn = ([at for _, at in mine] + ahead)[-self.limit] + self.span
        later = max(turn, ahead[-1] + 1.05 * self.span / self.limit) if ahead else turn
        return min(later, max(self.now + 60, mine[-self.limit][1] + self.span))

    def forget(self) -> None:
        recent = self.recent()
        known = {caller for caller, _ in recent}
        if len(known) > self.max_callers:
            last = {caller: index for index, (caller, _) in enumerate(recent)}
            oldest = min(known, key=last.__getitem__)
            self.log = [entry for entry in self.log if entry[0] != oldest]
            self.evictions += 1

    @rule()
    def look(self) -> None:
        known = {caller for caller, _ in self.recent()}
        assert self.limiter.statistics(self.now) == RateStats(len(known), self.evictions)

    @invariant()
    def memory_is_bounded(self) -> None:
        assert len(self.limiter._admissions) <= self.max_callers
        assert all(log.total <= self.limit for log in self.limiter._admissions.values())


def test_the_limiter_admits_what_counting_admits() -> None:
    """After any requests the limiter admits what a count of the last second admits."""
    run_state_machine_as_test(
        RateMachine, settings=settings(max_examples=150, stateful_step_count=50, deadline=None)
    )
