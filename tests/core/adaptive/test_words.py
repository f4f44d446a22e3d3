"""What a limiter has learned, as text."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.adaptive.entry import Entry, Pushback
from aibridge_trio.core.adaptive.governor import GovernorStats
from aibridge_trio.core.adaptive.limiter import AdaptiveLimiter, AdaptiveStats
from aibridge_trio.core.adaptive.words import limits, line

NOTHING = AdaptiveStats(
    governor=GovernorStats(
        active=False,
        level=0,
        starts=0,
        bound=math.inf,
        window=math.inf,
        pace=math.inf,
        by_tokens=False,
        background=0.05,
        outage=False,
        resumes_in=0.0,
        cause=None,
        cause_level=0,
        ago=math.inf,
    ),
    held=0,
    callers=0,
    rate=0.0,
    paced_keys=0,
    budget=30.0,
    pushbacks=0,
    resends=0,
    unfunded=0,
)


def learned(cause: str | None = "529", **governor: Any) -> AdaptiveStats:
    """Return what is known 3.2 s after a pushback at 42."""
    known = {"active": True, "cause": cause, "cause_level": 42, "ago": 3.2, **governor}
    return replace(NOTHING, governor=replace(NOTHING.governor, **known))


def test_where_nothing_limits_nothing_is_said() -> None:
    """Before the first pushback, and after it while it limits nothing."""
    assert limits(NOTHING) == limits(learned()) == line(NOTHING) == ""


def test_a_bound_says_what_was_pushed_back_at_which_level() -> None:
    """And when."""
    assert limits(learned(bound=41)) == "41 in flight learned, 529 at 42, 3 s ago"
    assert limits(learned("overload", bound=41), age=4.0) == "41 in flight learned, overload event at 42, 7 s ago"
    assert limits(learned("refused", bound=0, ago=125.0)) == "0 in flight learned, no connection at 42, 2 min ago"


def test_a_pace_is_of_a_quota() -> None:
    """With a fraction where it is small."""
    assert limits(learned("429", pace=66.4)) == "paced at 66/s, quota, 429 at 42, 3 s ago"
    assert limits(learned("429", pace=0.253)) == "paced at 0.25/s, quota, 429 at 42, 3 s ago"
    assert limits(learned("429", pace=1234.5)) == "paced at 1,234/s, quota, 429 at 42, 3 s ago"
    assert limits(learned("429", pace=1234.5, by_tokens=True)).startswith("paced at 1,234 tokens/s, quota, ")
    assert limits(learned("429", pace=9.0, bound=41)).startswith("41 in flight learned, paced at 9/s, quota, ")


def test_an_outage_says_when_the_canary_goes() -> None:
    """In so many seconds, rounded up; or it is under way; or the next request is the canary."""
    assert limits(learned(outage=True, resumes_in=1.2, window=1.0)) == "outage, canary in 2 s, 529 at 42, 3 s ago"
    assert limits(learned(outage=True, starts=1)) == "outage, canary sent, 529 at 42, 3 s ago"
    assert limits(learned(outage=True, resumes_in=1.2), age=1.5).startswith("outage, canary next, ")


def test_a_hint_of_the_provider_is_shown() -> None:
    """Until it is over; before the first pushback it is what headers tell of a quota."""
    assert limits(learned("429", resumes_in=11.1)) == "next start in 12 s, 429 at 42, 3 s ago"
    assert limits(learned("429", resumes_in=11.1), age=11.2) == ""
    assert limits(learned(None, resumes_in=11.1)) == "next start in 12 s"


def test_the_window_is_named_where_it_limits() -> None:
    """As many starts as may be."""
    assert limits(learned(window=4.5, starts=4)) == ""
    assert limits(learned(window=4.0, starts=4)) == "4 may start at once, 529 at 42, 3 s ago"


def test_pushbacks_at_any_load_are_named_while_they_come() -> None:
    """From a tenth on; and not when what was learned is forgotten."""
    assert limits(learned(background=0.33)) == "33% pushed back at any load, 529 at 42, 3 s ago"
    assert limits(learned(background=0.09)) == limits(learned(background=0.33, active=False)) == ""


def test_own_keys_are_counted() -> None:
    """Their paces are their own."""
    assert limits(replace(NOTHING, paced_keys=1)) == "1 own key paced"
    assert limits(replace(NOTHING, paced_keys=2)) == "2 own keys paced"


def test_the_line_is_requests_and_callers() -> None:
    """One of each has no plural."""
    assert line(replace(NOTHING, held=1, callers=1)) == "1 held of 1 caller"
    assert line(replace(NOTHING, held=9876, callers=1000)) == "9,876 held of 1,000 callers"


@given(st.lists(st.tuples(st.sampled_from(["529", "429", "ok"]), st.floats(0, 700)), max_size=40), st.floats(0, 9))
def test_words_are_of_what_limits(steps: list[tuple[str, float]], age: float) -> None:
    """There is a text if it has a bound, a pace or an outage, on one short line."""
    limiter, now = AdaptiveLimiter(lambda _: None, lambda: 0.5, 0.0), 0.0
    for what, pause in steps:
        entry = Entry("a", deadline=-1.0)
        if limiter.enter(entry, now):
            now += 0.1
            if what == "ok":
                limiter.accepted(entry, now)
            else:
                limiter.pushed_back(entry, Pushback(what, what == "429", 2.0 if what == "429" else None), now)
        limiter.leave(entry, now)
        stats = limiter.statistics(now)
        governor = stats.governor
        text = limits(stats, age)
        if governor.outage or min(governor.bound, governor.pace) < math.inf:
            assert text.endswith(" ago")
        assert len(text) < 140
        assert text.isprintable()
        assert "inf" not in text.replace("in flight", "")
        now += pause
