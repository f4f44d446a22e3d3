"""How the dashboard shows what protects: the queue, limits, scopes, ramps, keys that rest, shadow."""

from __future__ import annotations

import re
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.top.data.document import Queue
from aibridge_trio.top.data.history import History
from aibridge_trio.top.data.parse import read
from aibridge_trio.top.data.rates import queue_rates
from aibridge_trio.top.screen.alert import Link
from aibridge_trio.top.screen.layout import Canvas, frame
from aibridge_trio.top.screen.text import length
from aibridge_trio.top.view import View, rows
from tests.support.pictures import (
    NOW,
    RAMP,
    UPTIME,
    Said,
    a_document,
    a_picture,
    a_scope,
    breaking,
    failing,
    older,
    queueing,
    scoping,
    shadowing,
)
from tests.support.status_documents import DOCUMENTS

HERE = Link("http://127.0.0.1:4002")


def lines(*changes: Any, width: int = 80, height: int | None = 24, view: View | None = None) -> list[str]:
    """What is drawn of a bridge that was changed so."""
    drawn = frame(a_picture(*changes), view or View(), HERE, Canvas(width, height, UTC), NOW + 0.4)
    return drawn.plain.splitlines()


def calm(document: Said) -> None:
    """Let there be no rejects."""
    document["rejects"] = dict.fromkeys(document["rejects"], 0)


# Only what is on takes lines


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50), (80, None)])
def test_an_older_bridge_looks_as_it_did(size: tuple[int, int | None]) -> None:
    """An older bridge, and one with all newer features off, give the same frame, without a trace of them."""
    width, height = size
    drawn = lines(older, width=width, height=height)
    assert drawn == lines(width=width, height=height)
    assert not re.search("queue|ramp|shadow|WOULD|└|rest|/0", "\n".join(drawn[:-1]))


# The queue


def test_a_queue_that_turns_away_is_an_alert() -> None:
    """Its rejects by kind are shown with rates, once, and not again among the reasons."""
    told = " ".join(lines(queueing, width=200)[1:2])
    assert "queue turns away full 0.6/s, hopeless 0.3/s, timed out 0.2/s" in told
    assert "turned away rate_limit 0.1/s" in told
    assert "queue_" not in told
    style = frame(a_picture(queueing), View(), HERE, Canvas(), NOW).lines[1]
    assert ("queue turns away", "bold yellow") in style


def test_what_a_queue_did_long_ago_raises_no_alarm() -> None:
    """Those whom it turned away before the interval are no alert."""

    def once(document: Said) -> None:
        document["queue"] |= {"size": 20, "full": 9, "hopeless": 3, "timed_out": 1}

    assert lines(once, calm)[1] == "all well: no rejects"


def test_rates_of_the_queue_are_of_the_interval() -> None:
    """Served, left and turned away are differences by the time, and waits those of the interval alone."""
    old = Queue(size=9, served=10, full=1, hopeless=4, left=2, waits={0.1: 10, 1.0: 10})
    new = Queue(size=9, served=30, full=6, hopeless=4, left=4, waits={0.1: 10, 1.0: 30})
    rates = queue_rates(new, old, 10.0)
    assert (rates.served, rates.left, rates.turned_away) == (2.0, 0.2, {"full": 0.5})
    assert rates.p50 == pytest.approx(0.55)
    assert queue_rates(old, old, 10.0).p50 is None


def test_a_restart_begins_the_queue_anew() -> None:
    """Counters of a bridge that began again are compared with nothing of the one before."""
    history = History()
    history.add(read(a_document(UPTIME, queueing)), UPTIME)
    fresh = a_document(5.0, queueing)
    fresh["started_at"] += UPTIME + 1
    history.add(read(fresh), UPTIME + 6)
    picture = history.picture(10.0)
    assert picture is not None
    assert picture.since_start
    assert picture.queue.served == fresh["queue"]["served"] / 5.0


# Limits


# Scopes


def test_the_alert_names_scopes() -> None:
    """Not the provider is out of service but one of its models, for how long, and how often in a row."""
    told = lines(scoping("openai"), calm, width=200)[1]
    assert told == (
        "openai gpt-4o-mini OPEN, 1m38s left of 2m00s, 3 in a row  openai o3-pro-2025-06-10 is being probed  "
        "openai gpt-5 coming back, 40% admitted"
    )
    many = [a_scope(f"model-{number}", "open", cooldown_left_s=9.0 + number) for number in range(5)]
    told = lines(breaking("openai", state="open", cooldown_left_s=9.0, scopes=many), calm, width=200)[1]
    assert told.startswith("openai model-0 and 4 more OPEN, 9s left")


def test_a_provider_that_is_partly_out_may_be_sick_as_well() -> None:
    """Of a provider with several breakers the others answer, so their failures are shown, too."""
    told = lines(scoping("openai"), failing("openai", {"500": 1.0}), calm, width=200)[1]
    assert "openai 100% errors: 500 6.6/s" in told


def test_an_override_rules_over_scopes() -> None:
    """Forced, a provider has one state, and no scope has a row."""
    forced = breaking("openai", mode="open", cooldown_left_s=None)
    drawn = lines(scoping("openai"), forced, calm)
    assert drawn[1] == "openai FORCED OPEN"
    assert "└" not in "\n".join(drawn)


def test_names_of_others_send_no_codes() -> None:
    """Scopes, hints and shadows may be any text, which is made visible and bounded."""
    evil = "\x1b]0;owned\x07\n" * 50
    scopes = [a_scope(evil, "open", cooldown_left_s=5.0)]
    keys = {"resting": 1, "total": 1, "evictions": 0, "callers": [{"hint": evil, "left_s": 1.0}]}
    drawn = lines(breaking("openai", scopes=scopes, credentials=keys), shadowing(evil), height=None, width=120)
    assert all(line.isprintable() for line in drawn)
    assert max(map(len, drawn)) <= 120


# Ramps


def test_a_ramp_is_reported() -> None:
    """A ramping provider is yellow, with the admitted share, in its row and in the alert."""
    drawn = frame(a_picture(breaking("openai", **RAMP), calm), View(), HERE, Canvas(), NOW)
    assert drawn.lines[1][0] == ("openai coming back, 40% admitted", "yellow")
    assert any(text.strip() == "ramp 40%" and style == "yellow" for line in drawn.lines for text, style in line)


def test_a_ramp_is_more_urgent_than_a_closed_breaker() -> None:
    """Sorted by state, what comes back is above what is well and below what is probed."""
    picture = a_picture(
        breaking("copilot", **RAMP), breaking("anthropic", state="half-open"), breaking("openai", trips=1)
    )
    assert [row.provider.name for row in rows(View(), picture)] == ["anthropic", "copilot", "openai"]


# Keys that rest


# What only counts


def test_shadow_is_said_calmly_as_long_as_it_is_on() -> None:
    """Which protections only count stands behind all else, dim, also when nothing else is to say."""
    only = "shadow: concurrency, rate only count"
    shadow = shadowing("concurrency", "rate")
    assert lines(shadow, calm)[1] == f"all well: no rejects  {only}"
    assert lines(shadowing("breaker"), calm)[1].endswith("  shadow: breaker only counts")
    drawn = frame(a_picture(shadow), View(), HERE, Canvas(), NOW)
    assert (only, "dim") in drawn.lines[1]


def test_a_breaker_in_shadow_is_not_said_to_be_open() -> None:
    """It would be: no request is rejected, so nothing is red, unless the breaker is forced open."""
    drawn = lines(scoping("openai"), shadowing("breaker"), width=120)
    assert drawn[1].startswith("openai gpt-4o-mini would be OPEN, 1m38s left of 2m00s")
    forced = breaking("openai", state="open", mode="open", cooldown_left_s=None, cooldown_s=None)
    assert lines(forced, shadowing("breaker"), width=120)[1].startswith("openai FORCED OPEN")


def test_shadow_has_a_line_of_its_own_if_need_be() -> None:
    """However much else is to say, and however many only count, it is never cut."""
    for width in (80, 120, 200):
        drawn = lines(queueing, scoping("openai"), shadowing(*["concurrency-per-caller"] * 4), width=width)
        [line] = [line for line in drawn if "shadow: " in line]
        assert line.endswith(" only count")
    assert "shadow: 4 protections only count" in lines(shadowing(*["concurrency-per-caller"] * 4))[1]


@pytest.mark.parametrize(
    ("width", "told"), [(80, r"rate_limit +0\.1 +0\.5  "), (120, r"rate_limit +642 +0\.1 +3,213 +0\.5  ")]
)
def test_what_would_be_rejected_is_beside_what_is(width: int, told: str) -> None:
    """Under a title that says so, in no colour, and in no sum of rejects."""
    shadow = shadowing("concurrency", "rate")
    drawn = lines(shadow, width=width)
    [head] = [line for line in drawn if line.startswith("REJECTS BY")]
    assert "/S WOULD/S" in head.replace("  WOULD ", " ")
    assert any(re.match(told, line) for line in drawn)
    assert [line for line in drawn if line.startswith("rejects ")] == [
        line for line in lines(width=width) if line.startswith("rejects ")
    ]
    assert "would" not in drawn[1]


def test_what_only_shadow_knows_has_its_row() -> None:
    """A reason without rejects is shown if shadow would reject for it."""

    def change(document: Said) -> None:
        document["would_reject"] = {"credential_cooldown": 7, "new_reason": 3}

    drawn = "\n".join(lines(shadowing("credential"), change, height=None, width=120))
    assert re.search(r"^credential_cooldown +0 +-- +7 +--", drawn, re.MULTILINE)
    assert re.search(r"^new_reason +0 +-- +3 +--", drawn, re.MULTILINE)


@given(DOCUMENTS, st.integers(1, 250), st.booleans())
def test_whatever_is_on_can_be_printed(said: Any, width: int, ascii_: bool) -> None:
    """Off a screen, where nothing is left out, no line is too wide and no code is in it."""
    history = History()
    history.add(read(said), NOW)
    drawn = frame(history.picture(10.0), View(), HERE, Canvas(width, None, UTC, ascii_), NOW)
    assert all(length(line) == width for line in drawn.lines)
    assert all(text.isprintable() for line in drawn.lines for text, _ in line)
