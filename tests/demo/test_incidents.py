"""The course of the demo."""

from __future__ import annotations

import pytest

from aibridge_trio.demo.incidents import COURSE, RATE, SLOTS, incident_at, patience


def test_the_course_fills_the_demo() -> None:
    """Each time has its incident, and the last one goes on to the end."""
    assert sum(each.share for each in COURSE) == pytest.approx(1)
    assert [incident_at(share).name for share in (0, 0.1, 0.2, 0.4, 0.6, 0.9999)] == [
        *("calm", "calm", "brownout", "outage", "back", "back"),
    ]
    assert incident_at(1.0) is COURSE[-1]


def test_only_the_incidents_are_too_much_for_the_callers() -> None:
    """Requests come at less than the slots can answer in calm, at more than they can in the brownout."""
    calm, brownout, outage, back = COURSE
    assert calm.options == back.options
    service = calm.options.latency + calm.options.tokens / calm.options.tokens_per_second
    assert calm.options.slots / service == pytest.approx(2 * RATE)
    assert brownout.options.slots == SLOTS / 4 < RATE * service
    assert outage.options.fail == ((503, 1.0),)


@pytest.mark.parametrize("seconds", [1, 30, 120])
def test_callers_wait_for_longer_than_the_incidents(seconds: float) -> None:
    """So a request of the outage's first moment can still be answered after it."""
    assert patience(seconds) >= max(20, (0.2 + 0.2) * seconds)
