"""`aibridge top` in terminals of all sizes and kinds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.dashboard import (
    COLOURS,
    FOOT,
    OLD,
    SELDOM,
    fills,
    frames,
    piped,
    providers,
)
from tests.support.processes import PATIENCE, Bridge, until
from tests.support.screen import (
    AIBRIDGE,
    CTRL_C,
    ESC,
    at_home,
    on_screen,
    top,
)

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("healed")]


def test_resizing(narrow: Bridge) -> None:
    """The frame follows the terminal's size, however often it changes, and shows more on larger ones."""
    with top(narrow.admin_url, *SELDOM) as screen:
        fills(screen, 80, 24, "1m00s")
        assert "IN/S" not in screen.text
        screen.resize(200, 50)
        fills(screen, 200, 50, "1m00s")
        assert "IN/S" in screen.text
        screen.resize(70, 12)
        fills(screen, 70, 12, "1m00s")
        for step in range(60):
            screen.resize(60 + step % 50, 10 + step % 30)
        screen.resize(90, 30)
        fills(screen, 90, 30, "1m00s")
        screen.press("q")
        assert screen.ended() == 0


def test_a_terminal_without_a_size(bridge: Bridge) -> None:
    """A terminal that does not know its size, as over a serial line, is taken for one of 80 × 24."""
    with top(bridge.admin_url, size=(0, 0)) as screen:
        fills(screen, 80, 24)


def test_every_size(bridge: Bridge) -> None:
    """In a terminal of any size, from the beginning or later, there is a frame, and it can be quit."""

    def drawn_since(before: int) -> bool:
        return frames(screen) > before

    with top(bridge.admin_url, size=(1, 1)) as screen:
        screen.until(partial(drawn_since, 1), "the bridge")
        for columns, rows in ((20, 5), (3, 100), (2, 2), (600, 200)):
            before = frames(screen)
            screen.resize(columns, rows)
            screen.until(partial(drawn_since, before), f"a frame of {columns} x {rows}")
            screen.press("?jr")
            screen.heard()
        screen.shows(r"\Aaibridge ")
        screen.press("q")
        assert screen.ended() == 0
        assert screen.given_back()


@pytest.mark.parametrize("flags", [(), ("--once",)], ids=["live", "--once"])
def test_colours_and_none(narrow: Bridge, flags: tuple[str, ...]) -> None:
    """There are colours, but none with NO_COLOR."""
    for environ in ({"FORCE_COLOR": ""}, {"NO_COLOR": "1"}):
        with top(narrow.admin_url, *flags, size=(80, 120), **environ) as screen:
            screen.shows(r"^▸openai +closed ")
            if flags:
                assert screen.ended() == 0
            assert bool(COLOURS.search(screen.raw)) == ("NO_COLOR" not in environ)


@pytest.mark.parametrize(
    "environ", [{"FORCE_COLOR": ""}, {"TTY_COMPATIBLE": "0"}, {"COLUMNS": "40", "LINES": "9"}]
)
def test_a_terminal_is_one_whatever_variables_say(bridge: Bridge, environ: dict[str, str]) -> None:
    """Variables about colours and sizes do not change what the terminal is."""
    with top(bridge.admin_url, **environ) as screen:
        fills(screen, 80, 24)
        assert screen.full()


@pytest.mark.parametrize(("term", "flags"), [("dumb", ()), ("dumb", ("--once",)), ("unknown", ()), ("", ())])
def test_a_terminal_that_cannot_be_drawn_on(bridge: Bridge, term: str, flags: tuple[str, ...]) -> None:
    """A terminal that knows no control codes gets one plain frame, and the end."""
    with top(bridge.admin_url, *flags, size=(80, 40), TERM=term) as screen:
        assert screen.ended() == 0
        assert b"\x1b" not in screen.raw
        assert len(providers(screen)) == 3
        assert screen.given_back()


@pytest.mark.parametrize("environ", [OLD, {"PYTHONIOENCODING": "ascii"}], ids=["LC_ALL=C", "ascii"])
def test_only_ascii(narrow: Bridge, environ: dict[str, str]) -> None:
    """Where there is nothing but ASCII, there is nothing but ASCII, whatever is typed."""
    with top(narrow.admin_url, **environ) as screen:
        screen.shows("^>openai +closed ")
        screen.press("?")
        screen.shows("any key goes back")
        screen.press("x/né→日")
        screen.shows(r"^show only: n\?>\?\?_")
        screen.press(ESC)
        screen.shows(FOOT)
        screen.press("q")
        assert screen.ended() == 0
        assert screen.raw.isascii()
    done = piped("top", "--once", "--url", narrow.admin_url, **environ)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()


@pytest.mark.parametrize("redirection", ["</dev/null", "<&-"])
def test_without_a_keyboard(bridge: Bridge, redirection: str) -> None:
    """Without a keyboard it is watched all the same, and a signal or Ctrl-C ends it."""
    command = ("sh", "-c", f'exec "$@" {redirection}', "sh", *AIBRIDGE, "top", "--url", bridge.admin_url)
    with on_screen(*command) as screen:
        screen.shows(FOOT)
        assert screen.full()
        screen.press(CTRL_C)
        assert screen.ended() == 130
        assert screen.given_back()


def test_in_tmux(narrow: Bridge, tmp_path: Path) -> None:
    """In tmux keys work without Enter, a split redraws, and the pane is as it was when it ends."""
    tmux = shutil.which("tmux")
    if not tmux:
        assert os.environ.get("CI") != "true", "tmux is not installed"
        pytest.skip("tmux is not installed")

    def told(*arguments: str) -> str:
        command = [tmux, "-S", str(tmp_path / "tmux"), "-f", "/dev/null", *arguments]
        return subprocess.run(command, env=at_home(), capture_output=True, check=True, text=True).stdout

    def shows(pattern: str) -> None:
        def found() -> Any:
            return re.search(pattern, told("capture-pane", "-p"), re.MULTILINE)

        try:
            until(found, f"{pattern} in tmux", 2 * PATIENCE)
        except AssertionError as late:
            raise AssertionError(f"{late}:\n{told('capture-pane', '-p')}") from None

    told("new-session", "-d", "-x", "100", "-y", "30", "sh")
    try:
        program = " ".join(AIBRIDGE)
        told("send-keys", f"PS1='ready> '; echo before; {program} top --url {narrow.admin_url}", "Enter")
        shows("^▸openai +closed ")
        told("send-keys", "Down")
        shows("^▸anthropic +closed ")
        told("send-keys", "Escape", "o")
        shows("^anthropic: force open")
        told("send-keys", "y")
        shows("^▸anthropic +FORCED OPEN ")
        told("split-window", "-d", "-l", "10")
        told("send-keys", "x")
        shows(r"^q quit  \? help")
        told("send-keys", "C-z")
        shows("^ready>")
        told("send-keys", "fg", "Enter")
        shows("^▸anthropic +FORCED OPEN ")
        told("send-keys", "q")
        shows(r"\bbefore$")
        assert "▸" not in told("capture-pane", "-p")
        assert told("display-message", "-p", "#{alternate_on} #{cursor_flag}").split() == ["0", "1"]
    finally:
        told("kill-server")
