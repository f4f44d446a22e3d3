"""The adaptive limiter, composed."""

from __future__ import annotations

import pytest

from aibridge_trio.core.adaptive.entry import Entry, Pushback, Stage
from aibridge_trio.core.adaptive.limiter import AdaptiveLimiter

_529 = Pushback("529")


def limiter(woken: list[Entry]) -> AdaptiveLimiter:
    """Return a limiter without jitter, which appends what it wakes."""
    return AdaptiveLimiter(woken.append, lambda: 0.5, 0.0)


def test_on_a_quiet_day_every_request_goes_up_at_once() -> None:
    """Nothing is learned and nothing waits."""
    woken: list[Entry] = []
    quiet = limiter(woken)
    entries = [Entry(number % 3, came=0.0) for number in range(500)]
    assert all(quiet.enter(entry, 0.0) for entry in entries)
    for entry in entries:
        quiet.accepted(entry, 1.0)
        quiet.leave(entry, 2.0)
    assert not quiet.active
    assert (quiet.governor.level, woken) == (0, [])


def test_a_pushed_back_request_is_held_and_goes_up_again_before_its_callers_others() -> None:
    """Its caller waits, and gets an answer."""
    woken: list[Entry] = []
    adaptive = limiter(woken)
    running, first, second = Entry("a"), Entry("a", came=1.0), Entry("a", came=2.0)
    assert adaptive.enter(running, 0.0)
    adaptive.accepted(running, 0.5)
    assert adaptive.enter(first, 1.0)
    assert adaptive.pushed_back(first, _529, 1.1)
    assert first.stage is Stage.HELD
    assert not adaptive.enter(second, 2.0)
    adaptive.leave(running, 2.5)
    assert woken == [first]
    assert (first.stage, second.stage) == (Stage.STARTING, Stage.HELD)


def test_a_caller_that_leaves_while_held_is_never_sent() -> None:
    """And its patience is learned."""
    woken: list[Entry] = []
    adaptive = limiter(woken)
    running, held = Entry("a"), Entry("b", came=1.0)
    adaptive.enter(running, 0.0)
    adaptive.accepted(running, 0.5)
    adaptive.enter(held, 1.0)
    assert adaptive.pushed_back(held, _529, 1.1)
    adaptive.leave(held, 31.0, gone=True)
    adaptive.leave(held, 31.0, gone=True)
    adaptive.leave(running, 32.0)
    adaptive.advance(100.0)
    assert woken == []
    assert adaptive.statistics(100.0).held == 0


def test_the_callers_answer_is_the_providers_when_the_budget_is_used_up() -> None:
    """A provider that pushes everything back at chance does not get twice the calls."""
    woken: list[Entry] = []
    adaptive = limiter(woken)
    passed = 0
    for number in range(400):
        entry = Entry(number, came=number / 100)
        adaptive.governor.outage = False
        if adaptive.enter(entry, number / 100):
            passed += not adaptive.pushed_back(entry, Pushback("429", quota=True, retry_after=0.001), number / 100)
            adaptive.leave(entry, number / 100)
    assert adaptive.statistics(4.0).unfunded == passed


def test_a_limited_key_holds_its_own_requests_and_no_others() -> None:
    """A quota is its key's."""
    woken: list[Entry] = []
    adaptive = limiter(woken)
    limited = Entry("a", key="a")
    adaptive.enter(limited, 0.0)
    assert adaptive.pushed_back(limited, Pushback("429", quota=True, retry_after=10.0), 0.1)
    other = Entry("b", key="b", came=1.0)
    assert adaptive.enter(other, 1.0)
    assert 10.0 <= adaptive.next_due(1.0) < 12.0
    adaptive.advance(12.0)
    assert woken == [limited]


def test_a_request_is_not_held_for_a_provider_that_resumes_after_its_hold_ends() -> None:
    """Waiting does not mend a quota that is spent for an hour: its caller gets the answer and the hint."""
    spent = Pushback("429", quota=True, retry_after=3600.0)
    for key in (None, "a"):
        adaptive = limiter([])
        entry = Entry("a", key=key, deadline=290.0)
        adaptive.enter(entry, 0.0)
        assert not adaptive.pushed_back(entry, spent, 1.0)
        assert entry.stage is Stage.OUTSIDE
        stats = adaptive.statistics(1.0)
        assert (stats.held, stats.resends, stats.unfunded, stats.governor.level) == (0, 0, 0, 0)


def test_what_a_callers_own_quota_refuses_is_charged_to_the_budget_in_an_outage_too() -> None:
    """Only canaries are free: a provider that says 503 to one and 429 to all others gets no call more."""
    adaptive = limiter([])
    adaptive.governor.outage = True
    held, now = 0, 0.0
    for number in range(200):
        entry = Entry(number, key=number, came=now)
        if adaptive.enter(entry, now):
            held += adaptive.pushed_back(entry, Pushback("429", quota=True, retry_after=100.0), now)
    assert held <= 30 + 20


def test_the_time_until_answers_begin_counts_from_the_last_time_that_a_request_was_sent() -> None:
    """What a request waited in the line is no part of it."""
    limiter = AdaptiveLimiter(lambda _: None, lambda: 0.5, 0.0)
    impatient = Entry("a")
    assert limiter.enter(impatient, 0.0)
    limiter.leave(impatient, 100.0, gone=True)
    before = limiter._patience.expected("a")
    entry = Entry("b", came=50.0)
    assert limiter.enter(entry, 100.0)
    limiter.accepted(entry, 120.0)
    assert limiter._patience.expected("a") == pytest.approx(before - 0.05 * (1.2 * 20.0 - 1.0))


def test_answers_are_counted_once_whether_anything_is_learned_or_not() -> None:
    """Nine a second begin, quiet or not: a refusal of a caller's own quota counts none of them again."""
    each = limiter([])
    hinted = Pushback("429", quota=True, retry_after=1.0)
    for second in range(20):
        for number in range(9):
            answered = Entry(number, came=second)
            assert each.enter(answered, second)
            each.accepted(answered, second + 0.5)
            each.leave(answered, second + 0.6)
        if second >= 10:
            refused = Entry("limited", f"key {second}", came=second, deadline=second)
            assert each.enter(refused, second + 0.7)
            assert not each.pushed_back(refused, hinted, second + 0.8)
        if second:
            assert each.statistics(second + 0.9).rate == pytest.approx(9.0, rel=0.2)


def test_a_request_that_the_limiter_would_take_goes_up_at_once() -> None:
    """`takes` says what `enter` would do, and changes nothing."""
    adaptive = limiter([])
    assert adaptive.takes(0.0, None, 0.0)
    assert adaptive.turn(0.0) == 0.0
    running, refused = Entry("a"), Entry("a", came=1.0)
    adaptive.enter(running, 0.0)
    adaptive.accepted(running, 0.5)
    adaptive.enter(refused, 1.0)
    adaptive.pushed_back(refused, Pushback("529", retry_after=10.0), 1.1)
    assert not adaptive.takes(0.0, None, 1.2)
    assert adaptive.turn(1.2) >= 1.0
    assert refused.stage is Stage.HELD
    adaptive.leave(refused, 2.0)
    assert adaptive.takes(0.0, None, 60.0) == adaptive.enter(Entry("b", came=60.0), 60.0)
