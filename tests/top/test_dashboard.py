"""The dashboard at work, in virtual time: when it draws, what it says of silence, and what stands still."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.admin.client import AdminClient, Unreachable
from aibridge_trio.top.dashboard import Dashboard
from aibridge_trio.top.screen.text import Frame
from aibridge_trio.top.terminal import Terminal
from aibridge_trio.top.view import View
from tests.support.pictures import HALF_OPEN, OPEN, Change, a_document, breaking

Hear = Callable[[Any], None]

URL = "http://127.0.0.1:4002"
# The uptime that the bridge tells first (seconds).
FIRST = 1000.0
# As often as that the screen may change (frames a second).
MOST = 20


class Paper(Terminal):
    """A terminal that notes when it was drawn on, and what; keys come from a channel."""

    def __init__(self) -> None:
        self.ascii = False
        self.frames: list[tuple[float, list[str]]] = []
        self.press, self._pressed = trio.open_memory_channel[str](math.inf)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def size(self) -> tuple[int, int]:
        return 80, 24

    def draw(self, frame: Frame) -> None:
        self.frames.append((trio.current_time(), frame.plain.splitlines()))

    async def keys(self) -> list[str]:
        return [await self._pressed.receive()]

    @property
    def lines(self) -> list[str]:
        """What is seen."""
        return self.frames[-1][1]

    def at(self, time: float) -> list[str]:
        """What was seen at this time."""
        return [lines for drawn, lines in self.frames if drawn <= time][-1]


class Bridge(AdminClient):
    """A bridge that says what `say` says, and then nothing more; of orders it wants to know nothing."""

    def __init__(self, say: Callable[[Hear], Awaitable[None]]) -> None:
        super().__init__(URL)
        self._say = say

    async def follow(self, hear: Hear) -> None:
        await self._say(hear)
        await trio.sleep_forever()

    async def override(self, provider: str, mode: str, **more: Any) -> str:
        raise Unreachable(URL, f"no {mode} for {provider}")


@contextmanager
def always(hear: Hear) -> Iterator[Callable[..., None]]:
    """Yields what says a document of now, with changes."""
    began = trio.current_time()

    def say(*changes: Change) -> None:
        hear(a_document(FIRST + trio.current_time() - began, *changes))

    yield say


async def every_second(hear: Hear, seconds: float = math.inf, *changes: Change) -> None:
    """Speak as a bridge does, for so many seconds."""
    with always(hear) as say:
        spoken = 0
        while spoken <= seconds:
            say(*changes)
            spoken += 1
            await trio.sleep(1.0)


async def watched(
    say: Callable[[Hear], Awaitable[None]], seconds: float, keys: dict[float, str] | None = None, **view: Any
) -> Paper:
    """Watch a bridge for so long, and press these keys at their times."""
    paper = Paper()
    dashboard = Dashboard(Bridge(say), paper, View(**view))

    async def press() -> None:
        for at, key in (keys or {}).items():
            await trio.sleep_until(at)
            paper.press.send_nowait(key)

    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(press)
            await dashboard.run()
    return paper


# When it draws


@pytest.mark.parametrize("after", [0.0, 0.02, 0.049, 0.05, 0.3])
async def test_the_first_frame_comes_at_once(autojump_clock: MockClock, after: float) -> None:
    """What a bridge says first is on the screen a twentieth of a second later, however soon it speaks."""

    async def say(hear: Hear) -> None:
        await trio.sleep(after)
        await every_second(hear)

    paper = await watched(say, 0.9)
    shown = next(at for at, lines in paper.frames if lines[1] != "connecting")
    assert after <= shown <= max(after, 0.05)


@pytest.mark.parametrize("later", [0.001, 0.02, 0.06, 0.5])
async def test_what_happens_is_seen_at_once(autojump_clock: MockClock, later: float) -> None:
    """A transition right behind another frame waits for no tick, and not for the next frame that is due anyway."""

    async def say(hear: Hear) -> None:
        with always(hear) as document:
            await trio.sleep(1.0)
            document()
            await trio.sleep(later)
            document(breaking("openai", **OPEN), happening)

    paper = await watched(say, 3.0, interval=60.0)
    shown = next(at for at, lines in paper.frames if lines[1].startswith("openai OPEN"))
    assert 1.0 + later <= shown <= 1.0 + max(later, 0.05)


def happening(document: dict[str, Any]) -> None:
    """Let the document tell of one event more than the one before."""
    document["events"].append(document["events"][0] | {"because": f"at {document['uptime_s']}"})


async def test_frames_are_bounded(autojump_clock: MockClock) -> None:
    """However much is said and pressed, there are twenty frames a second, and so its cost has a bound."""

    async def say(hear: Hear) -> None:
        with always(hear) as document:
            for number in range(2000):
                await trio.sleep(0.001)
                document(happening, breaking("openai", **(HALF_OPEN if number % 2 else OPEN)))

    keys = {0.0005 + number / 500: "jkr"[number % 3] for number in range(1000)}
    paper = await watched(say, 2.0, keys, interval=0.01)
    times = [at for at, _ in paper.frames]
    assert 2 * MOST - 5 <= len(times) <= 2 * MOST + 1
    assert all(later - sooner >= 0.0499 for sooner, later in pairwise(times))


async def test_at_its_pace_it_draws_once_a_second(autojump_clock: MockClock) -> None:
    """When nothing happens, a document a second makes a frame a second."""
    paper = await watched(every_second, 60.0)
    assert 60 <= len(paper.frames) <= 62


# What it says of silence


async def falls_silent(hear: Hear) -> None:
    """Speak for three seconds, and never again."""
    await every_second(hear, 3, breaking("openai", **OPEN))


@pytest.mark.parametrize("interval", [1.0, 60.0])
async def test_silence_is_reported(autojump_clock: MockClock, interval: float) -> None:
    """From two and a half seconds on it is said that nothing comes, also when frames are seldom."""
    paper = await watched(falls_silent, 7.0, interval=interval)
    shown = next(at for at, lines in paper.frames if "no word" in lines[1])
    assert 3.0 + 2.5 <= shown <= 3.0 + 2.5 + 0.25
    assert "no word for 2s  openai OPEN" in paper.at(shown)[1]


async def test_a_word_ends_silence(autojump_clock: MockClock) -> None:
    """With the next document it is forgotten, also when frames are seldom."""

    async def say(hear: Hear) -> None:
        await every_second(hear, 0)
        await trio.sleep(3.0)
        await every_second(hear, 0)

    paper = await watched(say, 4.2, interval=60.0)
    assert "no word" in paper.at(3.9)[1]
    assert "no word" not in paper.lines[1]


# What stands still


async def is_killed(hear: Hear) -> None:
    """Speak from the beginning for ten seconds, break off, and be gone."""
    if not trio.current_time():
        await every_second(hear, 10, breaking("openai", **OPEN))
    raise Unreachable(URL, "it hung up")


@pytest.mark.parametrize("keys", [{}, {2.3: "p"}], ids=["live", "paused"])
async def test_a_lost_bridge_is_as_old_as_its_last_word(autojump_clock: MockClock, keys: dict[float, str]) -> None:
    """Paused or not, the alert has the time since the last document, not the picture's age."""
    paper = await watched(is_killed, 14.5, keys)
    assert ("PAUSED" in paper.lines[0]) == bool(keys)
    assert paper.at(11.5)[1].startswith("NO BRIDGE: it hung up, last word 1s ago")
    assert paper.lines[1].startswith("NO BRIDGE: it hung up, last word 4s ago")


def openai(lines: list[str]) -> tuple[str, int, int]:
    """State, time in it and what is left, of the row of openai."""
    found = re.search(r"^.openai +(\w+) +(\d+)s +(\d+)s ", "\n".join(lines), re.MULTILINE)
    assert found
    return found[1], int(found[2]), int(found[3])


async def once(hear: Hear) -> None:
    """Tell of an open breaker, once, with 25.2 seconds left."""
    await every_second(hear, 0, breaking("openai", **OPEN))


async def test_time_stops_where_it_was(autojump_clock: MockClock) -> None:
    """When the picture is paused its countdown stands, goes neither back nor on, and catches up afterwards."""
    paper = await watched(once, 12.0, {2.0: "p", 9.0: "p"})
    assert openai(paper.at(1.9)) == ("OPEN", 6, 24)
    assert openai(paper.at(2.0)) == openai(paper.at(8.9)) == ("OPEN", 6, 24)
    assert openai(paper.lines)[2] <= 15


@pytest.mark.parametrize("keys", [{}, {13.0: "p"}], ids=["live", "paused"])
async def test_time_stops_when_the_bridge_is_lost(autojump_clock: MockClock, keys: dict[float, str]) -> None:
    """The last word of a bridge is as old as when it was lost, paused or not."""
    paper = await watched(is_killed, 16.0, keys)
    lost = next(at for at, lines in paper.frames if lines[1].startswith("NO BRIDGE"))
    assert openai(paper.at(10.9))[2] == 26
    assert openai(paper.at(lost)) == openai(paper.lines) == ("OPEN", 5, 25)


# Notices


async def test_a_notice_gives_the_keys_back(autojump_clock: MockClock) -> None:
    """The result of an order is shown for five seconds, and then the keys again."""
    paper = await watched(every_second, 12.0, {2.0: "o", 3.0: "y"})
    told = "openai: not done, no open for openai"
    assert paper.at(3.1)[-1] == paper.at(7.9)[-1] == told
    assert paper.at(8.3)[-1].startswith("q quit")


async def test_the_second_notice_has_its_own_time(autojump_clock: MockClock) -> None:
    """The time of a notice begins when it is shown, not with an earlier one."""
    paper = await watched(every_second, 12.0, {1.0: "o", 2.0: "y", 5.0: "o", 6.0: "y"})
    assert "not done" in paper.at(10.9)[-1]
    assert paper.at(11.4)[-1].startswith("q quit")


async def test_an_override_on_its_way_is_shown(autojump_clock: MockClock) -> None:
    """After q, while an order has no answer, the last line says what is waited for."""

    class Deaf(Bridge):
        async def override(self, provider: str, mode: str, **more: Any) -> str:
            await trio.sleep(60.0)
            return f"{provider} {mode}"

    paper = Paper()

    async def press() -> None:
        for key in "oyq":
            await trio.sleep(1.0)
            paper.press.send_nowait(key)

    with trio.move_on_after(20.0):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(press)
            await Dashboard(Deaf(every_second), paper, View()).run()
    assert paper.lines[-1] == "waiting for the bridge; the same again gives up"
