"""The demo shows what it promises."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aibridge_trio.demo import show
from aibridge_trio.demo.callers import arrivals
from aibridge_trio.demo.incidents import CALLERS, COURSE, RATE
from tests.support.screen import AIBRIDGE, CTRL_C, ENTER_ALTERNATE, LEAVE_ALTERNATE, on_screen

pytestmark = pytest.mark.real

EVENTS = [*(incident.name.upper() for incident in COURSE), "END"]
FIGURES = r"(\d+) +(\d+) +(?:–|\d+\.\d s)"


def test_the_demo_compares_both_sides(capsys: pytest.CaptureFixture[str]) -> None:
    """All incidents, a table whose figures add up, and the words that follow from them.

    Where there is no terminal it ends by itself, without a dashboard.
    """
    assert show.run(6.0) == 0
    said = capsys.readouterr().out
    assert re.findall(r" s  ([A-Z]+) ", said) == EVENTS
    found = re.findall(rf"^(\w+) +(\d+) +{FIGURES} +{FIGURES}$", said, re.MULTILINE)
    assert [row[0] for row in found] == [*(incident.name for incident in COURSE), "all"]
    *incidents, total = ([int(cell) for cell in row[1:]] for row in found)
    assert total == [sum(column) for column in zip(*incidents, strict=True)]
    requests, straight, wasted, bridged, wasted_by_bridge = total
    assert requests == len(arrivals(RATE, 6.0, CALLERS, 1))
    assert 0 < straight <= requests
    assert 0 < bridged <= requests
    # The mocks had an outage.
    assert wasted > 0
    words = " ".join(said.split())
    assert f"Of {requests} requests {straight} were answered straight, and {bridged} through" in words
    assert f"Calls wasted: {wasted} straight, and {wasted_by_bridge} through the bridge" in words
    assert said.replace("\n", "").isprintable()
    assert max(map(len, said.splitlines())) <= 80


@pytest.mark.parametrize("key", ["q", CTRL_C], ids=["q", "Ctrl-C"])
def test_on_a_terminal_the_demo_ends_in_the_dashboard(key: str) -> None:
    """After its last line the dashboard takes the screen, and the incidents go on under it until it is quit."""
    with on_screen(*AIBRIDGE, "demo", "--seconds", "1s", size=(120, 40)) as screen:
        screen.shows(r"NOW +aibridge top --url http://127\.0\.0\.1:\d+; q ends it$")
        assert not screen.full()
        screen.shows(r"^.openai +\d+ .*200×")
        assert screen.full()
        screen.shows(r"503 [\d.]+/s")
        screen.press(key)
        assert screen.ended() == 0
        assert screen.given_back()
        live = bytes(screen.raw).partition(ENTER_ALTERNATE)[2].rpartition(LEAVE_ALTERNATE)[0]
        assert not re.search(rb"[\r\n] *\d+\.\d s  ", live), "lines of the demo stand across the dashboard"
        assert re.findall(" s  ([A-Z]+) ", screen.text) == [*EVENTS, "NOW"]


def test_the_demo_can_be_interrupted_before_its_end() -> None:
    """Ctrl-C before the dashboard ends it at once, without one."""
    with on_screen(*AIBRIDGE, "demo", "--seconds", "1m") as screen:
        screen.shows("CALM")
        screen.press(CTRL_C)
        assert screen.ended() == 0
        assert screen.given_back()
        assert b"\x1b" not in screen.raw


def test_the_demo_ends_with_its_terminal(tmp_path: Path) -> None:
    """When the window is closed over the dashboard the demo ends too, without an error."""
    said = tmp_path / "said"
    command = ("sh", "-c", f'exec "$@" 2>{said}', "sh", *AIBRIDGE, "demo", "--seconds", "1s")
    with on_screen(*command, alone=True) as screen:
        screen.until(screen.full, "the dashboard")
        screen.hang_up()
        assert screen.ended() == 0
    assert said.read_text() == ""
