"""The headline of `aibridge top`: whatever keeps callers from answers is in it, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.config.units import show_duration
from aibridge_trio.errors import REASONS
from aibridge_trio.top.data.history import History, Picture
from aibridge_trio.top.data.parse import read
from aibridge_trio.top.screen.alert import Link, alerts, lines
from aibridge_trio.top.screen.text import length, remaining
from aibridge_trio.top.screen.totals import totals
from tests.support.pictures import (
    LEARNED,
    NOW,
    OFF,
    OPEN,
    OUTAGE,
    QUOTA,
    UPTIME,
    Change,
    Said,
    a_caller,
    a_document,
    a_picture,
    adapting,
    breaking,
    connecting,
    failing,
    older,
    overrun,
    queueing,
    scoping,
    silent,
    without_rejects,
)

HERE = Link("http://127.0.0.1:4002", silence=0.0)
WELL = "all well: no rejects"


def headline(picture: Picture, *, late: float = 0.0, width: int = 200) -> str:
    """The first lines of the screen, as one."""
    return "  ".join("".join(text for text, _ in line) for line in lines(picture, HERE, NOW + late, width))


def told(*changes: Change, late: float = 0.0, width: int = 200) -> str:
    """The headline of a bridge that is well but for these changes."""
    return headline(a_picture(*changes, without_rejects), late=late, width=width)


def counting(*path: str, each_second: float = 2.0, since: float = UPTIME - 60) -> Change:
    """Let a counter grow by so much a second."""

    def change(document: Said) -> None:
        place: Any = document
        for name in path[:-1]:
            place = place[name]
        gained = int(max(0.0, document["uptime_s"] - since) * each_second)
        place[path[-1]] = place.get(path[-1], 0) + gained

    return change


# Statuses


@pytest.mark.parametrize("status", ["400", "401", "402", "403", "404", "422", "301", "307"])
def test_a_provider_that_refuses_everything_is_not_well(status: str) -> None:
    """A key that was revoked, no credit, a wrong base URL: no breaker opens, and no request has an answer."""
    assert told(failing("anthropic", {status: 1.0})) == f"anthropic: 100 % answers {status}"


@pytest.mark.parametrize("status", ["500", "502", "503", "504", "529", "429"])
def test_a_provider_that_fails_is_reported_with_its_status(status: str) -> None:
    """The number is shown on every width."""
    for width in (200, 80, 40):
        assert f"openai 100% errors: {status}" in told(failing("openai", {status: 1.0}), width=width)


def test_three_sick_providers_keep_their_statuses_in_little_room() -> None:
    """Rates go first, names and numbers stay."""
    sick = [failing(name, {"529": 0.5, "500": 0.1}) for name in ("openai", "anthropic", "copilot")]
    said = told(*sick, width=80)
    assert all(f"{name} " in said for name in ("openai", "anthropic", "copilot"))
    assert said.count("529") == 3


@pytest.mark.parametrize(("part", "is_told"), [(0.05, False), (0.3, True)])
def test_some_refusals_are_ordinary(part: float, is_told: bool) -> None:
    """The headline ignores a few answers with 400, and names them with their share when every third is one."""
    said = told(failing("openai", {"400": part}))
    assert (said != WELL) == is_told
    assert not is_told or said.startswith(("openai: 3", "openai: 2"))


def test_several_statuses_have_their_shares() -> None:
    """The largest first, each with its number."""
    said = told(failing("openai", {"401": 0.6, "400": 0.4}))
    assert said.startswith(("openai: 6", "openai: 5"))
    assert "% answers 401, " in said
    assert said.endswith(" % 400")


def test_refusals_from_before_are_over() -> None:
    """Once the key is right the headline is calm again, as soon as the interval is over."""
    history = History()
    for second in range(60):
        document = a_document(UPTIME + second, without_rejects)
        provider = document["providers"][0]
        provider["upstream"] = {
            "responses": {"401": 50, "200": 100 + max(0, second - 5)},
            "errors": {"connect": 0, "head": 0, "stream": 0},
        }
        provider["breaker"]["verdicts"]["failure"] = 0
        history.add(read(document), UPTIME + second)
    picture = history.picture(10.0)
    assert picture
    assert "401" not in headline(picture)


def test_the_first_document_says_since_when() -> None:
    """One document does not tell when it was."""
    picture = a_picture(failing("openai", {"401": 1.0}, since=UPTIME - 600), without_rejects, minutes=0.0)
    picture_401 = headline(picture)
    assert "openai: 10" in picture_401 or "since start" in picture_401


# Silence


@pytest.mark.parametrize(
    ("unanswered", "seconds", "expected"),
    [
        (15, 14.2, "anthropic: 15 in flight, no answer for 14 s"),
        (2, 5.0, "anthropic: 2 in flight, no answer for 5 s"),
        (2, 4.9, WELL),
        (1, 29.0, WELL),
        (1, 30.0, "anthropic: 1 in flight, no answer for 30 s"),
        (9, 65.0, "anthropic: 9 in flight, no answer for 1m05s"),
        (0, 99.0, WELL),
    ],
)
@pytest.mark.parametrize("breaker", [{}, OFF])
def test_a_silent_provider_is_reported(unanswered: int, seconds: float, expected: str, breaker: Said) -> None:
    """Several requests without an answer from five seconds on, one alone from thirty on."""
    assert told(silent("anthropic", unanswered, seconds), breaking("anthropic", **breaker)) == expected


def test_silence_goes_on_while_the_document_grows_old() -> None:
    """Between two documents seconds go on."""
    assert told(silent("openai", 3, 4.0), late=2.0) == "openai: 3 in flight, no answer for 6 s"


# Connections


def test_refused_connections_are_told_with_the_busiest_address() -> None:
    """No request of theirs is ever counted, so nothing else would tell."""
    assert told(overrun) == "connections refused at the limit 2.0/s, 10.0.0.5 has 480"


@pytest.mark.parametrize("cause", ["limit", "address", "descriptors"])
@pytest.mark.parametrize("listener", ["callers", "admin"])
def test_every_cause_and_both_listeners_are_told(cause: str, listener: str) -> None:
    """Whatever a connection was refused for, and wherever."""
    said = told(connecting({}), counting("connections", listener, "refused", cause))
    assert said.startswith("admin connections refused " if listener == "admin" else "connections refused ")
    assert "2.0/s" in said


def test_a_cause_that_is_not_known_is_reported_as_it_is() -> None:
    """Newer bridges may have more of them."""
    assert "moon 2.0/s" in told(connecting({}), counting("connections", "callers", "refused", "moon"))


def test_a_listener_without_room_is_reported_before_it_refuses() -> None:
    """The next connection would be refused."""
    assert told(connecting({"open": 100})) == "CONNECTIONS FULL 100 of 100"


def test_connections_from_before_are_over() -> None:
    """What was refused an hour ago is not in the alert."""
    assert told(connecting({"refused": {"limit": 99, "address": 0, "descriptors": 0}})) == WELL


def test_held_requests_are_reported() -> None:
    """By provider, with their callers; an outage also without any; a learned bound alone is no symptom."""
    assert told(adapting("openai", **LEARNED)) == "openai: 37 held of 4 callers"
    assert told(adapting("openai", **OUTAGE)) == "openai: outage, 9 held of 1 caller"
    assert told(adapting("openai", **(OUTAGE | {"held": 0}))) == "openai: outage"
    assert told(adapting("openai", **QUOTA), adapting("anthropic")) == WELL


def test_older_bridges_are_read() -> None:
    """What they do not tell is well."""
    assert headline(a_picture(without_rejects, older)) == WELL


# Breakers


@pytest.mark.parametrize(
    ("because", "reason"),
    [
        ("5 failures in 10 s, last 503", ", last 503"),
        ("5 failures in 10 s, last 429; it asks for 60 s", ", last 429"),
        ("1 failure in 10 s, last no connection; trip 3 in a row, for 40 s", ", last no connection"),
        ("a probe failed: 529", ", probe failed: 529"),
        ("a probe failed: overloaded_error; it asks for 9 s", ", probe failed: overloaded_error"),
        ("", ""),
        (None, ""),
    ],
)
def test_an_open_breaker_has_its_reason(because: str | None, reason: str) -> None:
    """What opened it stands beside it."""
    assert told(breaking("openai", **OPEN, because=because)) == f"openai OPEN, 26s left{reason}"


def test_one_of_several_breakers_has_its_reason() -> None:
    """The reason is that of the scope that is named."""

    def opened(document: Said) -> None:
        for scope in document["providers"][0]["breaker"]["scopes"]:
            scope["because"] = "5 failures in 10 s, last 503" if scope["state"] == "open" else None

    assert "3 in a row, last 503" in told(scoping("openai"), opened)


@given(
    left=st.floats(0, 1000),
    whole=st.floats(0, 1000),
    late=st.floats(0, 60),
    in_a_row=st.integers(0, 5),
)
def test_what_is_left_is_never_more_than_the_whole(left: float, whole: float, late: float, in_a_row: int) -> None:
    """Both are rounded alike: no `9s left of 8s`."""

    shown, most = remaining(left, late, whole), remaining(whole, 0.0, whole)
    assert _seconds(shown) <= _seconds(most)
    assert _seconds(shown) >= min(left - late, whole) - 60 * (whole >= 600)


def _seconds(text: str) -> int:
    """What a span says (seconds)."""
    minutes, _, seconds = text.rpartition("m") if "m" in text else ("0", "", text)
    return int(minutes) * 60 + int(seconds.removesuffix("s") or 0)


# Callers


@pytest.mark.parametrize("reason", REASONS)
def test_every_reject_is_named(reason: str) -> None:
    """Whatever callers are turned away for has a word."""
    assert f"{reason} 2.0/s" in told(counting("rejects", reason)) or f"turned away {reason}" in headline(
        a_picture(without_rejects, counting("rejects", reason))
    )


def test_a_starved_caller_is_reported() -> None:
    """Of one that gets mostly rejects it is said, whatever the average is."""

    def starving(document: Said) -> None:
        uptime = int(document["uptime_s"])
        document["callers"] = [a_caller("…x7Qa", 8 * uptime, 6 * uptime), a_caller("…9fK2", 5 * uptime)]

    assert told(starving) == "…x7Qa has 75% of its requests turned away"


def test_callers_that_give_up_are_told() -> None:
    """Where many hang up before they have an answer, something keeps it from them."""
    assert "callers give up 6.0/s without an answer (499)" in told(
        counting("requests", "by_status", "499", each_second=6.0)
    )


def test_nothing_at_all_is_well() -> None:
    """Without symptoms there is no alarm."""
    assert told() == WELL


def test_headlines_keep_to_two_lines() -> None:
    """However much there is to say."""
    everything = (
        silent("openai", 15, 14.0),
        failing("anthropic", {"401": 0.9}),
        failing("copilot", {"503": 0.9}),
        overrun,
        *(counting("rejects", reason) for reason in REASONS),
    )
    drawn = lines(a_picture(without_rejects, *everything), HERE, NOW, 80)
    assert len(drawn) <= 2
    assert length(drawn[0]) <= 80
    assert "".join(text for text, _ in drawn[0]).startswith("openai: 15 in flight, no answer for 14 s")


def test_alerts_are_the_headline_in_parts() -> None:
    """`top --json` says the same, a text each, and nothing where all is well."""
    picture = a_picture(without_rejects, silent("openai", 15, 14.0), failing("anthropic", {"401": 1.0}), overrun)
    said = alerts(picture, HERE, NOW)
    assert said == [
        "openai: 15 in flight, no answer for 14 s",
        "anthropic: 100 % answers 401",
        "connections refused at the limit 2.0/s, 10.0.0.5 has 480",
    ]
    assert headline(picture) == "  ".join(said)
    assert alerts(a_picture(without_rejects), HERE, NOW) == []


# The lines beneath it


@pytest.mark.parametrize("width", [80, 100, 101, 110, 120, 200])
@pytest.mark.parametrize("timeout", [0.5, 1.5, 30.0, 3600.0])
def test_no_line_of_the_totals_is_cut(width: int, timeout: float) -> None:
    """What does not fit is left out as a whole, on every width."""

    def crowded(document: Said) -> None:
        document["queue"] |= {"timeout_s": timeout, "waiting": 12_345, "size": 99_999, "callers": 1_234}
        document["concurrency"] = {
            "limit": 99_999,
            "in_flight": 99_999,
            "per_caller": 5_000,
            "per_provider": 9_999,
        }
        document["rate_limit"] = {"per_second": 1_000, "callers": 12_345}

    picture = a_picture(queueing, crowded)
    for line in totals(picture, width, NOW):
        assert length(line) <= width, "".join(text for text, _ in line)
    said = "".join(text for text, _ in totals(picture, 200, NOW)[-1])
    assert said.endswith(f"1,234 callers wait, at most {show_duration(timeout)}")
