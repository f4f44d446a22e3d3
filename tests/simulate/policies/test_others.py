"""Policies of other programs, beside the bridge."""

from __future__ import annotations

from typing import Any

from tests.support.simulated import CALLERS, OUTAGE, play


def test_rejects_tell_the_truth_and_others_do_not() -> None:
    """What the bridge says of its cooldown is never too short, and the whole cooldown is mostly too long."""
    told: dict[str, Any] = {"circuit_breaker": "true", "circuit_breaker_growth": "1"}
    ours, theirs = play(CALLERS + OUTAGE, **told), play(CALLERS + OUTAGE, "go-aibridge")
    assert ours.told_p5 is not None
    assert ours.told_p50 is not None
    assert theirs.told_p50 is not None
    assert ours.told_p5 >= -0.01
    assert ours.told_p50 < 6 < theirs.told_p50


def test_a_mid_stream_overload_opens_ours_and_not_the_others() -> None:
    """A 200 that says "overloaded" is a failure here and a success there."""
    overloaded = CALLERS + OUTAGE.replace('"503"', '"overloaded"')
    assert play(overloaded, circuit_breaker="true").trips > 0
    assert play(overloaded, "go-aibridge").trips == play(overloaded, "litellm").trips == 0


def test_a_refused_connection_opens_ours_and_not_the_go_bridge() -> None:
    """A provider that is not there is a failure here, and no failure there."""
    refused = CALLERS + OUTAGE.replace('"503"', '"refuse"')
    assert play(refused, circuit_breaker="true").trips > 0
    assert play(refused, "go-aibridge").trips == 0
