"""`aibridge top` in a terminal: keys are pressed, the screen is read, and the terminal is looked at afterwards."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import trio
import trio.testing

from aibridge_trio import __version__
from aibridge_trio.admin.client import AdminClient, Unreachable
from aibridge_trio.top import plain
from tests.support.pictures import a_document
from tests.support.processes import ASK, CHAT, MESSAGES, PATIENCE, Bridge, Process, Provider, a_bridge, until
from tests.support.screen import (
    AIBRIDGE,
    BACKSPACE,
    CTRL_BACKSLASH,
    CTRL_C,
    CTRL_Q,
    CTRL_S,
    CTRL_Z,
    DOWN,
    ENTER,
    ENTER_ALTERNATE,
    ESC,
    HIDE_CURSOR,
    LEAVE_ALTERNATE,
    SHOW_CURSOR,
    UP,
    Screen,
    at_home,
    on_screen,
    top,
)

pytestmark = pytest.mark.real

UNARY: Any = {"model": "m", "messages": ASK}
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "status.schema.json").read_text())
FOOT = r"^q quit  \? help"
ROW = r"^▸\w+ +(closed|off|OPEN|FORCED|forced) "
TRACEBACK = "Traceback (most recent call last)"
# So seldom is a frame due that whatever is seen has been drawn for another reason.
SELDOM = ("--interval", "1m")
# Every way in which a pipe could be taken for a terminal that knows colours.
FORCED = {"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1", "TTY_COMPATIBLE": "1", "COLORTERM": "truecolor"}
# Where Python's standard streams know nothing but ASCII.
OLD = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
COLOURS = re.compile(rb"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])[;m]")


@pytest.fixture(autouse=True)
def healed(request: pytest.FixtureRequest) -> None:
    if "narrow" in request.fixturenames:
        request.getfixturevalue("narrow").heal()


def ask(bridge: Bridge, key: str, path: str = CHAT) -> int:
    """Ask as this caller; returns the status."""
    return bridge.caller.post(path, json=UNARY, headers={"authorization": f"Bearer sk-{key}"}).status_code


def providers(screen: Screen) -> list[str]:
    """The providers from top to bottom, the chosen one with its mark."""
    states = "closed|OPEN|FORCED|forced|half-open|off"
    return [found.strip() for found in re.findall(rf"^([▸ ]\w+) +(?:{states}) ", screen.text, re.MULTILINE)]


@contextmanager
def watched(url: str, *flags: str, **more: Any) -> Iterator[Screen]:
    """Run the dashboard, and wait until it shows a bridge."""
    with top(url, *flags, **more) as screen:
        screen.shows(ROW)
        yield screen


def end(screen: Screen, how: str | signal.Signals) -> None:
    """Ask it to end, by a key or by a signal."""
    if isinstance(how, str):
        screen.press(how)
    else:
        screen.signal(how)


def frames(screen: Screen) -> int:
    """How many frames have been drawn."""
    return screen.raw.count(b"\x1b[H")


def piped(*arguments: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command of the program, with pipes for its output."""
    return subprocess.run(
        [*AIBRIDGE, *arguments],
        env=at_home(**environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=6 * PATIENCE,
        check=False,
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


@contextmanager
def admin_on(port: int) -> Iterator[Process]:
    """Run a bridge whose admin listener is on this port."""
    process = Process("serve", "--bind", "127.0.0.1:0", "--admin-bind", f"127.0.0.1:{port}", "--circuit-breaker")
    try:
        process.says("listens on")
        yield process
    finally:
        process.end(kindly=False)


# What is seen


def test_the_first_frame(narrow: Bridge) -> None:
    """At once: the version, where, every provider with its breaker, the limits, the reasons, the keys."""
    with watched(narrow.admin_url) as screen:
        assert screen.lines[0].startswith(f"aibridge {__version__}  up ")
        assert narrow.admin_url in screen.lines[0]
        assert screen.lines[-1].startswith("q quit")
        assert sorted(name.strip("▸") for name in providers(screen)) == ["anthropic", "copilot", "openai"]
        for said in ("0 of 2", "rate limit 1/s a caller", "capacity", "rate_limit", "circuit_open", "0/5"):
            assert said in screen.text
        assert screen.full()
        assert screen.raw.index(ENTER_ALTERNATE) < screen.raw.index(b"PROVIDER")


def test_what_is_answered_is_counted(narrow: Bridge, provider: Provider) -> None:
    """Requests, statuses by provider, errors of the network and the busiest caller are seen as they come."""
    with watched(narrow.admin_url, size=(120, 24)) as screen:
        before = narrow.status()["requests"]["total"]
        provider.script({"status": 529}, {"status": 429}, {"fault": "reset"})
        assert [ask(narrow, f"0123456789abcdef-cn{n}", MESSAGES) for n in range(4)] == [529, 429, 502, 200]
        screen.shows(rf"^requests +[0-9.]+/s +{before + 4} ")
        line = screen.shows(r"^.anthropic +0 +[0-9.]+  (.*)").group(1)
        for said in ("429", "529", "200", "head"):
            assert re.search(rf"{said}×1 [0-9.]+/s", line)
        assert line.index("529") < line.index("200"), "an overload is named before what went well"
        screen.shows(r" …-cn3 +[0-9.]+ +1 +0 +0$")


def test_a_sick_provider_without_a_breaker(bridge: Bridge, provider: Provider) -> None:
    """Nothing turns anybody away while a provider answers 529 to everybody; it is named all the same."""
    with watched(bridge.admin_url) as screen:
        provider.script({"status": 529, "times": 3})
        assert [ask(bridge, "unlucky", MESSAGES) for _ in range(3)] == [529] * 3
        screen.shows(r"\A.*\n.*anthropic \d+% errors: 529 [0-9.]+/s")
        assert screen.styled("anthropic ").fg == "brown", "which is what the terminal calls yellow"


def test_who_is_turned_away_is_told_first(narrow: Bridge, provider: Provider) -> None:
    """The second line names the reasons of rejects, fullness and who is out, the rows how many."""
    with top(narrow.admin_url) as screen:
        screen.shows("all well|turned away")
        while ask(narrow, "greedy") != 429:
            pass
        screen.shows(r"\A.*\n.*turned away.* rate_limit [0-9.]+/s")
        screen.shows(r"^rate_limit +[1-9]\d* +[0-9.]+ ")
        provider.script({"fault": "stall", "after": 2, "times": 2})
        with narrow.holding("sk-one"), narrow.holding("sk-two"):
            assert ask(narrow, "third") == 503
            screen.shows(r"\A.*\nFULL 2 of 2  turned away.* capacity [0-9.]+/s")
            screen.shows(r"^in flight +█{20} 2 of 2")
        provider.script({"status": 503, "times": 5})
        assert [ask(narrow, f"outage-{n}") for n in range(6)] == [503] * 6
        screen.shows(r"\A.*\nopenai OPEN, \d+s left")
        screen.shows(r"^▸openai +OPEN +\d+s +\d+s ")
        screen.shows(r"^\d\d:\d\d:\d\d  openai closed → open  5 failures")
        assert screen.styled("openai OPEN").fg == "red"


# Keys


def test_choosing(narrow: Bridge) -> None:
    """Arrows, in both of their spellings, and j and k move the mark, and stop at both ends."""

    def shown(names: list[str]) -> bool:
        return providers(screen) == names

    with watched(narrow.admin_url, *SELDOM) as screen:
        for keys, chosen in (
            ("", 0),
            (DOWN, 1),
            ("j", 2),
            ("j", 2),
            (UP, 1),
            ("k", 0),
            ("\x1bOA", 0),
            ("\x1bOB", 1),
            (UP + "jj", 2),
        ):
            screen.press(keys)
            names = ["openai", "anthropic", "copilot"]
            names[chosen] = f"▸{names[chosen]}"
            screen.until(partial(shown, names), f"{keys!r} chooses {names}")


def test_an_arrow_may_come_in_pieces(narrow: Bridge) -> None:
    """The bytes of an arrow that come one by one, as over a slow line, are still an arrow, and no Esc."""
    with top(narrow.admin_url) as screen:
        screen.shows("▸openai")
        screen.press("/o" + ENTER)
        screen.shows("showing only o ")
        for byte in DOWN:
            screen.press(byte)
        screen.shows("▸anthropic")
        screen.shows("showing only o ")


def test_sorting(narrow: Bridge) -> None:
    """< and > move the underlined title by one and stop at both ends; r turns the order round."""

    def sorted_by(title: str) -> None:
        screen.until(lambda: (cell := screen.styled(title)) and cell.underscore, f"sorted by {title}")

    with watched(narrow.admin_url, *SELDOM) as screen:
        sorted_by("STATE")
        screen.press(">")
        sorted_by("FOR")
        assert not screen.styled("STATE").underscore
        screen.press("<<<<")
        sorted_by("PROVIDER")
        screen.until(lambda: providers(screen) == ["▸anthropic", "copilot", "openai"], "by name")
        screen.press("r")
        screen.until(lambda: providers(screen) == ["▸openai", "copilot", "anthropic"], "by name, reversed")
        screen.press(">" * 20)
        sorted_by("TOK/S")


def test_filtering(narrow: Bridge) -> None:
    """What is typed behind / narrows the rows at once, Enter keeps it, Backspace and Esc take it back."""
    with watched(narrow.admin_url, *SELDOM) as screen:
        screen.press("/aq")
        screen.shows("^show only: aq_")
        screen.until(lambda: providers(screen) == [], "nobody")
        screen.press(BACKSPACE + "n")
        screen.until(lambda: providers(screen) == ["▸anthropic"], "anthropic alone")
        screen.press(ENTER)
        screen.shows("^showing only an ")
        screen.press("?x")
        screen.shows("^showing only an ")
        screen.press(ESC)
        screen.until(lambda: len(providers(screen)) == 3, "everybody")
        screen.press("/co")
        screen.until(lambda: providers(screen) == ["▸copilot"], "copilot alone")
        screen.press(ESC)
        screen.until(lambda: len(providers(screen)) == 3, "everybody again")
        screen.shows(FOOT)


def test_help(narrow: Bridge) -> None:
    """? and h show every key, any key goes back, and that key does nothing else."""
    with watched(narrow.admin_url, *SELDOM) as screen:
        for key in "?h":
            screen.press(key)
            screen.shows(r"^any key goes back$")
            for told in ("Ctrl-Z", "force the chosen breaker open", "pause"):
                assert told in screen.text
            screen.press("q")
            screen.shows(FOOT)


def test_pausing(bridge: Bridge) -> None:
    """While paused the picture stands still though the bridge counts on; Space goes on from what is true then."""
    with watched(bridge.admin_url, "--interval", "500ms") as screen:
        screen.press("p")
        screen.shows(" PAUSED ")
        still = screen.lines[1:]
        before = bridge.status()["requests"]["total"]
        for _ in range(3):
            assert ask(bridge, "paused") == 200
        drawn = frames(screen)
        screen.until(lambda: frames(screen) >= drawn + 4, "more frames")
        assert screen.lines[1:] == still
        screen.press(" ")
        screen.shows(rf"^requests .*/s +{before + 3} ")
        assert "PAUSED" not in screen.text


def test_the_pace(bridge: Bridge) -> None:
    """+ draws more often and - less, down to half a second and up to a minute, and the first line tells."""
    with top(bridge.admin_url, "--interval", "3s") as screen:
        screen.shows(", every 3s *$")
        for keys, pace in (("+", "2s"), ("+++", "0.5s"), ("+", "0.5s"), ("-", "1s"), ("-" * 9, "1m00s")):
            screen.press(keys)
            screen.shows(rf", every {re.escape(pace)} *$")


@pytest.mark.parametrize(
    ("key", "question", "state", "mode"),
    [
        ("o", r"openai: force open and refuse its requests\?", "FORCED OPEN", "open"),
        ("c", r"openai: force closed and let its requests pass", "forced closed", "close"),
    ],
)
def test_forcing_a_breaker(narrow: Bridge, key: str, question: str, state: str, mode: str) -> None:
    """A key asks, y does it as the bridge itself says, and a with y gives the choice back."""
    with watched(narrow.admin_url, *SELDOM) as screen:
        screen.press(key)
        screen.shows(f"^{question}.*  y yes  n no")
        assert narrow.breaker()["mode"] == "auto"
        screen.press("y")
        screen.shows(f"^openai: {mode.removesuffix('e')}.*, mode {mode}$")
        screen.shows(f"^▸openai +{state} ")
        assert narrow.breaker()["mode"] == mode
        assert narrow.breaker("anthropic")["mode"] == "auto"
        screen.press("a")
        screen.shows(r"^openai: let the breaker decide again\?")
        screen.press("y")
        screen.shows("^openai: .*, mode auto$")
        assert narrow.breaker()["mode"] == "auto"


def test_no_answer_but_yes_is_yes(narrow: Bridge) -> None:
    """Whatever is pressed at the question but y: nothing is done, and the key does nothing else."""
    with watched(narrow.admin_url) as screen:
        screen.press(DOWN)
        for answer in ("n", ESC, " ", ENTER, "o", "q"):
            screen.press("o")
            screen.shows("^anthropic: force open")
            screen.press(answer)
            screen.shows(FOOT)
            assert "PAUSED" not in screen.text
        assert not [each for each in narrow.status()["events"][-1:] if each["to"] == "open"]
        screen.press("o")
        screen.shows("^anthropic: force open")
        screen.press("Y")
        screen.shows("^anthropic: open, mode open$")
        assert narrow.breaker("anthropic")["mode"] == "open"
        assert narrow.breaker("openai")["mode"] == "auto"


def test_a_paste_answers_no_question(narrow: Bridge) -> None:
    """A y that comes in one breath with the o that asks was typed before anybody read the question."""
    with watched(narrow.admin_url) as screen:
        screen.press("ahoy")
        screen.shows("^openai: let the breaker decide again")
        screen.press("n")
        screen.shows(FOOT)
        screen.press("boy")
        screen.shows("^openai: force open")
        screen.press("n")
        screen.shows(FOOT)
        assert narrow.breaker()["mode"] == "auto"


def test_what_was_confirmed_is_done(narrow: Bridge) -> None:
    """An order that was confirmed is carried out, though the dashboard is quit the moment after."""
    with watched(narrow.admin_url) as screen:
        screen.press("o")
        screen.shows("^openai: force open")
        screen.press("yq")
        assert screen.ended() == 0
    assert narrow.breaker()["mode"] == "open"


def test_the_end_is_asked_for_while_an_order_is_on_its_way() -> None:
    """It waits for the bridge and says so; asked again it gives up, tells that it did, and ends with 1."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        document = json.dumps(a_document())

        def serve() -> None:
            watcher, _ = listener.accept()
            watcher.recv(65536)
            head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
            watcher.sendall(f"{head}event: status\ndata: {document}\n\n".encode())
            deaf, _ = listener.accept()
            with watcher, deaf:
                over.wait(PATIENCE)

        over = threading.Event()
        thread = threading.Thread(target=serve)
        thread.start()
        with watched(f"http://127.0.0.1:{listener.getsockname()[1]}") as screen:
            screen.press("o")
            screen.shows("^openai: force open")
            screen.press("yq")
            screen.shows("^waiting for the bridge; the same again gives up")
            screen.press("q")
            assert screen.ended() == 1
            assert "the last order was not confirmed" in screen.text
            assert screen.given_back()
        over.set()
        thread.join()


def test_an_order_that_is_refused(bridge: Bridge) -> None:
    """The last line tells why an order was not carried out, and the dashboard goes on."""
    with watched(bridge.admin_url) as screen:
        screen.press("o")
        screen.shows("^openai: force open")
        screen.press("y")
        screen.shows(r"^openai: not done, circuit breakers are off; .*$")
        screen.press("j")
        screen.shows(FOOT)


def test_ten_kilobytes_at_once(bridge: Bridge) -> None:
    """However much is pasted, what comes behind it is heard."""
    with watched(bridge.admin_url) as screen:
        screen.press("/" + "xé\x1b[31m\t" * 1500)
        screen.shows(f"^show only: {'xé' * 20}_")
        screen.press(ESC)
        screen.shows(FOOT)
        screen.press("q")
        assert screen.ended() == 0


# Sizes


def fills(screen: Screen, columns: int, rows: int, every: str = "1s") -> None:
    """Wait until a frame of this size stands on the screen, from corner to corner."""

    def filled() -> bool:
        lines = screen.lines
        title = lines[0].startswith("aibridge ") and lines[0].rstrip().endswith(f"every {every}")
        return (
            title and len(lines[0].rstrip()) == columns and len(lines) == rows and lines[-1].startswith("q quit")
        )

    screen.until(filled, f"{columns} x {rows}")


def test_resizing(narrow: Bridge) -> None:
    """The frame follows the terminal's size, however often it changes, and shows more where there is room."""
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


# The end


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
    """Whoever is told twice to end ends once, with 130 and the terminal as it was."""
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
    """After Ctrl-S it waits for nobody: it can be ended, and what it leaves is not stopped."""
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
from aibridge_trio import cli
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


# Suspended


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
    """Stopped by somebody else's SIGSTOP it can give nothing back; continued, it takes screen and keys again."""
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
    """Where nobody could continue it, as over `ssh -t`, Ctrl-Z does not leave a dead terminal behind."""
    with watched(bridge.admin_url, alone=True) as screen:
        screen.press(CTRL_Z + "j")
        screen.shows("▸anthropic")
        screen.until(screen.full, "a full screen")
        screen.press("q")
        assert screen.ended() == 0
        assert screen.given_back()


# Bridges that come and go


def test_a_bridge_that_goes_and_comes_back(provider: Provider) -> None:
    """Without the bridge it says so and keeps the last picture; it finds the next one itself, and counts anew."""
    port = free_port()
    with ExitStack() as first:
        process = first.enter_context(admin_on(port))
        with top(f"http://127.0.0.1:{port}") as screen:
            screen.shows("^all well")
            screen.press("o")
            screen.shows("^openai: force open")
            screen.press("y")
            screen.shows("^▸openai +FORCED OPEN")
            process.signal(signal.SIGKILL)
            screen.shows(
                r"^NO BRIDGE: (it hung up|connection refused|connection reset by peer), last word \d+s ago; "
            )
            screen.shows(r"^NO BRIDGE: connection refused, last word \d+s ago; trying again")
            assert screen.styled("NO BRIDGE").fg == "red"
            assert "▸openai    FORCED OPEN" in screen.text
            assert screen.styled("FORCED OPEN").fg == "default"
            first.close()
            with admin_on(port):
                screen.shows("^all well")
                screen.shows("^▸openai +closed")
                screen.shows("^requests +--/s +0 ")
                assert "-1" not in screen.text
                screen.press("q")
                assert screen.ended() == 0


def test_started_before_the_bridge() -> None:
    """Without a bridge to begin with it waits, says for what, and shows the bridge as soon as there is one."""
    port = free_port()
    with top(f"http://127.0.0.1:{port}") as screen:
        screen.shows("^NO BRIDGE: connection refused; trying again")
        screen.press("jor<?")
        screen.shows("any key goes back")
        screen.press("x")
        with admin_on(port):
            screen.shows("^all well")
            assert len(providers(screen)) == 3


def test_the_bridge_drains_past_its_watchers(provider: Provider) -> None:
    """A dashboard that watches does not hold up the bridge's end, and is nothing that it complains of."""
    with a_bridge("--graceful-timeout", "1m", provider=provider) as bridge, watched(bridge.admin_url) as screen:
        bridge.process.signal(signal.SIGTERM)
        assert bridge.process.wait() == 0
        screen.shows("^NO BRIDGE: ")
        events = [json.loads(line)["event"] for line in bridge.process.lines]
        assert events == ["start", "drain", "stop"]


def test_a_drain_is_seen(provider: Provider) -> None:
    """While the bridge drains the dashboard says so."""
    with a_bridge("--drain-delay", "1m", provider=provider) as bridge, watched(bridge.admin_url) as screen:
        bridge.process.signal(signal.SIGTERM)
        screen.shows(r"\A.*\nDRAINING")
        bridge.process.signal(signal.SIGTERM)
        assert bridge.process.wait() == 1


# Tokens, and strangers


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """A bridge whose admin listener asks for a token."""
    file = tmp_path_factory.mktemp("guarded") / "token"
    file.write_text("hunter2-canary")
    with a_bridge("--admin-token-file", str(file), token="hunter2-canary") as bridge:
        yield bridge


def test_the_token(guarded: Bridge) -> None:
    """A guarded bridge is shown to who has its token, which is seen nowhere."""
    with watched(guarded.admin_url, AIBRIDGE_ADMIN_TOKEN="hunter2-canary") as screen:
        screen.press("?x")
        screen.press("q")
        assert screen.ended() == 0
        assert b"hunter2" not in screen.raw


@pytest.mark.parametrize(
    ("environ", "remedy"),
    [
        ({}, "set AIBRIDGE_ADMIN_TOKEN"),
        ({"AIBRIDGE_ADMIN_TOKEN": "wrong-canary"}, "the one in AIBRIDGE_ADMIN_TOKEN is another"),
    ],
    ids=["no token", "a wrong one"],
)
def test_a_refused_token(guarded: Bridge, environ: dict[str, str], remedy: str) -> None:
    """Without the right token it ends with 1 and one line that names the variable, the terminal as it was."""
    with top(guarded.admin_url, size=(200, 24), **environ) as screen:
        assert screen.ended() == 1
        assert screen.given_back()
        (line,) = screen.text.strip().splitlines()
        assert line.startswith(f"aibridge: {guarded.admin_url} refused: ")
        assert line.endswith(f"(401); {remedy}")
        assert b"canary" not in screen.raw


def test_the_address_from_the_environment(bridge: Bridge) -> None:
    """AIBRIDGE_ADMIN_URL says where the bridge is."""
    with on_screen(*AIBRIDGE, "top", AIBRIDGE_ADMIN_URL=f"{bridge.admin_url}/") as screen:
        screen.shows(FOOT)
        assert f"{bridge.admin_url} " in screen.lines[0]


@contextmanager
def a_stranger(status: int, kind: str, body: str) -> Iterator[str]:
    """Run a server that gives everybody the same answer; yields its URL."""

    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


STRANGERS = pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (404, "text/html", "<h1>Not here</h1>"),
        (200, "text/html", "<h1>Welcome</h1>"),
        (200, "application/json", '{"hello": "world"}'),
        (200, "application/json", "[1]"),
        (200, "text/event-stream", 'event: status\ndata: {"schema": 1, "version": "\\u001b[31mred"}\n\n'),
        (200, "text/event-stream", 'event: status\ndata: {"schema": 99}\n\n'),
    ],
    ids=["404", "a page", "JSON", "a list", "half a status", "a schema of another time"],
)


@STRANGERS
def test_a_stranger(status: int, kind: str, body: str) -> None:
    """Where something else answers, the dashboard says so and goes on trying; nothing of it is shown."""
    with a_stranger(status, kind, body) as url, top(url, size=(120, 24)) as screen:
        screen.shows("^NO BRIDGE: .*(no AI Bridge|no status of an AI Bridge|has schema 99).*; trying again")
        assert not re.search("hello|Welcome|Not here|red", screen.text)
        screen.press("q")
        assert screen.ended() == 0


@pytest.mark.parametrize("flag", ["--once", "--json"])
@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, "text/html"), (200, "text/html"), (200, "application/json"), (200, "text/event-stream")],
)
def test_a_stranger_without_a_screen(status: int, kind: str, flag: str) -> None:
    """Where something else answers, one frame or a line of JSON is one line on stderr and status 1 instead."""
    with a_stranger(status, kind, "<p>" if "html" in kind else "{}") as url:
        done = piped("top", flag, "--url", url)
    assert (done.returncode, done.stdout) == (1, b"")
    why = rf"aibridge: no bridge answers at {url} \((.*no (status of an )?AI Bridge.*|it hung up)\); see --url\n"
    assert re.fullmatch(why, done.stderr.decode())


SILENCE = """
import sys
from aibridge_trio import cli, client
client._TIMEOUT = 0.2
sys.exit(cli.main(sys.argv[1:]))
"""


def test_silence() -> None:
    """Where nobody ever says a word, that is said after the deadline, on the screen and without one."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        command = (sys.executable, "-c", SILENCE, "top", "--url", url)
        with on_screen(*command) as screen:
            screen.shows(r"^NO BRIDGE: no word for 0\.2 s; trying again")
            screen.press("q")
            assert screen.ended() == 0
        done = subprocess.run([*command, "--once"], env=at_home(), capture_output=True, check=False, text=True)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"aibridge: no bridge answers at {url} (no word for 0.2 s); see --url\n"


# Without a screen


def test_once_on_a_terminal(narrow: Bridge) -> None:
    """--once leaves one frame, in colour, on the normal screen, with nothing taken over, and status 0."""
    with top(narrow.admin_url, "--once", "--interval", "2s", size=(80, 120)) as screen:
        assert screen.ended() == 0
        assert screen.given_back()
        assert ENTER_ALTERNATE not in screen.raw
        assert HIDE_CURSOR not in screen.raw
        assert screen.lines[0].startswith("aibridge ")
        assert "rates over 2s" in screen.lines[0]
        assert len(providers(screen)) == 3
        assert not re.search(FOOT, screen.text, re.MULTILINE)
        assert screen.styled("closed").fg == "green"


@pytest.mark.parametrize("environ", [{}, FORCED], ids=["as it is", "colours forced"])
@pytest.mark.parametrize("flags", [("--once",), (), ("--once", "--json")], ids=["--once", "none", "--once --json"])
def test_no_control_code_leaves_a_pipe(narrow: Bridge, flags: tuple[str, ...], environ: dict[str, str]) -> None:
    """What is no terminal gets plain lines and the end, whatever variables say of colours."""
    done = piped("top", "--url", narrow.admin_url, *flags, **environ)
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode()
    assert text.replace("\n", "").isprintable()
    if "--json" in flags:
        (line,) = text.splitlines()
        jsonschema.validate(json.loads(line), SCHEMA)
    else:
        assert text.startswith("aibridge ")
        assert max(map(len, text.splitlines())) <= 80
        assert re.search("^▸openai +closed ", text, re.MULTILINE)
        assert text.count("aibridge ") == 1


@pytest.mark.parametrize("flag", ["--once", "--json"])
def test_no_bridge_to_print(flag: str) -> None:
    """Without a bridge to begin with there is one line on stderr, and status 1."""
    url = f"http://127.0.0.1:{free_port()}"
    done = piped("top", flag, "--url", url)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == f"aibridge: no bridge answers at {url} (connection refused); see --url\n"


async def test_the_pace_of_json(
    capsys: pytest.CaptureFixture[str], autojump_clock: trio.testing.MockClock
) -> None:
    """There is a line every --interval, however often the bridge says something, and one for each event."""

    class Bridge(AdminClient):
        async def follow(self, hear: Callable[[Any], None]) -> None:
            for quarter in range(21):
                hear({"quarter": quarter, "events": ["start", "breaker"][: 1 + (quarter >= 6)]})
                await trio.sleep(0.25)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await plain.tell(Bridge("http://x"), interval=1.05, once=False)
    told = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["quarter"] for line in told] == [0, 4, 6, 10, 14, 18]


async def test_a_lost_bridge_is_told_once(
    capsys: pytest.CaptureFixture[str], autojump_clock: trio.testing.MockClock
) -> None:
    """However often it is tried again in vain, there is one line on stderr each time that the bridge goes."""
    days = iter([True, False, False, False, True, False, False, False])

    class Bridge(AdminClient):
        async def follow(self, hear: Callable[[Any], None]) -> None:
            if (up := next(days, None)) is None:
                raise KeyboardInterrupt
            if up:
                hear({})
            raise Unreachable(self.url, "connection refused")

    with pytest.raises(KeyboardInterrupt):
        await plain.tell(Bridge("http://x"), interval=1.0, once=False)
    assert capsys.readouterr().err == "aibridge: no bridge at http://x (connection refused); trying again\n" * 2


@pytest.mark.parametrize(("interval", "lasts"), [(1.0, 1), (10.0, 10), (36_000.0, 240)])
async def test_one_frame_comes_in_time(
    autojump_clock: trio.testing.MockClock, interval: float, lasts: float
) -> None:
    """It takes an --interval, and never longer than what rates are worked out over."""

    class Bridge(AdminClient):
        async def follow(self, hear: Callable[[Any], None]) -> None:
            for second in range(100_000):
                hear(a_document(1000.0 + second))
                await trio.sleep(1.0)

    with trio.fail_after(1000):
        await plain.show(Bridge("http://x"), interval, styled=False)
    assert trio.current_time() == pytest.approx(lasts, rel=0.11)


def test_a_line_leaves_at_once() -> None:
    """A document is passed on when it comes, and not when there are enough of them."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as both:
        listener.settimeout(2 * PATIENCE)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        command = [*AIBRIDGE, "top", "--json", "--url", url]
        popen = both.enter_context(subprocess.Popen(command, env=at_home(), stdout=subprocess.PIPE))
        both.callback(popen.kill)
        watcher = both.enter_context(listener.accept()[0])
        watcher.recv(65536)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
        watcher.sendall(head + b'event: status\ndata: {"schema": 1}\n\n')
        assert popen.stdout
        assert select.select([popen.stdout], [], [], PATIENCE)[0]
        assert popen.stdout.readline() == b'{"schema":1}\n'
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()  # nor was it lost patience with


def test_the_callers_port(bridge: Bridge) -> None:
    """Whoever names the port of the callers is told that the admin listener has another."""
    done = piped("top", "--once", "--url", bridge.url)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"that is where callers connect; the admin listener has another port" in done.stderr


def test_lines_of_json(tmp_path: Path) -> None:
    """--json is a document a line; a bridge that goes is told on stderr and found again; Ctrl-C is 130."""
    port = free_port()
    out, err = tmp_path / "out", tmp_path / "err"
    script = f'exec "$@" >{out} 2>{err}'
    command = (*AIBRIDGE, "top", "--json", "--interval", "500ms", "--url", f"http://127.0.0.1:{port}")
    with ExitStack() as first:
        process = first.enter_context(admin_on(port))
        with on_screen("sh", "-c", script, "sh", *command) as screen:
            until(lambda: out.exists() and out.read_text().count("\n") >= 2, "two documents")
            process.signal(signal.SIGKILL)
            until(lambda: err.read_text().endswith("\n"), "a complaint")
            before = out.read_text().count("\n")
            first.close()
            with admin_on(port):
                until(lambda: out.read_text().count("\n") > before, "another document")
                screen.press(CTRL_C)
                assert screen.ended() == 130
            assert not screen.raw.replace(b"^C", b"")
    for line in err.read_text().splitlines():
        assert re.fullmatch(rf"aibridge: no bridge at http://127.0.0.1:{port} \(.+\); trying again", line)
    documents = [json.loads(line) for line in out.read_text().splitlines()]
    for document in documents:
        jsonschema.validate(document, SCHEMA)
    assert documents[0]["started_at"] == documents[1]["started_at"] < documents[-1]["started_at"]


@pytest.mark.parametrize("flags", ["--json", "--once"])
def test_a_reader_that_leaves(bridge: Bridge, flags: str) -> None:
    """Whoever takes the first line and leaves gets it, and no complaint."""
    script = f'"$@" {flags} | head -n 1'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *AIBRIDGE, "top", "--url", bridge.admin_url],
        env=at_home(),
        capture_output=True,
        timeout=6 * PATIENCE,
        check=True,
    )
    assert done.stderr == b""
    assert done.stdout.count(b"\n") == 1


def test_a_mistake(bridge: Bridge) -> None:
    """A mistake is one line and status 2, on a terminal that nobody has touched."""
    with top(bridge.admin_url, "--interval", "soon") as screen:
        assert screen.ended() == 2
        assert screen.given_back()
        assert b"\x1b" not in screen.raw
        assert screen.text.strip().startswith("aibridge: --interval: ")


# Terminals of all kinds


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
