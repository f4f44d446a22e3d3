"""The frames of `aibridge top`: how every state looks, and the laws that every frame keeps.

Snapshots are in `tests/snapshots/top/`, a text a frame. After a change that is meant, write them anew with
`python -m tests.top.screen.test_layout`, and read what `git diff` says.
"""

from __future__ import annotations

import copy
import difflib
import re
import sys
from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest

from aibridge_trio.top.data.history import History
from aibridge_trio.top.data.parse import read
from aibridge_trio.top.keyboard import KEYS
from aibridge_trio.top.screen.layout import Canvas, frame
from aibridge_trio.top.sort_order import SORT_KEYS
from aibridge_trio.top.view import Order, View, rows
from tests.support.pictures import (
    FORCED_OPEN,
    HALF_OPEN,
    NOW,
    OFF,
    Said,
    a_document,
    breaking,
    failing,
)
from tests.support.scenes import (
    HEALTHY,
    HERE,
    LOW,
    MIDDLE,
    SCENES,
    SHOTS,
    SNAPSHOTS,
    STANDARD,
    STATES,
    TOTALS,
    WIDE,
    Scene,
    after,
    row_of,
)


@pytest.mark.parametrize("shot", SHOTS)
def test_frames_look_as_they_did(shot: str) -> None:
    """Every state looks as its snapshot says; `python -m tests.top.screen.test_layout` writes them anew."""
    scene, width, height = SHOTS[shot]
    then, now = (SNAPSHOTS / shot).read_text(), scene.frame(width, height).plain
    diff = difflib.unified_diff(then.splitlines(), now.splitlines(), "the snapshot", "now", lineterm="")
    assert then == now, f"{shot}\n" + "\n".join(diff)


def test_there_are_no_other_snapshots() -> None:
    """Every snapshot is compared."""
    assert {file.name for file in SNAPSHOTS.iterdir()} == set(SHOTS)


# The size


# What is promised


def test_all_that_is_promised_is_on_a_small_screen() -> None:
    """At 80x24 with three providers everything is there at once, whole."""
    drawn = SCENES["open"].frame(80, 24).plain
    lines = drawn.splitlines()
    for promised in (
        "aibridge 0.1.0",  # version
        "up 2h14m",
        r"requests +12\.\d/s +96,\d{3} [▁▂▃▄▅▆▇█]{30,} 5 min, peak 1\d\.\d/s",  # requests, sparkline
        r"rejects +1\.\d/s +11,\d{3} [▁▂▃▄▅▆▇█]{30,} 5 min",
        r"in flight █+░+ 9 of 50",  # in flight of the limit as a bar
        r"rate limit 10/s a caller, 4 active",
        # State, time in it, cooldown left, failures of the threshold, probes, trips, rejects, p50, p99, tokens.
        r"▸openai +OPEN +5s +25s +0/5 +-- +2 +131 +411ms +2\.3s +2\.8k$",
        r" anthropic +closed +1h15m +-- +0/5 +-- +0 +0 +895ms +4\.5s +1\.8k$",
        r" copilot +closed +1h15m +-- +0/5 +-- +0 +0 +200ms +940ms +516$",
        r"▸openai +3 +6\.6 +200 6\.6/s +429×131 +head×5$",  # upstream statuses
        r" anthropic +3 +4\.2 +200 4\.2/s +429×83 +head×3$",
        r" copilot +3 +1\.2 +200 1\.2/s +429×23 +head×1$",
        r"circuit_open +10,710 +1\.4 ",  # rejects by reason, total and per second
        r"rate_limit +642 +0\.1 ",
        r"capacity +0 +-- ",
        r"…x7Qa +6\.1 48,195 +642 +5$",  # busiest callers by masked hint
        r"\d\d:\d\d:\d\d  openai closed → open  5 failures in 10 s, last 429",  # the last events
        r"\d\d:\d\d:\d\d  openai half-open → closed  3 of 3 probes succeeded",
    ):
        assert [line for line in lines if re.search(promised, line)], f"{promised}\n{drawn}"
    assert lines[-1] == "q quit  ? help  p pause  ↑↓ choose  <>r sort  / filter  o/c/a breaker  +- pace"


def test_a_wider_screen_shows_more() -> None:
    """A wide screen has tokens in and out and rejects of each provider, totals by status, a longer sparkline."""
    narrow, wide = (SCENES["open"].frame(width, 40).plain for width in (80, 120))
    for more in ("IN/S", "OUT/S", "REJ/S", r"200×52,\d+ 6\.6/s", "[▁▂▃▄▅▆▇█]{70,}"):
        assert not re.search(more, narrow)
        assert re.search(more, wide)


@pytest.mark.parametrize("width", [80, 120, 200])
def test_nothing_that_is_promised_is_cut_short(width: int) -> None:
    """On a healthy bridge nothing but a long event is cut; its time and its kind are there."""
    for line in Scene(HEALTHY).lines(width, 40):
        cut = re.search(r"\w…", line)
        assert not cut or re.search(r"\d\d:\d\d:\d\d  start  AI Bridge", line), line


@pytest.mark.parametrize("word", STATES)
def test_every_state_has_its_word(word: str) -> None:
    """A state differs from all others without any colour."""
    assert re.search(rf"^.openai +{word}  +\d", row_of("openai", breaking("openai", **STATES[word])))
    assert len({each.lower() for each in STATES}) == len(STATES)


def test_numbers_without_a_sense_are_dashes() -> None:
    """Without a breaker there are no numbers of one; probes are of half-open ones, cooldowns of open ones."""
    assert re.search(r"off +1h15m    --    --    --    --      -- ", row_of("openai", breaking("openai", **OFF)))
    assert re.search(r"half-open +\ds    --   0/5   2/3 ", row_of("openai", breaking("openai", **HALF_OPEN)))
    assert re.search(r"FORCED OPEN +12m    --   0/5    -- ", row_of("openai", breaking("openai", **FORCED_OPEN)))


def test_nothing_is_dashes_and_no_zero_rate() -> None:
    """Where nothing comes, every rate and every percentile is two dashes."""
    drawn = SCENES["no-traffic"].frame(120, 40).plain
    assert re.search(r"requests +--/s +0 ", drawn)
    assert re.search(r"openai +closed .* -- +-- +-- +-- +-- +--$", drawn, re.MULTILINE)
    assert not re.search(r"\s0\.0|\b0/s", drawn)


def test_rates_since_the_start_say_so() -> None:
    """While there is nothing else to compare with, title and alert say since when rates are."""
    title, alerted, *_ = SCENES["just-started"].lines()
    assert "rates since start, every 1s" in title
    assert "turned away since start" in Scene(after(until=600.0, minutes=0.0), late=600.0 - NOW).lines()[1]
    assert alerted
    assert "rates over 10s, every 1s" in Scene(HEALTHY).lines()[0]


def test_the_sorted_column_is_marked() -> None:
    """The title of the column that rows are sorted by is underlined, and beside it is where the order goes."""
    for sort in SORT_KEYS:
        for reverse, signs in ((False, "▲▼"), (True, "▼▲")):
            drawn = frame(HEALTHY(), View(sort=sort, reverse=reverse), HERE, Canvas(120, 24, UTC), NOW)
            assert [text for line in drawn.lines for text, style in line if "underline" in style] == [sort]
            sign = signs[sort != "PROVIDER"]
            assert re.search(rf"{sign}{sort}\b|\b{sort}{sign}", drawn.plain)
            assert len(re.findall("[▲▼]", drawn.plain)) == 1


def test_a_filter_leaves_what_it_names() -> None:
    """Rows, callers and events are those with the filter's text; totals are those of the bridge."""
    lines = SCENES["filtered"].lines()
    drawn = "\n".join(lines)
    assert "anthropic" in drawn
    assert "openai" not in drawn
    assert "…x7Qa" not in drawn
    assert {line for line in lines if line.startswith(TOTALS)} == set(Scene(HEALTHY).lines()[2:5])
    assert "showing only anth" in lines[-1]


# Time


def test_time_goes_on_between_documents() -> None:
    """Uptime and time in the state grow and the cooldown shrinks, though no document comes."""
    scene = SCENES["open"]
    assert re.search(r"OPEN +4s +26s", replace(scene, late=0.0).frame(80, 24).plain)
    later = replace(scene, late=20.0).lines()
    assert "up 2h14m" in later[0]
    assert later[1].startswith("openai OPEN, 6s left")
    assert re.search(r"OPEN +24s +6s", "\n".join(later))
    latest = replace(scene, late=60.0).lines()
    assert "up 2h15m" in latest[0]
    assert re.search(r"OPEN +1m04s +0s", "\n".join(latest))


@pytest.mark.parametrize("still", [{"lost": "it hung up"}, {"view": View(paused=True)}])
def test_nothing_jumps_back_when_it_stands_still(still: dict[str, Any]) -> None:
    """A paused picture, and the last word of a bridge that is lost, is as old as when it was last seen."""
    scene = replace(SCENES["open"], late=3.0)
    live, stands = scene.lines(), replace(scene, **still).lines()
    assert [line for line in live if "OPEN" in line][-1] == [line for line in stands if "OPEN" in line][-1]
    assert re.search(r"OPEN +7s +23s", "\n".join(stands))


# The alert


def test_what_comes_now_is_reported_first() -> None:
    """Statuses and errors of the interval come before those of before, the bad ones first, with their rates."""
    past = after(failing("openai", {"529": 0.3, "503": 0.1, "400": 0.1, "head": 0.2}))
    for width, told in (
        (
            120,
            r"^▸openai .* 529×\d+ \d\.\d/s  503×\d+ \d\.\d/s  200×[\d,]+ \d\.\d/s  400×.* head×\d+ \d\.\d/s$",
        ),
        (80, r"^▸openai .* 529 \d\.\d/s  503 \d\.\d/s  …  head \d\.\d/s$"),
    ):
        assert re.search(told, "\n".join(Scene(past).lines(width, 40)), re.MULTILINE), width


@pytest.mark.parametrize("width", [80, 120])
def test_what_no_status_tells_is_among_the_errors(width: int) -> None:
    """Overloads behind a 200 stand in their provider's row, with a rate and no total."""
    drawn = SCENES["sick-below"].frame(width, 40).plain
    assert re.search(r"^ copilot +3 +1\.2  200.* overload event 0\.6/s  hea", drawn, re.MULTILINE)


@pytest.mark.parametrize("size", [LOW, MIDDLE, WIDE])
def test_rejects_without_a_name_are_told_among_the_callers(size: tuple[int, int]) -> None:
    """When the limiter refuses it does not know whom: the callers' block begins with how many these are."""
    note = "2.1/s refused at capacity, names unknown"
    lines = SCENES["full"].lines(*size)
    [at] = [number for number, line in enumerate(lines) if note in line]
    assert "BUSIEST CALLER" in lines[at - 1]
    assert "…x7Qa " in lines[at + 1]
    assert note not in SCENES["healthy"].frame(*size).plain


def test_no_rejects_without_a_name_are_told_when_they_are_over() -> None:
    """The note is of the interval: what was refused before it is no news."""

    def was_full(document: Said) -> None:
        document["rejects"]["capacity"] = 16_000

    drawn = Scene(after(was_full)).frame(80, 24).plain
    assert "16,000" in drawn
    assert "names unknown" not in drawn


# Questions, notices, help


def test_the_help_is_whole_on_a_small_screen() -> None:
    """At 80x24 every key and every column of the table is explained, and no line is cut."""
    drawn = SCENES["help"].frame(80, 24).plain
    assert "…" not in drawn
    for key in KEYS:
        assert re.search(rf"^  {re.escape(key.keys)} +{re.escape(key.does)}$", drawn, re.MULTILINE)
    explained = drawn.partition("\nColumns\n")[2]
    assert {title for title in SORT_KEYS if not re.search(rf"\b{title}\b", explained)} == {"PROVIDER"}
    assert drawn.splitlines()[-1] == "any key goes back"


def test_the_foot_says_what_is_going_on() -> None:
    """The last line is the question, the filter that is typed, the notice, or the keys, in that order."""
    view = View(asking=Order("open", "openai"), typing=True, filter="abc", notice="done", help=True)
    feet = []
    for change in ({}, {"asking": None}, {"typing": False}, {"notice": ""}, {"help": False}, {"filter": ""}):
        view = replace(view, **change)
        feet.append(Scene(HEALTHY, view).lines()[-1][:12].strip())
    assert feet == ["openai: forc", "show only: a", "done", "any key goes", "showing only", "q quit  ? he"]


def test_words_of_others_send_no_codes() -> None:
    """What a bridge refuses with and what it answers to an order may be anything, and is made visible."""
    evil = "\x1b]0;owned\x07\n"
    drawn = replace(Scene(HEALTHY, View(notice=evil)), lost=evil).frame(80, 24).plain
    assert "\x1b" not in drawn
    assert len(drawn.splitlines()) == 24
    assert drawn.count("\\x1b]0;owned\\x07\\n") == 2


# Colours


# Purity


@pytest.mark.parametrize("name", SCENES)
def test_drawing_changes_nothing(name: str) -> None:
    """The same picture and view give the same frame, as often as they are drawn, and are what they were."""
    scene = SCENES[name]
    before = copy.deepcopy(scene.picture)
    first = scene.frame(100, 30)
    assert scene.frame(100, 30) == first
    assert scene.picture == before


def test_a_picture_stays_as_it_was() -> None:
    """What comes later changes a new picture and not one that is shown."""
    history = History()
    history.add(read(a_document(10.0)), 10.0)
    history.add(read(a_document(11.0)), 11.0)
    picture = history.picture(10.0)
    assert picture is not None
    before = copy.deepcopy(picture)
    history.add(read(a_document(12.0)), 12.0)
    assert picture == before
    assert history.picture(10.0) != before


def test_the_latest_event_is_on_top() -> None:
    """Events go back in time, and the newest are in sight."""
    for size in (LOW, MIDDLE):
        drawn = SCENES["crowded"].frame(*size).plain
        times = re.findall(r"^\d\d:\d\d:\d\d", drawn, re.MULTILINE)
        assert times[0] == "10:57:13"
        assert times == sorted(times, reverse=True)
        assert len(times) >= 2


def test_the_clock_of_events_is_the_canvas_own() -> None:
    """Events have the time of the zone that is asked for."""
    assert "09:56:40  openai closed → open" in Scene(HEALTHY).frame(80, 24).plain
    assert [row.provider.name for row in rows(View(), HEALTHY())] == list(STANDARD)


def write() -> None:
    """Write all snapshots anew, and remove those that are no longer compared."""
    SNAPSHOTS.mkdir(parents=True, exist_ok=True)
    for file in SNAPSHOTS.iterdir():
        file.unlink()
    for name, (scene, width, height) in SHOTS.items():
        (SNAPSHOTS / name).write_text(scene.frame(width, height).plain)
    sys.stdout.write(f"{len(SHOTS)} snapshots in {SNAPSHOTS}\n")


if __name__ == "__main__":
    write()
