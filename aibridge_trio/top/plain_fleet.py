"""Output of several replicas without a screen: one frame of all, or lines of JSON, each with its replica."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import trio
from rich.console import Console

from aibridge_trio.admin.client import EARLY, RETRY, AdminClient, Refused, Unreachable
from aibridge_trio.errors import CommandError
from aibridge_trio.top.data.fleet import Replica
from aibridge_trio.top.data.history import LONGEST_INTERVAL
from aibridge_trio.top.screen import fleet
from aibridge_trio.top.screen.layout import Canvas
from aibridge_trio.top.screen.text import knows_blocks
from aibridge_trio.top.view import View
from aibridge_trio.top.watched import Watched

# A replica that has not answered by then is shown as lost (seconds, beyond the interval).
_GRACE, _LOOK = 2.0, 0.1
_SLOW = "no answer yet"


async def print_frame(clients: Sequence[AdminClient], interval: float, styled: bool) -> None:
    """Print one frame of all, as high as it needs to be, after an `interval`.

    A slow replica does not hold it up. Raises CommandError if no replica answers.
    """
    interval = min(interval, LONGEST_INTERVAL)
    watched = [Watched(client) for client in clients]
    async with trio.open_nursery() as nursery:
        for each in watched:
            nursery.start_soon(each.follow, _ignore, _ignore)
        await trio.sleep(interval * (1 - EARLY))
        # Rates need a second document, which comes after a second.
        for _ in range(int(_GRACE / _LOOK)):
            if all(_settled(each, interval) for each in watched):
                break
            await trio.sleep(_LOOK)
        nursery.cancel_scope.cancel()
    shown = [_replica(each, interval) for each in watched]
    if not any(each.picture for each in shown):
        causes = "; ".join(f"{each.name}: {each.cause}" for each in shown)
        raise CommandError(f"no bridge answers ({causes}); see --url")
    console = Console(highlight=False, force_terminal=styled)
    canvas = Canvas(width=console.width, height=None, ascii=not knows_blocks(sys.stdout.encoding))
    drawn = fleet.frame(shown, View(interval=interval), canvas)
    if styled:
        console.print(drawn, end="")
    else:
        sys.stdout.write(drawn.plain)


def _ignore(_: object) -> None:
    pass


def _settled(watched: Watched, interval: float) -> bool:
    picture = watched.picture(interval)
    return bool(watched.link.lost) or bool(picture and not picture.since_start)


def _replica(watched: Watched, interval: float) -> Replica:
    picture, link = watched.picture(interval), watched.current_link()
    cause = link.lost or ("" if picture else _SLOW)
    return Replica(watched.client.name, picture, cause, link.silence)


async def print_json(clients: Sequence[AdminClient], interval: float, once: bool) -> None:
    """Print a line for each document, with its replica's name; a replica that does not answer is a line, too.

    With `once` one line for each replica. Raises CommandError then if none answers.
    """
    answered = False

    async def ask(client: AdminClient) -> None:
        nonlocal answered
        try:
            _write(client, await client.status())
            answered = True
        except (Refused, Unreachable) as error:
            _write(client, {"error": error.why})

    async with trio.open_nursery() as nursery:
        for client in clients:
            nursery.start_soon(*((ask, client) if once else (_follow, client, interval)))
    if not answered:
        raise CommandError("no bridge answers; see --url")


async def _follow(client: AdminClient, interval: float) -> None:
    printed_at: float | None = None
    lost = ""

    def receive(document: Any) -> None:
        nonlocal printed_at, lost
        now = trio.current_time()
        if lost or printed_at is None or now - printed_at >= interval * (1 - EARLY):
            _write(client, document)
            printed_at, lost = now, ""

    while True:
        why = "it hung up"
        try:
            await client.follow(receive)
        except (Refused, Unreachable) as error:
            why = error.why
        if not lost:
            _write(client, {"error": why})
        lost = why
        await trio.sleep(RETRY)


def _write(client: AdminClient, document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"replica": client.name, **document}, separators=(",", ":")) + "\n")
    sys.stdout.flush()
