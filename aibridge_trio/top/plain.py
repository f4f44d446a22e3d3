"""The bridge's state without a screen: one frame, or a document a line. Without control codes off a terminal."""

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

# What rates of alerts are worked out over, as in the dashboard (seconds).
_RATES_OVER = 10.0


async def show(operator: AdminClient, interval: float, styled: bool) -> None:
    """Print one frame, as high as it needs to be; unless `styled`, without control codes.

    It watches for an `interval`, because one document tells nothing of now. Raises CommandError without a bridge.
    """
    history = await _watched(operator, interval)
    # Variables that force colours do not make a terminal of a pipe.
    console = Console(highlight=False, force_terminal=styled)
    canvas = Canvas(width=console.width, height=None, ascii=not knows_blocks(sys.stdout.encoding))
    view = View(interval=interval)
    shown = frame(history.picture(interval), view, Link(operator.url), canvas, trio.current_time())
    if styled:
        console.print(shown, end="")
    else:
        sys.stdout.write(shown.plain)


async def _watched(operator: AdminClient, interval: float) -> History:
    """What the bridge said in so many seconds, or at least once."""
    history = History()
    enough = trio.CancelScope()
    began = trio.current_time()

    def hear(said: Any) -> None:
        now = trio.current_time()
        history.add(read(said), now)
        picture = history.picture(interval)
        # By this clock, because what the rates are over may stay shorter, and every wait has an end.
        lasted = now - began >= min(interval, LONGEST_INTERVAL) * (1 - EARLY)
        if lasted and picture and not picture.since_start:
            enough.cancel()

    try:
        with enough:
            await operator.follow(hear)
    except Unreadable as strange:
        raise Unreachable(operator.url, str(strange)) from None
    except Unreachable:
        if history.picture(interval) is None:
            raise
    if history.picture(interval) is None:
        raise Unreachable(operator.url, HUNG_UP)
    return history


async def tell(operator: AdminClient, interval: float, once: bool) -> None:
    """Print a document every `interval`, and each that tells of an event; says on stderr when the bridge is gone.

    Beside what the bridge says of itself there are `alerts`: what the dashboard's headline would say. Raises
    CommandError without a bridge to begin with.
    """
    history = History()
    if once:
        _write(_alerted(history, await operator.status(), operator.url))
        return
    told: float | None = None
    events: Any = None
    lost = ""

    def hear(said: Any) -> None:
        nonlocal told, events, lost
        now = trio.current_time()
        said = _alerted(history, said, operator.url)
        if told is None or now - told >= interval * (1 - EARLY) or said.get("events") != events:
            _write(said)
            told, events = now, said.get("events")
        lost = ""

    while True:
        try:
            await operator.follow(hear)
            if told is None:
                raise Unreachable(operator.url, HUNG_UP)  # noqa: TRY301 - as if it had never answered
            why = HUNG_UP
        except (Refused, Unreachable) as error:
            if told is None:
                raise
            why = error.why
        if not lost:
            sys.stderr.write(f"aibridge: no bridge at {operator.url} ({why}); trying again\n")
        lost = why
        await trio.sleep(RETRY)


def _alerted(history: History, said: Any, url: str) -> Any:
    """The document with what the headline says of it, part by part; none where all is well."""
    now = trio.current_time()
    try:
        history.add(read(said), now)
    except Unreadable:
        return said
    picture = history.picture(_RATES_OVER)
    return said if picture is None else {**said, "alerts": alerts(picture, Link(url), now)}


def _write(said: Any) -> None:
    sys.stdout.write(json.dumps(said, separators=(",", ":")) + "\n")
    sys.stdout.flush()
