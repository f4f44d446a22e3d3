"""`aibridge top`: a live dashboard of a running bridge; one frame of it; or its status as lines of JSON.

Files in reading order: dashboard (documents, keys and signals in, frames out) · watched (a bridge and its
connection) · watched_fleet, fleet_dashboard, plain_fleet (several replicas) · data/ (status documents, rates) ·
view (what keys change) · refusals (a list of them) · sort_order (of the providers) ·
screen/ (a picture as a frame) · keyboard (bytes to keys) · terminal (full screen, restored at the end) ·
plain (without a screen).

document: one answer of `/status` · picture: the latest document with rates over an interval · frame: lines of text
for one screen · alert: the line below the title that names what is urgent · order: a confirmed change of a
breaker.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import trio

from aibridge_trio.admin.client import AdminClient
from aibridge_trio.admin.replicas import Replicas
from aibridge_trio.config.units import Secret
from aibridge_trio.top import plain, plain_fleet
from aibridge_trio.top.dashboard import Dashboard
from aibridge_trio.top.fleet_dashboard import FleetDashboard
from aibridge_trio.top.terminal import Terminal
from aibridge_trio.top.view import View
from aibridge_trio.top.watched_fleet import Find

_INTERRUPTED = 130


def run(*, url: Sequence[str], token: Secret | None, once: bool, json: bool, interval: float) -> int:
    """Show the bridges at these URLs, a frame every `interval` seconds; returns the exit status.

    Raises CommandError without a bridge.
    """
    return trio.run(_run, Replicas(url, token), once, json, interval)


async def _run(replicas: Replicas, once: bool, json: bool, interval: float) -> int:
    clients = await replicas.find()
    [client, *others] = clients
    if json:
        if others:
            await plain_fleet.print_json(clients, replicas.find, interval, once)
        else:
            await plain.print_json(client, interval, once)
        return 0
    styled = on_terminal()
    if once or not styled:
        if others:
            await plain_fleet.print_frame(clients, interval, styled)
        else:
            await plain.print_frame(client, interval, styled)
        return 0
    several = others or replicas.may_change
    quit_ = await (watch_fleet(clients, replicas.find, interval) if several else watch(client, interval))
    return 0 if quit_ else _INTERRUPTED


def on_terminal() -> bool:
    """Tell whether standard output is a terminal that can be drawn on."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


async def watch(client: AdminClient, interval: float) -> bool:
    """Run the dashboard on this terminal; returns whether it was quit, not interrupted."""
    return await Dashboard(client, _terminal(), View(interval=interval)).run()


async def watch_fleet(clients: Sequence[AdminClient], find: Find, interval: float) -> bool:
    """Run the dashboard of several replicas on this terminal; returns whether it was quit, not interrupted."""
    return await FleetDashboard(clients, find, _terminal(), View(interval=interval)).run()


def _terminal() -> Terminal:
    keyboard = sys.stdin.fileno() if sys.stdin and sys.stdin.isatty() else None
    return Terminal(sys.stdout, keyboard)
