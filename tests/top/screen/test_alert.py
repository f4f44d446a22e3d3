"""The alert: what is urgent, in one line or two."""

from __future__ import annotations

import re
from typing import Any

import pytest

from aibridge_trio.top.screen import alert
from aibridge_trio.top.view import Order, View
from tests.support.pictures import (
    FORCED_CLOSED,
    HALF_OPEN,
    NOW,
    OFF,
    OPEN,
    Said,
    breaking,
    failing,
    without_rejects,
)
from tests.support.scenes import (
    ALL_AT_ONCE,
    HEALTHY,
    SCENES,
    STANDARD,
    Scene,
    after,
    quiet,
)


@pytest.mark.parametrize(
    ("silence", "told"), [(None, ""), (0.0, ""), (2.4, ""), (2.5, "no word for 2s  "), (4.9, "no word for 4s  ")]
)
def test_a_silent_bridge_is_reported(silence: float | None, told: str) -> None:
    """A stream without a document for more than two seconds is shown as silent."""
    line = Scene(HEALTHY, silence=silence).lines()[1]
    assert line == f"{told}turned away rate_limit 0.1/s"
    assert ("no word" in Scene(HEALTHY, silence=silence, lost="it hung up").lines()[1]) is False


def test_a_lost_bridge_says_since_when() -> None:
    """The alert says what is wrong, since when nothing has come, and that it is tried again."""
    assert SCENES["lost-later"].lines()[1] == "NO BRIDGE: it hung up, last word 1m15s ago; trying again"
    # Whether it is still up is unknown.
    assert "up 2h14m" in SCENES["lost-later"].lines()[0]
    assert SCENES["lost-at-first"].lines()[1] == "NO BRIDGE: connection refused; trying again"
    assert SCENES["connecting"].lines()[1] == "connecting"


def alerted(*changes: Any, width: int = 200) -> str:
    """The alert line."""
    return Scene(after(*changes)).lines(width)[1]


def test_the_alert_names_everything_urgent() -> None:
    """Each open breaker and what is left, draining, a full limiter, each reason's rate, each probed one."""
    assert alerted(*ALL_AT_ONCE) == (
        "openai OPEN, 25s left  copilot FORCED OPEN  DRAINING  FULL 50 of 50  "
        "turned away capacity 2.1/s, circuit_open 1.4/s, rate_limit 0.1/s  anthropic is being probed"
    )


def test_the_alert_names_every_open_provider() -> None:
    """However many breakers are open, each has its place."""
    for provider in ("openai", "anthropic", "copilot"):
        assert f"{provider} OPEN, 25s left" in alerted(*(breaking(name, **OPEN) for name in STANDARD))


def test_the_alert_is_calm_when_all_is_well() -> None:
    """A bridge without rejects and without failing providers is well, with breakers or without."""
    calm = "all well: no rejects"
    assert SCENES["no-traffic"].lines()[1] == calm
    for state in (OFF, OFF | OPEN):
        assert Scene(after(quiet, breaking("openai", **state), per_second=0.0)).lines()[1] == calm


@pytest.mark.parametrize(
    "breaker", [OFF, {}, {"mode": "close"}, HALF_OPEN], ids=["off", "on", "close", "half-open"]
)
@pytest.mark.parametrize(
    ("parts", "events", "told"),
    [
        ({"529": 1.0}, 0.0, "openai 100% errors: 529 6.6/s"),
        ({"500": 1.0}, 0.0, "openai 100% errors: 500 6.6/s"),
        ({"429": 0.5}, 0.0, "openai 50% errors: 429 3.3/s"),
        ({"503": 0.2, "head": 0.2}, 0.0, r"openai 4\d% errors: 503 1.4/s, head 1.4/s"),
        ({"connect": 1.0}, 0.0, "openai 100% errors: connect 6.6/s"),
        ({"stream": 0.1}, 0.0, r"openai \d+% errors: stream 0.\d/s"),
        ({}, 0.25, r"openai 2\d% errors: overload event 1.\d/s"),
    ],
)
def test_whoever_fails_is_never_well(parts: dict[str, float], events: float, told: str, breaker: Said) -> None:
    """Every kind of failure is shown, counted by a breaker or not, in yellow, on every screen."""
    past = after(failing("openai", parts, events=events), breaking("openai", **breaker), without_rejects)
    for width in (80, 200):
        scene = Scene(past)
        assert re.match(told, scene.lines(width)[1])
        (text, style), *_ = scene.frame(width, 24).lines[1]
        assert (text.split()[0], style) == ("openai", "bold yellow")


def test_what_is_over_is_over() -> None:
    """Failures from before the interval stay in the totals, and are not in the alert."""
    scene = Scene(after(without_rejects))
    assert scene.lines()[1] == "all well: no rejects"
    styles = [style for line in scene.frame(80, 24).lines for text, style in line if text.strip() == "429×131"]
    assert styles == ["dim"]


def test_a_breaker_that_counts_is_reported() -> None:
    """Before a breaker opens it is said how far it has come, also when the last failure is a while ago."""
    counting = breaking("openai", failures_in_window=4)
    assert Scene(after(counting, without_rejects)).lines()[1] == "openai FAILS 4/5"
    sick = failing("openai", {"529": 1.0})
    assert Scene(after(counting, sick, without_rejects)).lines()[1] == ("openai 100% errors: 529 6.6/s, FAILS 4/5")


def test_a_breaker_with_a_failure_share_is_reported_by_its_share() -> None:
    """Below the threshold its number is shown; from there on the failed share of the calls, and the needed one."""
    few = breaking("openai", failures_in_window=4, failure_share_in_window=1.0, failure_share=0.5)
    assert Scene(after(few, without_rejects)).lines()[1] == "openai FAILS 4/5"
    many = breaking("openai", failures_in_window=124, failure_share_in_window=0.124, failure_share=0.5)
    assert Scene(after(many, without_rejects)).lines()[1] == "openai FAILS 12% of 50%"


def test_a_provider_that_is_out_is_not_called_sick_as_well() -> None:
    """Of an open breaker it is said that it is open, and no more."""
    past = after(failing("openai", {"529": 1.0}), breaking("openai", **OPEN), without_rejects)
    assert Scene(past).lines(200)[1] == "openai OPEN, 25s left"


def test_every_sick_provider_finds_room() -> None:
    """On a small screen there are fewer causes rather than fewer names."""
    lines = SCENES["sick-below"].lines(80)
    for name in STANDARD:
        assert re.search(rf"{name} \d+% errors", "\n".join(lines[1:3]))
    assert "…,  " not in lines[1]
    assert len(SCENES["sick-below"].lines(200)[1]) > 160


def test_errors_since_the_start_say_so() -> None:
    """One document does not tell when something went wrong."""
    scene = Scene(after(without_rejects, until=600.0, minutes=0.0), late=600.0 - NOW)
    assert scene.lines()[1] == "errors since start: openai, anthropic, copilot"


def test_a_breaker_that_is_forced_closed_is_reported() -> None:
    """Nothing will stop such a provider, so it is not passed over as being well; it is not red either."""
    scene = Scene(after(quiet, breaking("openai", **FORCED_CLOSED), per_second=0.0))
    assert scene.lines()[1] == "openai forced closed"


@pytest.mark.parametrize(
    ("in_flight", "limit", "is_full"), [(49, 50, False), (50, 50, True), (51, 50, True), (9, 0, False)]
)
def test_full_is_said_where_it_is(in_flight: int, limit: int, is_full: bool) -> None:
    """FULL is said from the limit on, and never without a limit; the bar is full with it."""

    def busy(document: Said) -> None:
        document["concurrency"] = {"limit": limit, "in_flight": in_flight}

    lines = Scene(after(busy)).lines()
    assert ("FULL" in lines[1]) == is_full
    assert ("█" * 20 in lines[4]) == is_full
    assert (f"{in_flight} of {limit}" if limit else f"{in_flight}, no limit") in lines[4]
    assert ("░" in lines[4] or "█" in lines[4]) == bool(limit)


@pytest.mark.parametrize("mode", ["open", "close", "auto"])
@pytest.mark.parametrize(
    "provider", ["openai", "anthropic", "a-provider-with-a-very-long-name-indeed-and-more-of-it"]
)
@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_question_shows_how_to_answer(mode: str, provider: str, width: int) -> None:
    """The provider, and the keys for yes and no, are on every screen."""
    foot = Scene(HEALTHY, View(asking=Order(mode, provider))).lines(width)[-1]
    assert foot.startswith(provider[:20])
    assert foot.endswith("  y yes  n no")
    if width == 200:
        assert alert.question(Order(mode, provider)) in foot


def test_the_three_questions_differ() -> None:
    """The texts of the three orders differ."""
    questions = {mode: alert.question(Order(mode, "openai")) for mode in ("open", "close", "auto")}
    assert len(set(questions.values())) == 3
    assert "refuse" in questions["open"]
    assert "pass" in questions["close"]
