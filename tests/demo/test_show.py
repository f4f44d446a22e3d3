"""The demo shows what it promises."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aibridge_trio.demo import show
from tests.support.screen import AIBRIDGE, CTRL_C, ENTER_ALTERNATE, LEAVE_ALTERNATE, on_screen

pytestmark = pytest.mark.real


def test_the_demo_shows_outage_breaker_rejects_and_recovery(capsys: pytest.CaptureFixture[str]) -> None:
    """In six seconds: both providers fail and are mended, their breakers open and close, callers are rejected.

    Where there is no terminal it ends by itself, without a dashboard.
    """
    assert show.run(6.0) == 0
    said = capsys.readouterr().out
    for scene in ("START", "OUTAGE", "OVERLOAD", "CROWD", "END"):
        assert scene in said
    for provider in ("openai", "anthropic"):
        assert f"{provider} closed → open" in said
        assert f"{provider} open → half-open" in said
    assert "rate_limit" in said
    assert "circuit_open" in said
    assert "NOW" not in said
    assert said.replace("\n", "").isprintable()
    assert max(map(len, said.splitlines())) <= 80


@pytest.mark.parametrize("key", ["q", CTRL_C], ids=["q", "Ctrl-C"])
def test_on_a_terminal_the_demo_ends_in_the_dashboard(key: str) -> None:
    """After its last scene the dashboard takes the screen, and the play goes on under it until it is quit."""
    with on_screen(*AIBRIDGE, "demo", "--seconds", "1s", size=(120, 40)) as screen:
        screen.shows(r"NOW +aibridge top --url http://127\.0\.0\.1:\d+; q ends it$")
        assert not screen.full()
        screen.shows(r"^.openai +closed ")
        assert screen.full()
        screen.shows(r"^.(openai|anthropic) +OPEN ")
        screen.shows(r"\A.*\n.*turned away")
        screen.press(key)
        assert screen.ended() == 0
        assert screen.given_back()
        live = bytes(screen.raw).partition(ENTER_ALTERNATE)[2].rpartition(LEAVE_ALTERNATE)[0]
        assert not re.search(rb"[\r\n] *\d+\.\d s  ", live), "lines of the play stand across the dashboard"
        scenes = re.findall(" s  ([A-Z]+) ", screen.text)
        assert (scenes[0], scenes[-1]) == ("START", "END")
        assert {"OUTAGE", "OVERLOAD", "CROWD", "NOW"} < set(scenes)


def test_the_demo_can_be_interrupted_before_its_end() -> None:
    """Ctrl-C before the dashboard ends it at once, without one."""
    with on_screen(*AIBRIDGE, "demo", "--seconds", "1m") as screen:
        screen.shows("START")
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
