"""`aibridge top` gives the terminal back: at its end, when suspended, when killed."""

from __future__ import annotations

import signal
import sys
import termios
from pathlib import Path

import pytest

from tests.support.dashboard import (
    FOOT,
    TRACEBACK,
    end,
    fills,
    watched,
)
from tests.support.processes import Bridge
from tests.support.screen import (
    AIBRIDGE,
    CTRL_BACKSLASH,
    CTRL_C,
    CTRL_Q,
    CTRL_S,
    CTRL_Z,
    ENTER_ALTERNATE,
    HIDE_CURSOR,
    LEAVE_ALTERNATE,
    SHOW_CURSOR,
    on_screen,
    top,
)

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("healed")]


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ("q", 0),
        (CTRL_C, 130),
        (CTRL_BACKSLASH, 130),
        (signal.SIGINT, 130),
        (signal.SIGTERM, 130),
        (signal.SIGHUP, 130),
    ],
    ids=["q", "Ctrl-C", "Ctrl-\\", "SIGINT", "SIGTERM", "SIGHUP"],
)
def test_the_end(bridge: Bridge, how: str | signal.Signals, status: int) -> None:
    """Quit with 0, interrupted with 130, by key or by signal: the terminal is as it was, and nothing was said."""
    with watched(bridge.admin_url) as screen:
        assert screen.modes() != screen.found
        end(screen, how)
        assert screen.ended() == status
        assert screen.given_back()
        assert screen.raw.rindex(LEAVE_ALTERNATE) > screen.raw.rindex(ENTER_ALTERNATE)
        assert screen.raw.rindex(SHOW_CURSOR) > screen.raw.rindex(HIDE_CURSOR)
        assert screen.text.strip() == ""


def test_two_signals_at_once(bridge: Bridge) -> None:
    """Two signals end it once, with 130 and the terminal as it was."""
    with watched(bridge.admin_url) as screen:
        screen.signal(signal.SIGSTOP)
        screen.stopped()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            screen.signal(number)
        screen.order("fg")
        assert screen.ended() == 130
        assert screen.given_back()


@pytest.mark.parametrize(("how", "status"), [("q", 0), (signal.SIGTERM, 130)], ids=["q", "SIGTERM"])
def test_the_end_while_the_terminal_is_stopped(bridge: Bridge, how: str | signal.Signals, status: int) -> None:
    """After Ctrl-S it does not wait: it can be ended, and what it leaves is not stopped."""
    with watched(bridge.admin_url) as screen:
        screen.press(CTRL_S + "j")
        screen.heard()
        end(screen, how)
        assert screen.ended() == status
        assert screen.given_back()


def test_ctrl_q_goes_on(bridge: Bridge) -> None:
    """What was missed while the terminal was stopped is there once it goes on."""
    with top(bridge.admin_url) as screen:
        screen.shows("▸openai")
        screen.press(CTRL_S + "j")
        screen.heard()
        assert "▸openai" in screen.text
        screen.press(CTRL_Q)
        screen.shows("▸anthropic")


@pytest.mark.parametrize("script", ['exec "$@"', 'trap : HUP; "$@"'], ids=["told", "not told"])
def test_a_terminal_that_goes_away(bridge: Bridge, tmp_path: Path, script: str) -> None:
    """When the window is closed it ends by itself with 130, told by a signal or not, and says nothing."""
    said = tmp_path / "said"
    command = ("sh", "-c", f"{script} 2>{said}", "sh", *AIBRIDGE, "top", "--url", bridge.admin_url)
    with on_screen(*command, alone=True) as screen:
        screen.shows(FOOT)
        screen.hang_up()
        assert screen.ended() == 130
    assert said.read_text() == ""


CRASH = """
import itertools, sys
from aibridge_trio.cli import main as cli
from aibridge_trio.top import dashboard
real, turns = dashboard.frame, itertools.count()
dashboard.frame = lambda *given: real(*given) if next(turns) < 3 else 1 / 0
sys.exit(cli.main(sys.argv[1:]))
"""


def test_a_crash(bridge: Bridge) -> None:
    """A bug leaves the terminal as it was, with the traceback where it can be read and reported."""
    command = (sys.executable, "-c", CRASH, "top", "--url", bridge.admin_url)
    with on_screen(*command, crash=True, size=(160, 100)) as screen:
        assert screen.ended() == 1
        assert screen.given_back()
        assert TRACEBACK in screen.text
        assert "ZeroDivisionError" in screen.text
        assert screen.raw.index(LEAVE_ALTERNATE) < screen.raw.index(TRACEBACK.encode())


def test_ctrl_z_and_fg(narrow: Bridge) -> None:
    """Ctrl-Z gives the shell its terminal back; fg brings the whole frame, keys and all, as often as one likes."""
    with top(narrow.admin_url) as screen:
        for times in (1, 2):
            screen.shows(FOOT)
            screen.press(CTRL_Z)
            assert screen.stopped(times) == signal.SIGTSTP
            assert screen.given_back()
            assert screen.text.strip() == ""
            screen.order("fg")
            fills(screen, 80, 24)
            assert screen.full()
            screen.press("?")
            screen.shows("any key goes back")
            screen.press("x")
        screen.shows(FOOT)
        screen.press("q")
        assert screen.ended() == 0
        assert screen.given_back()


def test_what_the_shell_does_in_between(narrow: Bridge) -> None:
    """After Ctrl-Z another size is drawn to, and modes that were changed are those that are left in the end."""
    with watched(narrow.admin_url) as screen:
        screen.press(CTRL_Z)
        screen.stopped()
        changed = screen.modes()
        changed[3] &= ~termios.ECHOCTL
        changed[6][termios.VERASE] = b"\x08"
        screen.set_modes(changed)
        screen.resize(100, 30)
        screen.order("fg")
        fills(screen, 100, 30)
        screen.press("q")
        assert screen.ended() == 0
        assert screen.modes() == changed


def test_bg_leaves_the_terminal_alone(bridge: Bridge) -> None:
    """In the background it stops again and touches nothing; fg finds it whole, and the end the modes of then."""
    with watched(bridge.admin_url) as screen:
        screen.press(CTRL_Z)
        screen.stopped()
        editing = screen.modes()
        editing[3] &= ~(termios.ICANON | termios.ECHO)  # as in a shell's line editor
        screen.set_modes(editing)
        editing = screen.modes()
        before = len(screen.raw)
        screen.order("bg")
        assert screen.stopped(2) in (signal.SIGTTOU, signal.SIGTTIN)
        assert (screen.modes(), len(screen.raw)) == (editing, before)
        screen.set_modes(screen.found)
        screen.order("fg")
        fills(screen, 80, 24)
        screen.press("q")
        assert screen.ended() == 0
        assert screen.given_back()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_stopped_one_can_be_ended(bridge: Bridge, number: signal.Signals) -> None:
    """`kill %1` ends a dashboard that was suspended: the terminal is the shell's already."""
    with watched(bridge.admin_url) as screen:
        screen.press(CTRL_Z)
        screen.stopped()
        screen.signal(number)
        screen.order("bg")
        assert screen.ended() == -number
        assert screen.given_back()


def test_stopped_from_outside(bridge: Bridge) -> None:
    """After another process's SIGSTOP the terminal is not restored; continued, it takes screen and keys again."""
    with watched(bridge.admin_url) as screen:
        screen.signal(signal.SIGSTOP)
        assert screen.stopped() == signal.SIGSTOP
        screen.set_modes(screen.found)
        screen.write(LEAVE_ALTERNATE + SHOW_CURSOR)  # as `reset` would
        screen.until(lambda: not screen.full(), "the normal screen")
        screen.order("fg")
        fills(screen, 80, 24)
        assert screen.full()
        screen.press("j")
        screen.shows("▸anthropic")
        screen.press("q")
        assert screen.ended() == 0
        assert screen.given_back()


def test_ctrl_z_without_a_shell(bridge: Bridge) -> None:
    """Without a shell that could continue it, as over `ssh -t`, Ctrl-Z does not leave a dead terminal behind."""
    with watched(bridge.admin_url, alone=True) as screen:
        screen.press(CTRL_Z + "j")
        screen.shows("▸anthropic")
        screen.until(screen.full, "a full screen")
        screen.press("q")
        assert screen.ended() == 0
        assert screen.given_back()
