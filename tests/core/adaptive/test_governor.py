"""What a governor learns."""

from __future__ import annotations

import math

from aibridge_trio.core.adaptive.entry import Pushback
from aibridge_trio.core.adaptive.governor import Governor

_529 = Pushback("529")


def governor() -> Governor:
    """Return a governor without jitter."""
    return Governor(lambda: 0.5)


def test_a_governor_without_a_pushback_has_capacity_for_all() -> None:
    """A quiet day."""
    quiet = governor()
    for _ in range(1000):
        assert quiet.has_capacity(0.0)
        quiet.sent()
    assert not quiet.active
    assert quiet.next_due(0.0) == math.inf


def test_an_outage_lets_one_canary_at_a_time_up_after_growing_pauses() -> None:
    """And the first accepted start ends it."""
    ill, now, pauses = governor(), 0.0, []
    while now < 30.0:
        if not ill.has_capacity(now):
            due = ill.next_due(now)
            if ill.outage:
                pauses.append(due - now)
            now = due
            continue
        level, sent_at = ill.sent(), now
        now += 0.1
        ill.ended(answering=False)
        ill.pushed_back(_529, level, sent_at, now)
    assert ill.window == 1
    assert max(pauses) <= 3.0
    assert pauses[0] < pauses[1] < pauses[2]
    ill.accepted(ill.sent(), now, now)
    assert ill.statistics(now).outage is False
    assert ill.statistics(now).window == 2


def test_a_hint_of_the_provider_holds_back_for_as_long() -> None:
    """Its word comes before the governor's pauses."""
    limited = governor()
    limited.sent()
    limited.ended(answering=False)
    limited.quota_refused(Pushback("429", quota=True, retry_after=20.0), 1, 0.0, 1.0)
    assert not limited.has_capacity(20.9)
    assert limited.next_due(2.0) >= 21.0
