"""`aibridge top` as a process in a terminal: how tests start it, and what they read of its screen."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.processes import ASK, CHAT, PATIENCE, Bridge, Process
from tests.support.screen import (
    AIBRIDGE,
    Screen,
    at_home,
    top,
)

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


def fills(screen: Screen, columns: int, rows: int, every: str = "1s") -> None:
    """Wait until a frame of this size stands on the screen, from corner to corner."""

    def filled() -> bool:
        lines = screen.lines
        title = lines[0].startswith("aibridge ") and lines[0].rstrip().endswith(f"every {every}")
        return (
            title and len(lines[0].rstrip()) == columns and len(lines) == rows and lines[-1].startswith("q quit")
        )

    screen.until(filled, f"{columns} x {rows}")
