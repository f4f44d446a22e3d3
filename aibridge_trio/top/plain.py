"""Output without a screen: one frame, or a line of JSON per document. No control codes off a terminal."""

from __future__ import annotations

import json
import sys
from typing import Any

import trio
from rich.console import Console

from aibridge_trio.admin.client import EARLY, HUNG_UP, RETRY, AdminClient, Refused, Unreachable
from aibridge_trio.top.data.history import LONGEST_INTERVAL, History
from aibridge_trio.top.data.parse import Unreadable, read
from aibridge_trio.top.screen.alert import Link, alerts
from aibridge_trio.top.screen.layout import Canvas, frame
from aibridge_trio.top.screen.text import knows_blocks
from aibridge_trio.top.view import View

# The interval of the rates in alerts, as in the dashboard (seconds).
_RATES_OVER = 10.0


async def print_frame(client: AdminClient, interval: float, styled: bool) -> None:
    """Print one frame, as high as it needs to be; unless `styled`, without control codes.

    Receives documents for an `interval` first: rates need two. Raises CommandError without a bridge.
    """
    history = await _watched(client, interval)
    # Environment variables that force colors have no effect on a pipe.
    console = Console(highlight=False, force_terminal=styled)
    canvas = Canvas(width=console.width, height=None, ascii=not knows_blocks(sys.stdout.encoding))
    view = View(interval=interval)
    shown = frame(history.picture(interval), view, Link(client.url), canvas, trio.current_time())
    if styled:
        console.print(shown, end="")
    else:
        sys.stdout.write(shown.plain)


async def _watched(client: AdminClient, interval: float) -> History:
    """Receive documents for `interval` seconds, at least one."""
    history = History()
    enough = trio.CancelScope()
    began = trio.current_time()

    def receive(document: Any) -> None:
        now = trio.current_time()
        history.add(read(document), now)
        picture = history.picture(interval)
        # By this clock: the rates' own interval may stay shorter for ever.
        lasted = now - began >= min(interval, LONGEST_INTERVAL) * (1 - EARLY)
        if lasted and picture and not picture.since_start:
            enough.cancel()

    try:
        with enough:
            await client.follow(receive)
    except Unreadable as error:
        raise Unreachable(client.url, str(error)) from None
    except Unreachable:
        if history.picture(interval) is None:
            raise
    if history.picture(interval) is None:
        raise Unreachable(client.url, HUNG_UP)
    return history


async def print_json(client: AdminClient, interval: float, once: bool) -> None:
    """Print a document every `interval`, and each that tells of an event; says on stderr when the bridge is gone.

    Beside what the bridge says of itself there are `alerts`: what the dashboard's headline would say. Raises
    CommandError without a bridge to begin with.
    """
    history = History()
    if once:
        _write(_with_alerts(history, await client.status(), client.url))
        return
    printed_at: float | None = None
    events: Any = None
    lost = ""

    def receive(document: Any) -> None:
        nonlocal printed_at, events, lost
        now = trio.current_time()
        document = _with_alerts(history, document, client.url)
        if printed_at is None or now - printed_at >= interval * (1 - EARLY) or document.get("events") != events:
            _write(document)
            printed_at, events = now, document.get("events")
        lost = ""

    while True:
        try:
            await client.follow(receive)
            if printed_at is None:
                raise Unreachable(client.url, HUNG_UP)  # noqa: TRY301 - as if it had never answered
            why = HUNG_UP
        except (Refused, Unreachable) as error:
            if printed_at is None:
                raise
            why = error.why
        if not lost:
            sys.stderr.write(f"aibridge: no bridge at {client.url} ({why}); trying again\n")
        lost = why
        await trio.sleep(RETRY)


def _with_alerts(history: History, document: Any, url: str) -> Any:
    """The document with what the headline says of it, part by part; none where all is well."""
    now = trio.current_time()
    try:
        history.add(read(document), now)
    except Unreadable:
        return document
    picture = history.picture(_RATES_OVER)
    return document if picture is None else {**document, "alerts": alerts(picture, Link(url), now)}


def _write(document: Any) -> None:
    sys.stdout.write(json.dumps(document, separators=(",", ":")) + "\n")
    sys.stdout.flush()
