"""The learned bound of concurrency."""

from __future__ import annotations

import math

import pytest

from aibridge_trio.core.adaptive.level_bound import LevelBound


def bound() -> LevelBound:
    """Return a bound without jitter."""
    return LevelBound(lambda: 0.5)


def test_a_cut_never_goes_below_the_answers_that_have_begun() -> None:
    """They prove capacity."""
    learned = bound()
    learned.cut(10, 15, 1.0)
    assert learned.value == 15


def test_a_probe_rises_by_one_and_an_accepted_one_raises_the_bound_by_growing_steps() -> None:
    """The capacity has grown: the bound follows."""
    learned = bound()
    learned.cut(20, 5, 0.0)
    assert (learned.value, learned.probe_at) == (20, 1.0)
    learned.advance(5, 1.0)
    seen = []
    for number in range(5):
        now = 2.0 + number
        learned.accepted(int(learned.value), now - 0.5, now)
        seen.append(learned.value)
    assert seen == [22, 24, 28, 35, 43]


def test_failed_probes_become_rarer_up_to_a_longest_pause() -> None:
    """At a constant capacity one call in eight seconds is wasted."""
    learned, now, pauses = bound(), 0.0, []
    learned.cut(20, 5, now)
    for _ in range(6):
        pauses.append(learned.probe_at - now)
        now = learned.probe_at
        learned.advance(5, now)
        assert learned.value == 21
        assert learned.cut(20, 5, now)
    assert pauses == [1, 2, 4, 8, 8, 8]


def test_after_an_outage_the_bound_is_what_it_was_before_and_is_probed_soon() -> None:
    """The capacity is probably what it was; without a bound before there is none."""
    learned = bound()
    learned.restore(30, 5, 100.0)
    assert (learned.value, learned.probe_at) == (30, 101.0)
    learned.restore(math.inf, 5, 200.0)
    assert (learned.value, learned.probe_at) == (math.inf, math.inf)


def test_a_cut_that_was_a_mistake_is_undone() -> None:
    """A start above the bound, sent after the cut, is accepted."""
    learned = bound()
    learned.cut(10, 5, 0.0)
    learned.accepted(12, 0.5, 1.0)
    assert learned.value == math.inf
    assert learned.probe_at == math.inf


def test_where_answers_begin_rarely_probes_are_as_rare() -> None:
    """One failed probe for twenty answers, and at least one in a minute and a half."""
    learned, now = bound(), 0.0
    learned.cut(20, 5, now)
    for number in range(50):
        learned.accepted(10, 2.0 * number, 2.0 * number)
    now, pauses = 100.0, []
    for _ in range(8):
        now = max(now, learned.probe_at)
        learned.advance(5, now)
        learned.cut(20, 5, now)
        pauses.append(learned.probe_at - now)
    assert pauses[-1] == pytest.approx(40.0, abs=1.0)
