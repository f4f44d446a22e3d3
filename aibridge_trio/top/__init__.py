"""`aibridge top`: a live dashboard of a running bridge; one frame of it; or its status as lines of JSON."""

from __future__ import annotations

import os
import sys

import trio

from aibridge_trio.admin.client import AdminClient
from aibridge_trio.config.units import Secret
from aibridge_trio.top import plain
from aibridge_trio.top.dashboard import Dashboard
from aibridge_trio.top.terminal import Terminal
from aibridge_trio.top.view import View

_INTERRUPTED = 130


def run(*, url: str, token: Secret | None, once: bool, json: bool, interval: float) -> int:
    """Show the bridge at `url`, a frame every `interval` seconds; returns the exit status. Raises CommandError."""
    operator = AdminClient(url, token)
    if json:
        trio.run(plain.tell, operator, interval, once)
        return 0
    if once or not on_terminal():
        trio.run(plain.show, operator, interval, on_terminal())
        return 0
    return 0 if trio.run(watch, operator, interval) else _INTERRUPTED


def on_terminal() -> bool:
    """Tell whether standard output is a terminal that can be drawn on."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


async def watch(operator: AdminClient, interval: float) -> bool:
    """Show it on this terminal until told to end; returns whether it was quit, and not interrupted."""
    keyboard = sys.stdin.fileno() if sys.stdin and sys.stdin.isatty() else None
    dashboard = Dashboard(operator, Terminal(sys.stdout, keyboard), View(interval=interval))
    return await dashboard.run()
