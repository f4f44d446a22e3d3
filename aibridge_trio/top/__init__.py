"""`aibridge top`: a live dashboard of a running bridge; one frame of it; or its status as lines of JSON.

Files in reading order: dashboard (documents, keys and signals in, frames out) · data/ (status documents, rates) ·
view (what keys change) · sort_order (of the providers) · screen/ (a picture as a frame) · keyboard
(bytes to keys) · terminal (full screen, restored at the end) · plain (without a screen).

document: one answer of `/status` · picture: the latest document with rates over an interval · frame: lines of text
for one screen · alert: the line below the title that names what is urgent · order: a confirmed change of a
breaker.
"""

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
    client = AdminClient(url, token)
    if json:
        trio.run(plain.print_json, client, interval, once)
        return 0
    if once or not on_terminal():
        trio.run(plain.print_frame, client, interval, on_terminal())
        return 0
    return 0 if trio.run(watch, client, interval) else _INTERRUPTED


def on_terminal() -> bool:
    """Tell whether standard output is a terminal that can be drawn on."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


async def watch(client: AdminClient, interval: float) -> bool:
    """Run the dashboard on this terminal; returns whether it was quit, not interrupted."""
    keyboard = sys.stdin.fileno() if sys.stdin and sys.stdin.isatty() else None
    dashboard = Dashboard(client, Terminal(sys.stdout, keyboard), View(interval=interval))
    return await dashboard.run()
