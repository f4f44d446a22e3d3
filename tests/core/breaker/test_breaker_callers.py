"""Failures that their callers may have caused."""

from __future__ import annotations

import pytest

from aibridge_trio.core.breaker.breaker import State
from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.breaker.verdict import NEUTRAL, SUCCESS, Evidence, Verdict
from tests.support.breaker_lab import BROKEN, OVERLOAD, Lab

LIMITED = Evidence(Verdict.FAILURE, "429", overload=True, quota=True, caller_related=True)
LATE = Evidence(Verdict.FAILURE, "no head in time", caller_related=True)


@pytest.mark.parametrize("evidence", [LIMITED, LATE])
def test_one_callers_own_failures_open_nothing_while_another_is_answered(evidence: Evidence) -> None:
    """However many they are, for as long as another caller's success lies in the window."""
    lab = Lab()
    for now in range(0, 3600, 9):
        lab.meet("other", SUCCESS, now)
        lab.meet("one", evidence, *[now + 8.5] * 20, retry_after=300.0)
    assert lab.path == []
    assert lab.breaker.statistics(3600.0).failures_in_window == 0


@pytest.mark.parametrize("evidence", [LIMITED, LATE])
@pytest.mark.parametrize("who", ["none", "the same", "long ago", "neutral", "failed"])
def test_with_no_other_caller_there_they_trip_as_ever(evidence: Evidence, who: str) -> None:
    """Another caller is present only if it was answered within the window."""
    lab = Lab()
    match who:
        case "the same":
            lab.meet("one", SUCCESS, 9.0)
        case "long ago":
            lab.meet("other", SUCCESS, 0.0)
        case "neutral":
            lab.meet("other", NEUTRAL, 9.0)
        case "failed":
            lab.meet("other", OVERLOAD, 9.0)
    lab.meet("one", evidence, 10.0, 10.0, 10.0, 10.0)
    if who != "failed":
        assert lab.path == []
        lab.meet("one", evidence, 10.0)
    assert lab.path == ["open"]


def test_others_failures_always_count() -> None:
    """503s open it, whichever caller gets them and whichever is answered."""
    lab = Lab()
    lab.meet("other", SUCCESS, 0.0)
    lab.meet("one", LIMITED, *[0.0] * 20)
    lab.meet("one", OVERLOAD, 1.0, 1.0, 1.0, 1.0)
    assert lab.path == []
    lab.meet("one", BROKEN, 1.0)
    assert lab.path == ["open"]


def test_own_failures_do_not_push_others_out_of_the_window() -> None:
    """Failures that do not count do not displace those that do."""
    lab = Lab()
    lab.meet("other", SUCCESS, 0.0)
    lab.fail(1, 1, 1, 1)
    lab.meet("one", LIMITED, *[2.0] * 50)
    lab.fail(3)
    assert lab.path == ["open"]


def test_two_callers_own_failures_count() -> None:
    """Caller-related failures of two callers all count."""
    lab = Lab()
    lab.meet("third", SUCCESS, 0.0)
    lab.meet("one", LIMITED, 1, 1, 1, 1, 1, 1)
    assert lab.path == []
    lab.meet("two", LIMITED, 2)
    assert lab.transitions[-1].because == "5 failures in 10 s, last 429"


def test_failures_of_long_ago_make_no_second_caller() -> None:
    """Another caller's failure no longer counts when it is older than the window."""
    lab = Lab()
    lab.meet("two", LIMITED, 0)
    lab.meet("third", SUCCESS, 9)
    lab.meet("one", LIMITED, *[10] * 9)
    assert lab.path == []


def test_what_does_not_count_says_nothing_of_when_to_come_back() -> None:
    """If 503s open it, the hint of one caller's 429 does not extend the cooldown; nor does a stale one."""
    lab = Lab(BreakerPolicy())
    slow = lab.admitted(0.0, "one")
    lab.meet("other", SUCCESS, 0.0)
    lab.meet("one", LIMITED, 1, 1, retry_after=300.0)
    lab.fail(*[2] * 5)
    lab.settle(slow, LIMITED, 3.0, retry_after=300.0)
    assert lab.breaker.statistics(3.0).cooldown_left == 29.0


def test_one_caller_does_not_keep_it_open() -> None:
    """In half-open, one caller's failures do not reopen it if others were refused meanwhile: those may probe."""
    lab = Lab(BreakerPolicy())
    lab.meet("one", LIMITED, *[0] * 5, retry_after=300.0)
    assert lab.refused(10.0, "other").wait == 290.0
    lab.meet("one", LIMITED, 300, 301, 302, retry_after=300.0)
    assert lab.state(303) is State.HALF_OPEN
    lab.meet("other", SUCCESS, 340, 341)
    lab.meet("one", LIMITED, 342, retry_after=300.0)
    lab.meet("other", SUCCESS, 343)
    lab.meet("one", LIMITED, *[343] * 9, retry_after=300.0)
    assert lab.state(343) is State.CLOSED


def test_one_caller_alone_reopens_it() -> None:
    """Without another caller its failures are the only evidence, and count."""
    lab = Lab(BreakerPolicy())
    lab.meet("one", LIMITED, *[0] * 5)
    lab.refused(10.0, "one")
    lab.meet("one", LIMITED, 30)
    assert lab.path == ["open", "half-open", "open"]


def test_who_was_refused_is_expected_for_so_long() -> None:
    """Until its wait, a fifth of it and a window are over; after that no other caller is present."""
    lab = Lab(BreakerPolicy())
    lab.fail(*[0] * 5)
    lab.refused(10.0, "other")  # 20 s: from 30 to 34 s
    lab.meet("one", LIMITED, 43.75)
    assert lab.state(43.75) is State.HALF_OPEN
    lab.meet("one", LIMITED, 44)
    assert lab.state(44) is State.OPEN


def test_two_callers_reopen_it() -> None:
    """If two callers' probes fail, the failures count."""
    lab = Lab(BreakerPolicy())
    lab.fail(*[0] * 5)
    lab.refused(10.0, "one")
    lab.refused(10.0, "two")
    lab.meet("one", LIMITED, 31)
    assert lab.state(31) is State.HALF_OPEN
    lab.meet("two", LIMITED, 32)
    assert lab.state(32) is State.OPEN


def test_a_callers_refusal_is_forgotten_when_it_closes() -> None:
    """While closed, only answers show that another caller is present."""
    lab = Lab(BreakerPolicy())
    lab.fail(*[0] * 5)
    lab.refused(29.0, "other")
    lab.meet("one", SUCCESS, 30, 30, 30)
    lab.meet("one", LIMITED, *[31] * 5)
    assert lab.state(31) is State.OPEN


def test_in_a_row_is_forgotten_with_health() -> None:
    """While it is closed, the number of trips in a row shrinks by one for each cooldown."""
    lab = Lab(BreakerPolicy())
    now = 0.0
    for _ in range(100):
        while lab.state(now) is not State.OPEN:
            lab.fail(now)
        now += lab.breaker.statistics(now).cooldown_left or 0.0
    assert lab.breaker.statistics(now).in_a_row == 100
    for _ in range(3):
        lab.settle(lab.admitted(now), SUCCESS, now)
    found = [lab.breaker.statistics(now + seconds).in_a_row for seconds in (0, 29, 30, 90, 30 * 63, 30 * 64, 1e9)]
    assert found == [100, 100, 99, 97, 37, 0, 0]
