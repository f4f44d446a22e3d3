from __future__ import annotations

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

from aibridge_trio.core.rate import Budget, RateLimiter, Statistics


def admitted(limiter: RateLimiter, caller: str, now: float) -> bool:
    return limiter.take(caller, now).wait is None


def test_the_limit_at_once_after_a_silent_second() -> None:
    """A caller that was silent for a second has N at once, and no more."""
    limiter = RateLimiter(3)
    assert [admitted(limiter, "a", 5.0) for _ in range(5)] == [True, True, True, False, False]
    assert [admitted(limiter, "a", 6.0) for _ in range(5)] == [True, True, True, False, False]


def test_an_admission_stops_counting_exactly_one_second_later() -> None:
    """A hair before the second is over the caller is refused, at the second admitted."""
    limiter = RateLimiter(1)
    assert admitted(limiter, "a", 0.0)
    assert not admitted(limiter, "a", 1 - 2**-30)
    assert admitted(limiter, "a", 1.0)


@given(st.floats(0, 1e6))
@example(0.9)  # 0.9 + 1 − 1 < 0.9
def test_one_second_later_as_floats_add(at: float) -> None:
    """At the very instant that a sleep of one second ends the caller is admitted, wherever the clock began."""
    limiter = RateLimiter(2)
    assert [admitted(limiter, "a", at) for at in (at, at + 0.5, at + 0.5)] == [True, True, False]
    assert admitted(limiter, "a", at + 1.0)
    assert limiter.statistics(at + 1.0 + 1.0).callers == 0


def test_no_second_ever_holds_more_than_the_limit() -> None:
    """Bursts round a boundary do not add up (GCRA and token buckets admit up to 2N − 1)."""
    limiter = RateLimiter(10)
    times = [tick / 64 for tick in range(64 * 5) if admitted(limiter, "a", tick / 64)]
    assert all(sum(start <= at < start + 1 for at in times) <= 10 for start in times)
    assert len(times) == 50


def test_a_refused_request_counts_nothing() -> None:
    """A caller that hammers meanwhile is admitted as early as one that waits."""
    limiter = RateLimiter(1)
    assert admitted(limiter, "a", 0.0)
    assert not any(admitted(limiter, "a", tick / 1024) for tick in range(1024))
    assert admitted(limiter, "a", 1.0)


def test_callers_are_apart() -> None:
    """One caller's budget is nobody else's."""
    limiter = RateLimiter(1)
    assert admitted(limiter, "a", 0.0)
    assert not admitted(limiter, "a", 0.5)
    assert admitted(limiter, "b", 0.5)


def test_the_budget_tells_what_is_left() -> None:
    """An admission tells what remains, a refusal when the next comes and when all of it is back."""
    limiter = RateLimiter(2)
    assert limiter.take("a", 0.0) == Budget(2, remaining=1, reset=1.0, wait=None)
    assert limiter.take("a", 0.25) == Budget(2, remaining=0, reset=1.0, wait=None)
    assert limiter.take("a", 0.5) == Budget(2, remaining=0, reset=0.75, wait=0.5)
    assert limiter.take("a", 1.0) == Budget(2, remaining=0, reset=1.0, wait=None)


@given(st.integers(1, 5), st.lists(st.integers(0, 64), max_size=30))
def test_wait_leads_exactly_to_the_next_admission(limit: int, gaps: list[int]) -> None:
    """Who waits as told is admitted; who comes a hair earlier is not."""
    limiter, now = RateLimiter(limit), 0.0
    for gap in gaps:
        now += gap / 64
        limiter.take("a", now)
    wait = [limiter.take("a", now).wait for _ in range(limit + 1)][-1]
    assert wait is not None
    assert 0 < wait <= 1
    assert not admitted(limiter, "a", now + wait - 2**-20)
    assert admitted(limiter, "a", now + wait)


@given(st.floats(1, 1e6), st.floats(0, 1, exclude_max=True))
def test_wait_leads_to_the_next_admission_as_floats_add(at: float, later: float) -> None:
    """A sleep as long as told ends at an admission: no rounding sends the caller away again."""
    limiter = RateLimiter(1)
    assert admitted(limiter, "a", at)
    wait = limiter.take("a", at + later).wait
    assert wait is None or admitted(limiter, "a", at + later + wait)


def test_expiry_forgets_silent_callers() -> None:
    """A caller that was silent for a second costs nothing."""
    limiter = RateLimiter(1)
    for caller in "abc":
        limiter.take(caller, 0.0)
    assert limiter.statistics(0.75) == Statistics(callers=3, evictions=0)
    assert limiter.statistics(1.0) == Statistics(callers=0, evictions=0)
    assert len(limiter._admissions) == 0


def test_eviction_forgets_the_least_recently_admitted() -> None:
    """Beyond the bound the caller whose last admission is oldest is forgotten, and that is counted."""
    limiter = RateLimiter(2, max_callers=2)
    for caller in "aba":
        limiter.take(caller, 0.0)
    limiter.take("a", 0.0)  # refused: that makes nobody more recent
    limiter.take("b", 0.25)
    limiter.take("c", 0.5)  # "a" was admitted last at 0.0, "b" at 0.25
    assert limiter.statistics(0.5) == Statistics(callers=2, evictions=1)
    assert not admitted(limiter, "b", 0.5)
    assert admitted(limiter, "a", 0.5)


def test_a_refusal_does_not_protect_from_eviction() -> None:
    """Only admissions make a caller recent: who hammers while refused is forgotten as early as who waits."""
    limiter = RateLimiter(1, max_callers=2)
    limiter.take("a", 0.0)
    limiter.take("b", 0.25)
    assert not admitted(limiter, "a", 0.5)
    limiter.take("c", 0.5)
    assert not admitted(limiter, "b", 0.5)
    assert admitted(limiter, "a", 0.5)


def test_a_million_callers_in_bounded_memory() -> None:
    """A million invented callers within four seconds never fill more than 100,000 entries, and are counted."""
    limiter = RateLimiter(10)
    rate = 250_000
    for number in range(1_000_000):
        limiter.take(number, number / rate)
        if number % 9_973 == 0:
            assert len(limiter._admissions) <= 100_000
    now = 999_999 / rate
    assert limiter.statistics(now) == Statistics(callers=100_000, evictions=900_000)
    assert limiter.statistics(now + 1).callers == 0


def test_callers_at_an_honest_pace_are_never_evicted() -> None:
    """As many callers as there is room for within one second need no eviction, for ever."""
    limiter = RateLimiter(1, max_callers=128)
    for number in range(10_000):
        limiter.take(number, number / 128)
    assert limiter.statistics(9_999 / 128) == Statistics(callers=128, evictions=0)


def test_a_repr_tells_the_state() -> None:
    """A limiter shows its limit and how many callers it knows, but none of them."""
    limiter = RateLimiter(5)
    limiter.take("secret", 0.0)
    assert repr(limiter) == "<RateLimiter limit=5/s callers=1>"


class RateMachine(RuleBasedStateMachine):
    """The limiter against: count the admissions of the last second in one list of all of them."""

    @initialize(limit=st.integers(1, 4), max_callers=st.integers(1, 6))
    def begin(self, limit: int, max_callers: int) -> None:
        self.limit, self.max_callers = limit, max_callers
        self.limiter = RateLimiter(limit, max_callers)
        self.log: list[tuple[str, float]] = []
        self.evictions = 0
        self.now = 0.0

    def recent(self, caller: str | None = None) -> list[tuple[str, float]]:
        return [(who, at) for who, at in self.log if self.now - 1 < at <= self.now and caller in (None, who)]

    @rule(ticks=st.integers(0, 24))
    def time_passes(self, ticks: int) -> None:
        self.now += ticks / 16

    @precondition(lambda self: self.recent())
    @rule(data=st.data())
    def time_passes_to_an_expiry(self, data: st.DataObject) -> None:
        self.now = data.draw(st.sampled_from(self.recent()))[1] + 1

    @rule(caller=st.sampled_from("abcdef"), times=st.integers(1, 3))
    def take(self, caller: str, times: int) -> None:
        for _ in range(times):
            mine = self.recent(caller)
            budget = self.limiter.take(caller, self.now)
            assert budget.limit == self.limit
            if len(mine) >= self.limit:
                # Admitted when so many have expired that fewer than the limit are left.
                assert budget.wait == mine[-self.limit][1] + 1 - self.now
                assert (budget.remaining, budget.reset) == (0, mine[-1][1] + 1 - self.now)
                continue
            assert budget.wait is None
            assert (budget.remaining, budget.reset) == (self.limit - len(mine) - 1, 1.0)
            self.log.append((caller, self.now))
            self.forget()

    def forget(self) -> None:
        recent = self.recent()
        known = {who for who, _ in recent}
        if len(known) > self.max_callers:
            last = {who: index for index, (who, _) in enumerate(recent)}
            oldest = min(known, key=last.__getitem__)
            self.log = [entry for entry in self.log if entry[0] != oldest]
            self.evictions += 1

    @rule()
    def look(self) -> None:
        known = {who for who, _ in self.recent()}
        assert self.limiter.statistics(self.now) == Statistics(len(known), self.evictions)

    @invariant()
    def memory_is_bounded(self) -> None:
        assert len(self.limiter._admissions) <= self.max_callers
        assert all(len(times) <= self.limit for times in self.limiter._admissions.values())


def test_the_limiter_admits_what_counting_admits() -> None:
    """In any story of callers and time the limiter admits what counting the last second admits."""
    run_state_machine_as_test(
        RateMachine, settings=settings(max_examples=150, stateful_step_count=50, deadline=None)
    )
