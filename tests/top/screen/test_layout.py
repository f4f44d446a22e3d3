"""The frames of `aibridge top`: how every state looks, and the laws that every frame keeps.

Snapshots are in `tests/snapshots/top/`, a text a frame. After a change that is meant, write them anew with
`python -m tests.top.screen.test_layout`, and read what `git diff` says.
"""

from __future__ import annotations

import copy
import difflib
import io
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from aibridge_trio.printable import visible
from aibridge_trio.top.data.history import History, Picture
from aibridge_trio.top.data.parse import read
from aibridge_trio.top.keyboard import KEYS
from aibridge_trio.top.screen import alert
from aibridge_trio.top.screen.alert import Link
from aibridge_trio.top.screen.layout import Canvas, frame
from aibridge_trio.top.screen.text import Frame
from aibridge_trio.top.sort_order import SORT_KEYS
from aibridge_trio.top.view import PACES, Order, View, rows
from tests.support.pictures import (
    FORCED_CLOSED,
    FORCED_OPEN,
    HALF_OPEN,
    NOW,
    OFF,
    OPEN,
    RAMP,
    RESTING,
    UPTIME,
    Said,
    a_caller,
    a_document,
    a_picture,
    a_provider,
    a_trip,
    an_event,
    breaking,
    draining,
    failing,
    full,
    limiting,
    overrun,
    queueing,
    scoping,
    shadowing,
    silent,
    unlimited,
    without_rejects,
)
from tests.top.data.test_document import DOCUMENTS

SNAPSHOTS = Path(__file__).parents[2] / "snapshots" / "top"
HERE = Link("http://127.0.0.1:4002")
LOW, MIDDLE, WIDE = (80, 24), (120, 40), (200, 50)


def refusing(document: Said) -> None:
    """Let an open breaker refuse some."""
    document["rejects"]["circuit_open"] = document["requests"]["total"] // 9


def in_front(*events: Said) -> Any:
    """Let these be the latest events."""

    def change(document: Said) -> None:
        document["events"] = [*document["events"], *copy.deepcopy(list(events))]

    return change


def quiet(document: Said) -> None:
    """Let nobody call, ever."""
    document["callers"] = []
    document["events"] = document["events"][:1]
    document["concurrency"]["in_flight"] = document["rate_limit"]["callers"] = 0
    for provider in document["providers"]:
        provider["in_flight"] = 0


def crowded(document: Said) -> None:
    """Let there be twenty callers, every reason and fifty events."""
    total = document["requests"]["total"]
    for number, reason in enumerate(document["rejects"]):
        document["rejects"][reason] = total // (7 + 3 * number)
    document["callers"] = [
        *(
            a_caller(f"…{number:04x}", total // (4 + number), 41 * number, number % 3)
            for number in range(0, 57, 3)
        ),
        a_caller("192.168.100.200", total // 3, 99_999, 50),
    ]
    document["events"] += [event for number in range(16) for event in a_trip("anthropic", 4000.0 + 200 * number)]
    document["providers"][0]["upstream"] = {
        "responses": {
            str(status): total // each
            for status, each in ((200, 2), (400, 90), (401, 80), (429, 9), (500, 70), (503, 12), (529, 99))
        },
        "errors": {"connect": 12, "head": 1234, "stream": 3},
    }


def twelve(document: Said) -> None:
    """Let there be twelve providers, two of them sick."""
    total = document["requests"]["total"]
    document["providers"] = [a_provider(f"region-{number}", total // (number + 2)) for number in range(1, 13)]
    breaking("region-7", **OPEN)(document)
    breaking("region-9", **HALF_OPEN)(document)


TRIPPED = in_front(
    an_event(UPTIME - 4.8, "breaker", "5 failures in 10 s, last 429", "openai", source="closed", target="open")
)
OPENED = (breaking("openai", **OPEN), refusing, TRIPPED)
ALL_AT_ONCE = (
    *OPENED,
    breaking("anthropic", **HALF_OPEN),
    breaking("copilot", **FORCED_OPEN),
    full,
    draining,
)
# Nothing stops what fails: there is no breaker; or it counts, and has not had enough.
SICK_OFF = (
    *(breaking(name, **OFF) for name in ("openai", "anthropic", "copilot")),
    failing("openai", {"529": 1.0}),
)
SICK_BELOW = (
    failing("openai", {"529": 0.2, "503": 0.05, "head": 0.15}),
    breaking("openai", failures_in_window=4),
    # What is neutral by contract, and what is told behind a status that says 200.
    failing("anthropic", {"500": 1.0}),
    failing("copilot", {}, events=0.5),
)
SHADOWED = shadowing("concurrency", "rate")
EVERYTHING = (
    queueing,
    limiting,
    shadowing("concurrency", "concurrency-per-caller", "rate", "breaker", "credential"),
    scoping("openai"),
    breaking("anthropic", **RAMP, **RESTING),
    in_front(
        an_event(
            UPTIME - 22,
            "breaker",
            "5 failures in 10 s, last 429",
            "openai",
            scope="gpt-4o-mini",
            source="closed",
            target="open",
        )
    ),
)
TYPED = "anth"
TOTALS = ("requests ", "rejects ", "in flight ")


@dataclass(frozen=True)
class Scene:
    """What is looked at, and how (seconds).

    `late` is how old the document is that is shown, and `silence` for how long there was no other.
    """

    picture: Picture | None
    view: View = View()  # noqa: RUF009 - frozen
    lost: str = ""
    late: float = 0.4
    silence: float | None = 0.4
    sizes: tuple[tuple[int, int], ...] = (LOW,)
    ascii: bool = False

    def frame(self, width: int, height: int | None) -> Frame:
        """Draw it."""
        canvas = Canvas(width, height, UTC, self.ascii)
        link = replace(HERE, lost=self.lost, silence=self.silence)
        return frame(self.picture, self.view, link, canvas, NOW + self.late)

    def lines(self, width: int = 80, height: int | None = 24) -> list[str]:
        """Draw it, and return the lines."""
        return self.frame(width, height).plain.splitlines()


def an_override(target: str, because: str = "operator: open") -> Any:
    """Let somebody have forced copilot, twelve and a half minutes ago."""
    event = an_event(UPTIME - 754, "override", "operator", "copilot", target=target)
    if target != "open":
        return in_front(event)
    return in_front(
        an_event(UPTIME - 754, "breaker", because, "copilot", source="closed", target="open"),
        event,
    )


HEALTHY = a_picture()
SCENES = {
    "healthy": Scene(HEALTHY, sizes=(LOW, MIDDLE, WIDE)),
    "open": Scene(a_picture(*OPENED), sizes=(LOW, MIDDLE)),
    "half-open": Scene(a_picture(breaking("openai", **HALF_OPEN)), sizes=(LOW, MIDDLE)),
    "forced-open": Scene(a_picture(breaking("copilot", **FORCED_OPEN), an_override("open")), sizes=(LOW, MIDDLE)),
    "forced-closed": Scene(
        a_picture(breaking("copilot", **FORCED_CLOSED), an_override("close")), sizes=(LOW, MIDDLE)
    ),
    "off": Scene(a_picture(*(breaking(name, **OFF) for name in ("openai", "anthropic", "copilot")))),
    "sick-off": Scene(a_picture(*SICK_OFF), sizes=(LOW, MIDDLE, WIDE)),
    "sick-below": Scene(a_picture(*SICK_BELOW), sizes=(LOW, MIDDLE, WIDE)),
    "full": Scene(a_picture(full), sizes=(LOW, MIDDLE)),
    "no-limits": Scene(a_picture(unlimited)),
    "draining": Scene(a_picture(draining)),
    "all-at-once": Scene(a_picture(*ALL_AT_ONCE), sizes=(LOW, MIDDLE, WIDE)),
    "connecting": Scene(None, silence=None),
    "lost-at-first": Scene(None, lost="connection refused", silence=None),
    "lost-later": Scene(a_picture(*OPENED), lost="it hung up", silence=75.0, sizes=(LOW, MIDDLE)),
    "silent": Scene(HEALTHY, late=3.6, silence=3.6),
    "paused": Scene(HEALTHY, View(paused=True)),
    "help": Scene(HEALTHY, View(help=True)),
    "asking": Scene(HEALTHY, View(chosen="anthropic", asking=Order("close", "anthropic"))),
    "typing": Scene(HEALTHY, View(typing=True, filter=TYPED)),
    "filtered": Scene(HEALTHY, View(filter=TYPED), sizes=(LOW, MIDDLE)),
    "notice": Scene(HEALTHY, View(notice="openai: open, mode open")),
    "sorted": Scene(HEALTHY, View(sort="P99", reverse=True, chosen="copilot")),
    "no-traffic": Scene(a_picture(quiet, per_second=0.0)),
    "just-started": Scene(a_picture(until=3.0, minutes=0.0), late=0.4 - (NOW - 3.0)),
    "crowded": Scene(a_picture(crowded), sizes=(LOW, MIDDLE, WIDE)),
    "twelve-providers": Scene(a_picture(twelve), View(chosen="region-12"), sizes=(LOW, (80, 12), MIDDLE)),
    "ascii": Scene(a_picture(*ALL_AT_ONCE), ascii=True),
    "queue": Scene(a_picture(queueing), sizes=(LOW, MIDDLE)),
    "limits": Scene(a_picture(limiting), sizes=(LOW, MIDDLE)),
    "shadow": Scene(a_picture(SHADOWED), sizes=(LOW, MIDDLE, WIDE)),
    "scopes": Scene(a_picture(scoping("openai")), sizes=(LOW, MIDDLE)),
    "ramp": Scene(a_picture(breaking("openai", **RAMP)), sizes=(LOW, MIDDLE)),
    "credentials": Scene(a_picture(breaking("openai", **RESTING)), sizes=(LOW, MIDDLE)),
    "everything-on": Scene(a_picture(*EVERYTHING), sizes=(LOW, MIDDLE, WIDE)),
    "everything-on-ascii": Scene(a_picture(*EVERYTHING), ascii=True),
    "refusing": Scene(a_picture(failing("anthropic", {"401": 1.0}), without_rejects), sizes=(LOW, MIDDLE)),
    "unanswered": Scene(a_picture(silent("anthropic", 15, 14.0), without_rejects), sizes=(LOW, MIDDLE)),
    "connections": Scene(a_picture(overrun), sizes=(LOW, MIDDLE)),
    "narrow": Scene(a_picture(*OPENED), sizes=((60, 20),)),
}
SHOTS = {
    f"{name}-{width}x{height}.txt": (scene, width, height)
    for name, scene in SCENES.items()
    for width, height in scene.sizes
}


@pytest.mark.parametrize("shot", SHOTS)
def test_frames_look_as_they_did(shot: str) -> None:
    """Every state looks as its snapshot says; `python -m tests.top.screen.test_layout` writes them anew."""
    scene, width, height = SHOTS[shot]
    then, now = (SNAPSHOTS / shot).read_text(), scene.frame(width, height).plain
    diff = difflib.unified_diff(then.splitlines(), now.splitlines(), "the snapshot", "now", lineterm="")
    assert then == now, f"{shot}\n" + "\n".join(diff)


def test_there_are_no_other_snapshots() -> None:
    """A snapshot that nobody compares is none."""
    assert {file.name for file in SNAPSHOTS.iterdir()} == set(SHOTS)


# The size


VIEWS = st.builds(
    View,
    interval=st.sampled_from(PACES) | st.floats(0.1, 1e4),
    chosen=st.none() | st.sampled_from(["openai", "anthropic", "region-12", "nobody"]),
    sort=st.sampled_from(list(SORT_KEYS)),
    reverse=st.booleans(),
    filter=st.sampled_from(["", "o", "日本語" * 13, "nobody"]),
    typing=st.booleans(),
    paused=st.booleans(),
    help=st.booleans(),
    asking=st.none()
    | st.builds(Order, st.sampled_from(["open", "close", "auto"]), st.text(max_size=99).map(visible)),
    notice=st.sampled_from(["", "done", "x" * 300, "\x1b[31m\n日本語"]),
)
LOST = st.sampled_from(["", "connection refused", "\x1b[31m\nno", "x" * 300])
PICTURES = st.sampled_from([scene.picture for scene in SCENES.values()])


def anything(said: Any) -> Picture | None:
    """A picture of any document."""
    history = History()
    history.add(read(said), NOW)
    return history.picture(10.0)


def holds_its_size(drawn: Frame, width: int, height: int) -> None:
    """Hold a frame to its size and to what a terminal may be sent."""
    lines = drawn.plain.split("\n")
    assert lines.pop() == ""
    assert len(lines) == len(drawn.lines) == height
    for line in drawn.lines:
        assert sum(cell_len(text) for text, _ in line) == width
        assert all(text.isprintable() for text, _ in line)
        assert cell_len("".join(text for text, _ in line)) <= width


@given(PICTURES, VIEWS, LOST, st.integers(1, 250), st.integers(1, 80), st.booleans(), st.floats(0, 1e6))
def test_a_frame_has_the_size_of_its_terminal(
    picture: Picture | None, view: View, lost: str, width: int, height: int, ascii_: bool, late: float
) -> None:
    """Whatever is shown wherever, a frame has its height, no line is too wide, and no code is in it."""
    link, canvas = Link("http://bridge:4002", lost), Canvas(width, height, UTC, ascii_)
    drawn = frame(picture, view, link, canvas, NOW + late)
    holds_its_size(drawn, width, height)
    assert not ascii_ or drawn.plain.isascii()


@given(DOCUMENTS, VIEWS, st.integers(1, 250), st.integers(1, 80))
def test_any_document_can_be_drawn(said: Any, view: View, width: int, height: int) -> None:
    """What the schema allows, a frame can hold, however strange it is."""
    holds_its_size(frame(anything(said), view, HERE, Canvas(width, height, UTC), NOW), width, height)


@given(PICTURES, st.integers(1, 250), st.integers(1, 80))
def test_the_foot_is_the_last_line(picture: Picture | None, width: int, height: int) -> None:
    """The keys are at the foot of every terminal, as far as they find room."""
    last = frame(picture, View(), HERE, Canvas(width, height, UTC), NOW).plain.splitlines()[-1]
    everything = "  ".join(key.short for key in KEYS if key.short)
    assert everything.startswith(last.rstrip("…"))
    assert last == everything or len(last) <= width < len(everything)
    assert width < 30 or last.startswith("q quit  ? help  p pause")


@given(PICTURES.filter(bool), st.integers(1, 250))
def test_without_a_height_everything_is_shown(picture: Picture, width: int) -> None:
    """Off a screen a frame is as high as what it shows, and has no foot."""
    drawn = frame(picture, View(), HERE, Canvas(width, None, UTC), NOW).plain
    assert "q quit" not in drawn
    if width >= 150:
        named = [each.name for each in picture.document.providers]
        named += [each.hint for each in picture.document.callers]
        named += [reason for reason, times in picture.document.rejects.items() if times]
        named += [each.because[:20] for each in picture.document.events]
        assert [name for name in named if name not in drawn] == []


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
    """With room there are tokens in and out and rejects of each provider, totals by status, a longer trace."""
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


STATES: dict[str, Said] = {
    "closed": {},
    "OPEN": OPEN,
    "half-open": HALF_OPEN,
    "FORCED OPEN": FORCED_OPEN,
    "forced closed": FORCED_CLOSED,
    "off": OFF,
}


def row_of(provider: str, *changes: Any, **view: Any) -> str:
    """The line of a provider."""
    lines = Scene(a_picture(*changes), View(**view)).lines()
    return next(line for line in lines if line[1:].startswith(provider))


@pytest.mark.parametrize("word", STATES)
def test_every_state_has_its_word(word: str) -> None:
    """A state is told from all others without any colour."""
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
    assert "turned away since start" in Scene(a_picture(until=600.0, minutes=0.0), late=600.0 - NOW).lines()[1]
    assert alerted
    assert "rates over 10s, every 1s" in Scene(HEALTHY).lines()[0]


def test_the_choice_is_marked_and_always_on_screen() -> None:
    """The chosen row has a mark, and in a low terminal the other rows give way to it."""
    scene = SCENES["twelve-providers"]
    for number in range(1, 13):
        for height in range(8, 41):
            view = View(chosen=f"region-{number}")
            lines = replace(scene, view=view).lines(80, height)
            assert any(re.match(rf"▸region-{number} ", line) for line in lines), height
            assert {line.split()[0] for line in lines if line.startswith("▸")} == {f"▸region-{number}"}


def test_the_sorted_column_is_marked() -> None:
    """The title of the column that rows are sorted by is underlined, and beside it is where the order goes."""
    for sort in SORT_KEYS:
        for reverse, signs in ((False, "▲▼"), (True, "▼▲")):
            drawn = frame(HEALTHY, View(sort=sort, reverse=reverse), HERE, Canvas(120, 24, UTC), NOW)
            assert [text for line in drawn.lines for text, style in line if "underline" in style] == [sort]
            sign = signs[sort != "PROVIDER"]
            assert re.search(rf"{sign}{sort}\b|\b{sort}{sign}", drawn.plain)
            assert len(re.findall("[▲▼]", drawn.plain)) == 1


@pytest.mark.parametrize("height", range(9, 40))
def test_a_low_terminal_shows_what_matters_most(height: int) -> None:
    """Alert, totals and the sick stay; reasons stay longer than events; every block has its head."""
    lines = SCENES["all-at-once"].lines(80, height)
    assert lines[1].startswith("openai OPEN")
    heads = ("PROVIDER", "UPSTREAM", "REJECTS BY", "EVENTS")
    found = [head for head in heads if any(line.startswith(head) for line in lines)]
    assert found[0] == "PROVIDER"
    assert any(line.startswith("▸openai    OPEN") for line in lines)
    if "EVENTS" in found or "UPSTREAM" in found:
        assert "REJECTS BY" in found
    for head in found:
        place = next(number for number, line in enumerate(lines) if line.startswith(head))
        assert lines[place + 1].strip()


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


@pytest.mark.parametrize(
    ("silence", "told"), [(None, ""), (0.0, ""), (2.4, ""), (2.5, "no word for 2s  "), (4.9, "no word for 4s  ")]
)
def test_a_silent_bridge_is_told(silence: float | None, told: str) -> None:
    """Who speaks every second, and has not for more than two, is not shown as if nothing were the matter."""
    line = Scene(HEALTHY, silence=silence).lines()[1]
    assert line == f"{told}turned away rate_limit 0.1/s"
    assert ("no word" in Scene(HEALTHY, silence=silence, lost="it hung up").lines()[1]) is False


def test_a_lost_bridge_says_since_when() -> None:
    """The alert says what is wrong, since when nothing has come, and that it is tried again."""
    assert SCENES["lost-later"].lines()[1] == "NO BRIDGE: it hung up, last word 1m15s ago; trying again"
    # Whether it is still up nobody knows.
    assert "up 2h14m" in SCENES["lost-later"].lines()[0]
    assert SCENES["lost-at-first"].lines()[1] == "NO BRIDGE: connection refused; trying again"
    assert SCENES["connecting"].lines()[1] == "connecting"


# The alert


def alerted(*changes: Any, width: int = 200) -> str:
    """The alert line."""
    return Scene(a_picture(*changes)).lines(width)[1]


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


STANDARD = ("openai", "anthropic", "copilot")


def test_the_alert_is_calm_when_all_is_well() -> None:
    """Who turns nobody away, and has nobody sick, is well, with breakers or without."""
    calm = "all well: nobody is turned away"
    assert SCENES["no-traffic"].lines()[1] == calm
    for state in (OFF, OFF | OPEN):
        assert Scene(a_picture(quiet, breaking("openai", **state), per_second=0.0)).lines()[1] == calm


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
    """Whatever goes wrong, and whether or not something counts it, is told, in yellow, on every screen."""
    picture = a_picture(failing("openai", parts, events=events), breaking("openai", **breaker), without_rejects)
    for width in (80, 200):
        scene = Scene(picture)
        assert re.match(told, scene.lines(width)[1])
        (text, style), *_ = scene.frame(width, 24).lines[1]
        assert (text.split()[0], style) == ("openai", "bold yellow")


def test_what_is_over_is_over() -> None:
    """Failures from before the interval stay among the totals, and alarm nobody."""
    scene = Scene(a_picture(without_rejects))
    assert scene.lines()[1] == "all well: nobody is turned away"
    styles = [style for line in scene.frame(80, 24).lines for text, style in line if text.strip() == "429×131"]
    assert styles == ["dim"]


def test_a_breaker_that_counts_is_told() -> None:
    """Before a breaker opens it is said how far it has come, also when the last failure is a while ago."""
    counting = breaking("openai", failures_in_window=4)
    assert Scene(a_picture(counting, without_rejects)).lines()[1] == "openai FAILS 4/5"
    sick = failing("openai", {"529": 1.0})
    assert Scene(a_picture(counting, sick, without_rejects)).lines()[1] == (
        "openai 100% errors: 529 6.6/s, FAILS 4/5"
    )


def test_who_is_out_is_not_called_sick_as_well() -> None:
    """Of an open breaker it is said that it is open, and no more."""
    picture = a_picture(failing("openai", {"529": 1.0}), breaking("openai", **OPEN), without_rejects)
    assert Scene(picture).lines(200)[1] == "openai OPEN, 25s left"


def test_every_sick_provider_finds_room() -> None:
    """On a small screen there are fewer causes rather than fewer names."""
    lines = SCENES["sick-below"].lines(80)
    for name in STANDARD:
        assert re.search(rf"{name} \d+% errors", "\n".join(lines[1:3]))
    assert "…,  " not in lines[1]
    assert len(SCENES["sick-below"].lines(200)[1]) > 160


def test_errors_since_the_start_say_so() -> None:
    """One document does not tell when something went wrong."""
    scene = Scene(a_picture(without_rejects, until=600.0, minutes=0.0), late=600.0 - NOW)
    assert scene.lines()[1] == "errors since start: openai, anthropic, copilot"


def test_what_comes_now_is_told_first() -> None:
    """Statuses and errors of the interval come before those of before, the bad ones first, with their rates."""
    picture = a_picture(failing("openai", {"529": 0.3, "503": 0.1, "400": 0.1, "head": 0.2}))
    for width, told in (
        (
            120,
            r"^▸openai .* 529×\d+ \d\.\d/s  503×\d+ \d\.\d/s  200×[\d,]+ \d\.\d/s  400×.* head×\d+ \d\.\d/s$",
        ),
        (80, r"^▸openai .* 529 \d\.\d/s  503 \d\.\d/s  …  head \d\.\d/s$"),
    ):
        assert re.search(told, "\n".join(Scene(picture).lines(width, 40)), re.MULTILINE), width


@pytest.mark.parametrize("width", [80, 120])
def test_what_no_status_tells_is_among_the_errors(width: int) -> None:
    """Overloads behind a 200 stand in their provider's row, with a rate, as nobody counts them by themselves."""
    drawn = SCENES["sick-below"].frame(width, 40).plain
    assert re.search(r"^ copilot +3 +1\.2  200.* overload event 0\.6/s  hea", drawn, re.MULTILINE)


def test_a_breaker_that_is_forced_closed_is_told() -> None:
    """Nothing will stop such a provider, so it is not passed over as being well; it is not red either."""
    scene = Scene(a_picture(quiet, breaking("openai", **FORCED_CLOSED), per_second=0.0))
    assert scene.lines()[1] == "openai forced closed"


@pytest.mark.parametrize(
    ("in_flight", "limit", "is_full"), [(49, 50, False), (50, 50, True), (51, 50, True), (9, 0, False)]
)
def test_full_is_said_where_it_is(in_flight: int, limit: int, is_full: bool) -> None:
    """FULL is said from the limit on, and never without a limit; the bar is full with it."""

    def busy(document: Said) -> None:
        document["concurrency"] = {"limit": limit, "in_flight": in_flight}

    lines = Scene(a_picture(busy)).lines()
    assert ("FULL" in lines[1]) == is_full
    assert ("█" * 20 in lines[4]) == is_full
    assert (f"{in_flight} of {limit}" if limit else f"{in_flight}, no limit") in lines[4]
    assert ("░" in lines[4] or "█" in lines[4]) == bool(limit)


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

    drawn = Scene(a_picture(was_full)).frame(80, 24).plain
    assert "16,000" in drawn
    assert "names unknown" not in drawn


# Questions, notices, help


@pytest.mark.parametrize("mode", ["open", "close", "auto"])
@pytest.mark.parametrize(
    "provider", ["openai", "anthropic", "a-provider-with-a-very-long-name-indeed-and-more-of-it"]
)
@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_question_shows_how_to_answer(mode: str, provider: str, width: int) -> None:
    """Whom it is about, and the keys for yes and no, are on every screen."""
    foot = Scene(HEALTHY, View(asking=Order(mode, provider))).lines(width)[-1]
    assert foot.startswith(provider[:20])
    assert foot.endswith("  y yes  n no")
    if width == 200:
        assert alert.question(Order(mode, provider)) in foot


def test_the_three_questions_differ() -> None:
    """Nobody takes one order for another."""
    questions = {mode: alert.question(Order(mode, "openai")) for mode in ("open", "close", "auto")}
    assert len(set(questions.values())) == 3
    assert "refuse" in questions["open"]
    assert "pass" in questions["close"]


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


def colours(drawn: Frame) -> Iterator[tuple[int, str, str]]:
    """Line number, colour and text of all that has a colour."""
    for number, line in enumerate(drawn.lines):
        for text, style in line:
            for colour in ("red", "yellow", "green"):
                if colour in style and text.strip():
                    yield number, colour, text


def is_urgent(picture: Picture | None, lost: str) -> bool:
    """Whether something is out of service."""
    providers = picture.document.providers if picture else ()
    breakers = [each.breaker for each in providers if each.breaker.enabled]
    return bool(lost) or any(
        "open" in (each.state, *(scope.state for scope in each.scopes if each.mode == "auto")) for each in breakers
    )


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("size", [LOW, MIDDLE, WIDE])
def test_red_is_an_open_breaker_or_a_lost_bridge(name: str, size: tuple[int, int]) -> None:
    """In every scene there is red if and only if a breaker is open or the bridge is lost."""
    scene = SCENES[name]
    red = [text for _, colour, text in colours(scene.frame(*size)) if colour == "red"]
    assert bool(red) == is_urgent(scene.picture, scene.lost), red


@given(DOCUMENTS, LOST)
def test_red_is_nothing_else(said: Any, lost: str) -> None:
    """Whatever a bridge says, red is for what is out of service."""
    picture = anything(said)
    drawn = frame(picture, View(), replace(HERE, lost=lost), Canvas(120, 40, UTC), NOW)
    assert any(colour == "red" for _, colour, _ in colours(drawn)) == is_urgent(picture, lost)


def test_red_is_where_the_open_breaker_is() -> None:
    """Red are the alert, the open provider's name, its state and what is left, and nothing of anybody else."""
    drawn = SCENES["open"].frame(80, 24)
    red = [(number, text.strip()) for number, colour, text in colours(drawn) if colour == "red"]
    assert red == [
        (1, "openai OPEN, 25s left"),
        (6, "▸openai"),
        (6, "OPEN"),
        (6, "25s"),
        (10, "▸openai"),
    ]


def test_a_full_limiter_stands_out() -> None:
    """A full limiter is bold where all else is plain: in the alert, the bar and the number."""
    drawn = SCENES["full"].frame(80, 24)
    loud = [text.strip() for line in drawn.lines[:5] for text, style in line if style == "bold yellow"]
    assert loud[:1] == ["FULL"]
    assert loud[-2:] == ["█" * 20, "50 of 50"]
    assert not any(style == "bold yellow" for line in Scene(HEALTHY).frame(80, 24).lines[2:] for _, style in line)


@pytest.mark.parametrize("size", [LOW, MIDDLE, WIDE])
def test_a_lost_bridges_picture_is_grey(size: tuple[int, int]) -> None:
    """When the bridge is gone only the alert has a colour, and all of the last picture is still there, dimmed."""
    scene = SCENES["lost-later"]
    drawn = scene.frame(*size)
    assert [(number, colour) for number, colour, _ in colours(drawn)] == [(1, "red")]
    assert {style for line in drawn.lines[2:-1] for text, style in line if text.strip()} == {"dim"}
    there = replace(scene, lost="", silence=0.4, view=View(paused=True)).frame(*size)
    assert drawn.plain.splitlines()[2:] == there.plain.splitlines()[2:]


def drawn_by_rich(drawn: Frame, **options: Any) -> str:
    """What a console sends to a terminal."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, height=24, **options)
    console.print(drawn, end="")
    return out.getvalue()


CODES = re.compile(r"\x1b\[([0-9;]*)m")


def colour_codes(sent: str) -> set[int]:
    """Which codes for colours are in it."""
    codes = {int(code) for found in CODES.findall(sent) for code in found.split(";") if code}
    return {code for code in codes if 30 <= code <= 49 or 90 <= code <= 107}


@pytest.mark.parametrize("name", SCENES)
def test_without_colours_no_colours_are_sent(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR, or a console without colours, gets the same text and no code for a colour."""
    drawn = SCENES[name].frame(80, 24)
    plain = drawn_by_rich(drawn, no_color=True, color_system="standard")
    monkeypatch.setenv("NO_COLOR", "1")
    by_variable = drawn_by_rich(drawn, color_system="standard")
    for sent in (plain, by_variable):
        assert colour_codes(sent) == set()
        text = CODES.sub("", sent)
        assert [line.rstrip() for line in text.splitlines()] == drawn.plain.splitlines()


def test_with_colours_they_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Red, yellow and green are the terminal's own; no background is touched."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    sent = drawn_by_rich(SCENES["open"].frame(80, 24), color_system="standard")
    assert colour_codes(sent) == {31, 32, 33}
    assert colour_codes(drawn_by_rich(Scene(HEALTHY).frame(80, 24), color_system="standard")) == {32, 33}


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
    assert [row.provider.name for row in rows(View(), HEALTHY)] == list(STANDARD)


def write() -> None:
    """Write all snapshots anew, and remove those that nobody compares any more."""
    SNAPSHOTS.mkdir(parents=True, exist_ok=True)
    for file in SNAPSHOTS.iterdir():
        file.unlink()
    for name, (scene, width, height) in SHOTS.items():
        (SNAPSHOTS / name).write_text(scene.frame(width, height).plain)
    sys.stdout.write(f"{len(SHOTS)} snapshots in {SNAPSHOTS}\n")


if __name__ == "__main__":
    write()
