"""What a governor learns."""

from __future__ import annotations

import math
from itertools import pairwise

from aibridge_trio.core.adaptive.entry import Pushback
from aibridge_trio.core.adaptive.governor import Governor
from aibridge_trio.core.quota import Left

_529 = Pushback("529")


def governor() -> Governor:
    """Return a governor without jitter."""
    return Governor(lambda: 0.5)


def test_a_governor_without_a_pushback_has_capacity_for_all() -> None:
    """A quiet day."""
    quiet = governor()
    for _ in range(1000):
        assert quiet.has_capacity(0.0)
        quiet.sent(0.0)
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
        level, sent_at = ill.sent(now), now
        now += 0.1
        ill.ended(answering=False)
        ill.pushed_back(_529, level, sent_at, now)
    assert ill.window == 1
    assert max(pauses) <= 3.0
    assert pauses[0] < pauses[1] < pauses[2]
    ill.accepted(ill.sent(now), now, now)
    assert ill.statistics(now).outage is False
    assert ill.statistics(now).window == 2


def test_a_hint_of_the_provider_holds_back_for_as_long() -> None:
    """Its word comes before the governor's pauses."""
    limited = governor()
    limited.sent(0.0)
    limited.ended(answering=False)
    limited.quota_refused(Pushback("429", quota=True, retry_after=20.0), 1, 0.0, 1.0)
    assert not limited.has_capacity(20.9)
    assert limited.next_due(2.0) >= 21.0
    assert limited.statistics(2.0).resumes_in >= 19.0


def in_outage() -> tuple[Governor, float]:
    """Return a governor in an outage whose next canary may go up, and the time."""
    ill, now = governor(), 0.0
    while not ill.outage:
        level, sent_at = ill.sent(now), now
        now += 0.1
        ill.ended(answering=False)
        ill.pushed_back(_529, level, sent_at, now)
        now = max(now, ill.resumes_at)
    return ill, now


def test_a_canary_that_hangs_does_not_hold_up_all_until_its_timeout() -> None:
    """One more goes up every five seconds: the first may hang for ten minutes."""
    ill, now = in_outage()
    assert ill.has_capacity(now)
    sent = []
    while now < 60.0:
        if ill.has_capacity(now):
            ill.sent(now)
            sent.append(now)
        now = ill.next_due(now)
    assert [round(later - earlier, 6) for earlier, later in pairwise(sent)] == [5.0] * (len(sent) - 1)
    assert len(sent) > 8


def test_a_success_of_a_start_from_before_the_outage_does_not_end_it() -> None:
    """It says nothing of how the provider takes requests now; a canary's does."""
    ill, now = in_outage()
    early = ill.sent(now - 50.0)
    ill.accepted(early, now - 50.0, now)
    assert ill.outage
    assert ill.window == 1
    canary = ill.sent(now)
    ill.accepted(canary, now, now + 1.0)
    assert not ill.outage


def test_a_canary_whose_caller_leaves_says_nothing() -> None:
    """The next one may go up at once, and the pauses stay as long."""
    ill, now = in_outage()
    ill.sent(now)
    assert not ill.has_capacity(now + 1.0)
    ill.ended(answering=False)
    assert ill.has_capacity(now + 1.0)
    assert ill.outage


def test_absurd_hints_hold_back_for_minutes_at_most() -> None:
    """A provider's mistake must not close the bridge for years; a hint of nothing is none."""
    for hint in (0.0, 1e9, math.inf):
        limited = governor()
        limited.sent(0.0)
        limited.ended(answering=False)
        limited.quota_refused(Pushback("429", quota=True, retry_after=hint), 1, 0.0, 1.0)
        assert limited.resumes_at <= 1.0 + 300.0 * 1.1


def test_a_429_is_about_a_rate_if_it_has_a_hint_and_came_at_different_levels() -> None:
    """Refusals at ever the same level are about concurrency; other pushbacks say nothing of it."""
    hinted = Pushback("429", quota=True, retry_after=1.0)
    even = governor()
    assert [even.is_about_rate(hinted, level) for level in (20, 21, 20, 20)] == [True, True, True, False]
    wide = governor()
    assert all(wide.is_about_rate(hinted, level) for level in (20, 30, 5, 12, 40))
    assert not wide.is_about_rate(Pushback("429", quota=True), 20)
    mixed = governor()
    for _ in range(8):
        assert not mixed.is_about_rate(_529, 20)
    assert mixed.is_about_rate(hinted, 20)


def test_a_429_at_a_level_that_is_accepted_elsewhere_is_about_a_rate() -> None:
    """A pace keeps the level steady, so that its quota's refusals come at one level; the pace must fall then."""
    hinted = Pushback("429", quota=True, retry_after=1.0)
    paced = governor()
    now = 0.0
    for number in range(12):
        now += 2.0
        for level in (3, 4, 5, 6, 5, 4):
            now += 1.0
            paced.sent(now)
            paced.accepted(level, now, now + 0.5)
            paced.ended(answering=True)
        sent_at, level = now + 1.0, 4 + number % 2
        paced.sent(sent_at)
        paced.ended(answering=False)
        now = sent_at + 0.1
        if paced.is_about_rate(hinted, level):
            paced.quota_refused(hinted, level, sent_at, now)
        else:
            assert not paced.pushed_back(hinted, level, sent_at, now)
        assert paced.quotas.requests.rate < 1.5
        assert not paced.has_capacity(now + 0.5)
    assert not paced.is_about_rate(hinted, 5)
    assert paced.bound.value == math.inf


def test_a_429_that_met_nothing_else_at_the_provider_is_about_a_rate() -> None:
    """A quota of a few requests a minute refuses at ever the same low levels."""
    few = governor()
    assert all(
        few.is_about_rate(Pushback("429", quota=True, retry_after=9.0), level) for level in (2, 1, 2, 2, 1, 2)
    )


def test_the_window_is_halved_once_per_round_trip_and_grows_by_each_accepted_start() -> None:
    """Ten starts that are pushed back together are one cut."""
    busy = governor()
    for _ in range(40):
        busy.sent(0.0)
    for level in range(1, 21):
        busy.accepted(level, 0.0, 0.5)
    for level in range(40, 30, -1):
        busy.ended(answering=False)
        busy.pushed_back(_529, level, 0.0, 1.0)
    assert busy.window == 10.0  # of the twenty starts at the first pushback
    assert busy.bound.value == 30
    busy.accepted(21, 0.0, 1.5)
    assert busy.window == 11.0


def test_everything_is_forgotten_after_ten_minutes_without_a_pushback() -> None:
    """At the next accepted start."""
    calm = governor()
    for _ in range(10):
        calm.sent(0.0)
    calm.ended(answering=False)
    calm.pushed_back(_529, 10, 0.0, 1.0)
    active = [calm.active]
    for level, now in ((9, 601.0), (8, 601.1)):
        calm.accepted(level, 0.0, now)
        active.append(calm.active)
    assert active == [True, True, False]
    assert (calm.window, calm.bound.value, calm.quotas.pace) == (math.inf, math.inf, math.inf)
    assert calm.next_due(601.1) == math.inf


def test_a_quota_that_headers_told_of_counts_until_it_is_not_believed_any_more() -> None:
    """Also after the next answer has begun, and without any pushback."""
    told = governor()
    level = told.sent(0.0)
    told.told([Left("requests", 60, 0, 1.0)], 0.5)
    told.accepted(level, 0.0, 1.0)
    assert told.active
    told.sent(1.0)
    assert not told.has_capacity(1.0)
    assert 1.0 < told.next_due(1.0) < 3.0
    told.told([Left("requests", 60, 60, 0.0)], 590.0)
    told.accepted(told.sent(590.0), 590.0, 601.0)
    assert told.statistics(601.0).bound == math.inf
    assert told.has_capacity(601.0)
    assert [told.active] == [False]


def test_when_a_request_may_go_up_at_the_earliest_is_known() -> None:
    """From the provider's hint, the pause of an outage, or a quota."""
    limited = governor()
    limited.sent(0.0)
    limited.ended(answering=False)
    assert limited.resumes(0.0, 1.0) == 1.0
    limited.quota_refused(Pushback("429", quota=True, retry_after=100.0), 1, 0.0, 1.0)
    assert 101.0 <= limited.resumes(0.0, 1.0) <= 111.0
    ill, now = in_outage()
    ill.sent(now)
    ill.ended(answering=False)
    ill.pushed_back(_529, 1, now, now + 0.1)
    assert now + 0.1 < ill.resumes(0.0, now + 0.1) <= now + 4.0


def test_starts_that_are_only_there_to_be_pushed_back_are_taken_off_the_level_of_others() -> None:
    """Ten at once beyond a capacity of five: five are accepted, and the bound is five."""
    burst = governor()
    levels = [burst.sent(number / 1000) for number in range(10)]
    for number in range(5):
        burst.accepted(levels[number], number / 1000, 0.05)
    for number in range(5, 10):
        burst.ended(answering=False)
        burst.pushed_back(_529, levels[number], number / 1000, 0.1 + number / 1000)
    assert burst.bound.value == 5


def test_after_an_outage_the_bound_from_before_holds_again() -> None:
    """The capacity is probably what it was."""
    back, now = governor(), 0.0
    for number in range(5):
        back.accepted(back.sent(now), now, now + number / 10)
    level = back.sent(1.0)
    back.ended(answering=False)
    back.pushed_back(_529, level, 1.0, 1.1)
    back.ended(answering=True)
    back.accepted(back.sent(1.2), 1.2, 1.5)
    assert back.bound.value == 5
    now = 2.0
    while not back.outage:
        if not back.has_capacity(now):
            now += 0.1
            continue
        level = back.sent(now)
        back.ended(answering=False)
        back.pushed_back(_529, level, now, now + 0.05)
        now += 0.1
    assert back.statistics(now).bound == math.inf
    now += 5.0
    back.accepted(back.sent(now), now, now + 0.5)
    assert 5 <= back.statistics(now).bound <= 6
