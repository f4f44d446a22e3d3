"""A governor that is saved and restored decides as one that ran on."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aibridge_trio.core.adaptive.entry import Pushback
from aibridge_trio.core.adaptive.governor import Governor
from aibridge_trio.core.adaptive.governor_snapshot import restore_governor, snapshot_of

# A pause; then a request of a size that is accepted, pushed back, or refused by a quota, after a while.
STEPS = st.lists(
    st.tuples(
        st.floats(0, 5),
        st.floats(0, 3000),
        st.sampled_from(["accepted", "529", "quota", "quota with a hint"]),
        st.floats(0.001, 2),
    ),
    min_size=1,
    max_size=40,
)


def governor() -> Governor:
    return Governor(lambda: 0.5)


def drive(driven: Governor, steps: list[tuple[float, float, str, float]]) -> float:
    """Send requests, as the governor lets them; return when the last one ended."""
    now = 0.0
    for pause, size, outcome, took in steps:
        now += pause
        if not driven.has_capacity(now):
            continue
        level, sent_at = driven.sent(now, size), now
        now += took
        pushback = Pushback("429", quota=True, retry_after=3.0 if outcome.endswith("hint") else None)
        if outcome == "accepted":
            driven.accepted(level, sent_at, now, size)
        elif outcome == "529":
            driven.pushed_back(Pushback("529"), level, sent_at, now)
        else:
            driven.quota_refused(pushback, level, sent_at, now, size)
        driven.ended(answering=outcome == "accepted")
    return now


def decisions(asked: Governor, now: float) -> list[float]:
    """Return what it decides of requests of all sizes, relative to its clock."""
    capacity = float(asked.has_capacity(now))
    waits = [asked.wait_for(size, now) for size in (0.0, 10.0, 1000.0, 10**6)]
    stats = asked.statistics(now)
    shown = [stats.bound, stats.window, stats.pace, stats.background, float(stats.outage), stats.resumes_in]
    return [capacity, asked.next_due(now) - now, *waits, *shown, float(stats.active)]


@given(steps=STEPS, gap=st.floats(0.1, 500), later=st.lists(st.floats(0.01, 60), max_size=5))
@settings(max_examples=300, deadline=None)
def test_restored_it_decides_as_if_it_had_run_on(
    steps: list[tuple[float, float, str, float]], gap: float, later: list[float]
) -> None:
    """Whatever was learned: bound, window, paces, outage, and when each of them lets a request go."""
    old, new = governor(), governor()
    now = drive(old, steps)
    saved = json.loads(json.dumps(snapshot_of(old, now)))
    clock = 12345.0  # of the new process
    if saved is not None:
        restore_governor(new, saved, clock + gap, gap)
    if not old.active:
        assert saved is None
        return
    for pause in (0.0, *later):
        gap += pause
        if gap > 550:
            return
        assert decisions(new, clock + gap) == pytest.approx(decisions(old, now + gap), rel=1e-6, abs=1e-5)


def ill() -> Governor:
    """Return a governor in an outage."""
    driven = governor()
    drive(driven, [(5.0, 0.0, "529", 0.1)] * 12)
    assert driven.outage
    return driven


def test_an_outage_goes_on_with_its_canary() -> None:
    """The bridge that comes back sends one request, not all that wait for it; the first answer ends the outage."""
    driven = governor()
    now = drive(driven, [(5.0, 0.0, "529", 0.1)] * 12)
    restored = governor()
    restore_governor(restored, snapshot_of(driven, now) or {}, 100.0, 2.0)
    assert restored.outage
    now = max(100.0, restored.next_due(100.0)) if not restored.has_capacity(100.0) else 100.0
    assert restored.has_capacity(now)
    level = restored.sent(now)
    assert not restored.has_capacity(now)
    restored.accepted(level, now, now + 1)
    assert not restored.outage


def test_what_is_out_of_date_is_ignored() -> None:
    """Ten minutes after the last pushback nothing is known, as in a process that ran on."""
    driven = governor()
    now = drive(driven, [(5.0, 0.0, "529", 0.1)] * 12)
    saved = snapshot_of(driven, now) or {}
    for elapsed, known in ((599.0, True), (601.0, False)):
        restored = governor()
        restore_governor(restored, saved, 0.0, elapsed)
        assert restored.active == known
        assert restored.outage == known


def test_nothing_learned_is_nothing_saved() -> None:
    """A quiet day has no snapshot."""
    assert snapshot_of(governor(), 0.0) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": "x"},
        {"outage": 1},
        {"background": 2.0},
        {"bound": None},
        {"quotas": {}},
        {"last_at": "x"},
        {"resumes_at": math.nan},
    ],
)
def test_what_is_no_snapshot_is_refused(wrong: dict[str, object]) -> None:
    """A file that was changed by hand does not confuse a governor."""
    restored = governor()
    with pytest.raises(ValueError, match=r"is no|^no "):
        restore_governor(restored, {**(snapshot_of(ill(), 100.0) or {}), **wrong}, 0.0, 1.0)
    assert not restored.active
