"""Scenes of the dashboard: what it shows of bridges in every state."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC
from functools import cache, partial
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from rich.cells import cell_len

from aibridge_trio.printable import visible
from aibridge_trio.top.data.history import History, Picture
from aibridge_trio.top.data.parse import read
from aibridge_trio.top.screen.alert import Link
from aibridge_trio.top.screen.layout import Canvas, frame
from aibridge_trio.top.screen.text import Frame
from aibridge_trio.top.sort_order import SORT_KEYS
from aibridge_trio.top.view import PACES, Order, View
from tests.support.pictures import (
    FORCED_CLOSED,
    FORCED_OPEN,
    HALF_OPEN,
    LEARNED,
    NOW,
    OFF,
    OPEN,
    OUTAGE,
    QUOTA,
    RAMP,
    RESTING,
    UPTIME,
    Change,
    Said,
    a_caller,
    a_picture,
    a_provider,
    a_trip,
    adapting,
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

SNAPSHOTS = Path(__file__).parents[1] / "snapshots" / "top"
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
    """Let there be no callers."""
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
    # What is neutral by contract, and an overload inside a 200.
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
    """What is looked at, and how (seconds): `past` returns the picture.

    `late` is how old the document is that is shown, and `silence` for how long there was no other.
    """

    past: Callable[[], Picture | None]
    view: View = View()  # noqa: RUF009 - frozen
    lost: str = ""
    late: float = 0.4
    silence: float | None = 0.4
    sizes: tuple[tuple[int, int], ...] = (LOW,)
    ascii: bool = False

    @property
    def picture(self) -> Picture | None:
        """What is drawn."""
        return self.past()

    def frame(self, width: int, height: int | None) -> Frame:
        """Draw it."""
        canvas = Canvas(width, height, UTC, self.ascii)
        link = replace(HERE, lost=self.lost, silence=self.silence)
        return frame(self.picture, self.view, link, canvas, NOW + self.late)

    def lines(self, width: int = 80, height: int | None = 24) -> list[str]:
        """Draw it, and return the lines."""
        return self.frame(width, height).plain.splitlines()


def an_override(target: str, because: str = "operator: open") -> Any:
    """Let copilot have been forced twelve and a half minutes ago."""
    event = an_event(UPTIME - 754, "override", "operator", "copilot", target=target)
    if target != "open":
        return in_front(event)
    return in_front(
        an_event(UPTIME - 754, "breaker", because, "copilot", source="closed", target="open"),
        event,
    )


def after(*changes: Change, **told: float) -> Callable[[], Picture]:
    """Return what makes `a_picture` of this when it is first needed: each is five minutes of documents."""
    return cache(partial(a_picture, *changes, **told))


def nothing() -> None:
    """No document has come."""


HEALTHY = after()
SCENES = {
    "healthy": Scene(HEALTHY, sizes=(LOW, MIDDLE, WIDE)),
    "open": Scene(after(*OPENED), sizes=(LOW, MIDDLE)),
    "half-open": Scene(after(breaking("openai", **HALF_OPEN)), sizes=(LOW, MIDDLE)),
    "forced-open": Scene(after(breaking("copilot", **FORCED_OPEN), an_override("open")), sizes=(LOW, MIDDLE)),
    "forced-closed": Scene(after(breaking("copilot", **FORCED_CLOSED), an_override("close")), sizes=(LOW, MIDDLE)),
    "off": Scene(after(*(breaking(name, **OFF) for name in ("openai", "anthropic", "copilot")))),
    "sick-off": Scene(after(*SICK_OFF), sizes=(LOW, MIDDLE, WIDE)),
    "sick-below": Scene(after(*SICK_BELOW), sizes=(LOW, MIDDLE, WIDE)),
    "full": Scene(after(full), sizes=(LOW, MIDDLE)),
    "no-limits": Scene(after(unlimited)),
    "draining": Scene(after(draining)),
    "all-at-once": Scene(after(*ALL_AT_ONCE), sizes=(LOW, MIDDLE, WIDE)),
    "connecting": Scene(nothing, silence=None),
    "lost-at-first": Scene(nothing, lost="connection refused", silence=None),
    "lost-later": Scene(after(*OPENED), lost="it hung up", silence=75.0, sizes=(LOW, MIDDLE)),
    "silent": Scene(HEALTHY, late=3.6, silence=3.6),
    "paused": Scene(HEALTHY, View(paused=True)),
    "help": Scene(HEALTHY, View(help=True)),
    "asking": Scene(HEALTHY, View(chosen="anthropic", asking=Order("close", "anthropic"))),
    "typing": Scene(HEALTHY, View(typing=True, filter=TYPED)),
    "filtered": Scene(HEALTHY, View(filter=TYPED), sizes=(LOW, MIDDLE)),
    "notice": Scene(HEALTHY, View(notice="openai: open, mode open")),
    "sorted": Scene(HEALTHY, View(sort="P99", reverse=True, chosen="copilot")),
    "no-traffic": Scene(after(quiet, per_second=0.0)),
    "just-started": Scene(after(until=3.0, minutes=0.0), late=0.4 - (NOW - 3.0)),
    "crowded": Scene(after(crowded), sizes=(LOW, MIDDLE, WIDE)),
    "twelve-providers": Scene(after(twelve), View(chosen="region-12"), sizes=(LOW, (80, 12), MIDDLE)),
    "ascii": Scene(after(*ALL_AT_ONCE), ascii=True),
    "queue": Scene(after(queueing), sizes=(LOW, MIDDLE)),
    "limits": Scene(after(limiting), sizes=(LOW, MIDDLE)),
    "shadow": Scene(after(SHADOWED), sizes=(LOW, MIDDLE, WIDE)),
    "scopes": Scene(after(scoping("openai")), sizes=(LOW, MIDDLE)),
    "ramp": Scene(after(breaking("openai", **RAMP)), sizes=(LOW, MIDDLE)),
    "credentials": Scene(after(breaking("openai", **RESTING)), sizes=(LOW, MIDDLE)),
    "everything-on": Scene(after(*EVERYTHING), sizes=(LOW, MIDDLE, WIDE)),
    "everything-on-ascii": Scene(after(*EVERYTHING), ascii=True),
    "refusing": Scene(after(failing("anthropic", {"401": 1.0}), without_rejects), sizes=(LOW, MIDDLE)),
    "unanswered": Scene(after(silent("anthropic", 15, 14.0), without_rejects), sizes=(LOW, MIDDLE)),
    "connections": Scene(after(overrun), sizes=(LOW, MIDDLE)),
    "adaptive": Scene(
        after(adapting("openai", **LEARNED), adapting("anthropic", **QUOTA), adapting("copilot")),
        sizes=(LOW, MIDDLE, (60, 20)),
    ),
    "outage": Scene(after(adapting("anthropic", **OUTAGE), without_rejects), sizes=(LOW, MIDDLE)),
    "narrow": Scene(after(*OPENED), sizes=((60, 20),)),
}
SHOTS = {
    f"{name}-{width}x{height}.txt": (scene, width, height)
    for name, scene in SCENES.items()
    for width, height in scene.sizes
}
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
PICTURES = st.sampled_from([scene.past for scene in SCENES.values()]).map(lambda past: past())


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
    lines = Scene(after(*changes), View(**view)).lines()
    return next(line for line in lines if line[1:].startswith(provider))


STANDARD = ("openai", "anthropic", "copilot")


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
