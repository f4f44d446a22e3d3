"""Output of several replicas without a screen: one frame of all, or lines of JSON, each with its replica."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import trio
from rich.console import Console

from aibridge_trio.admin.client import EARLY, AdminClient, Refused, Unreachable
from aibridge_trio.admin.orders import by_cause
from aibridge_trio.errors import CommandError
from aibridge_trio.top.data import fleet
from aibridge_trio.top.data.fleet import Replica
from aibridge_trio.top.data.history import LONGEST_INTERVAL
from aibridge_trio.top.data.parse import Unreadable
from aibridge_trio.top.screen import fleet as screen
from aibridge_trio.top.screen.alert import alerts
from aibridge_trio.top.screen.layout import Canvas
from aibridge_trio.top.screen.text import knows_blocks
from aibridge_trio.top.view import View
from aibridge_trio.top.watched import Watched
from aibridge_trio.top.watched_fleet import SLOW, Find, WatchedFleet, replica

# A replica that has not answered by then is shown as lost (seconds, beyond the interval).
_GRACE, _LOOK = 2.0, 0.1
# The interval of the rates in alerts, as in the dashboard (seconds).
_RATES_OVER = 10.0


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
    shown = fleet.without_twins(replica(each, interval, silent=SLOW) for each in watched)
    _need_one(shown)
    console = Console(highlight=False, force_terminal=styled)
    canvas = Canvas(width=console.width, height=None, ascii=not knows_blocks(sys.stdout.encoding))
    drawn = screen.frame(shown, View(interval=interval), canvas)
    if styled:
        console.print(drawn, end="")
    else:
        sys.stdout.write(drawn.plain)


def _ignore(_: object) -> None:
    pass


def _settled(watched: Watched, interval: float) -> bool:
    picture = watched.picture(interval)
    return bool(watched.link.lost) or bool(picture and not picture.since_start)


def _need_one(replicas: Sequence[Replica]) -> None:
    if not any(each.picture for each in replicas):
        causes = by_cause({each.name: each.cause for each in replicas})
        raise CommandError(f"no bridge answers: {causes}; see --url")


async def print_json(clients: Sequence[AdminClient], find: Find, interval: float, once: bool) -> None:
    """Print a line for each document, with its replica's name; a replica that does not answer is a line, too.

    A line about all of them, `fleet`, follows every `interval`. With `once` there is one line for each; raises
    CommandError then if no replica answers.
    """
    if once:
        await _print_once(clients)
    else:
        await _Lines(clients, find, interval).print()


async def _print_once(clients: Sequence[AdminClient]) -> None:
    watched = [Watched(client) for client in clients]

    async def ask(each: Watched) -> None:
        try:
            each.receive(await each.client.status())
            _write_document(each)
        except (Refused, Unreachable) as error:
            each.fail(error.why)
            _write_error(each)
        except Unreadable as error:
            each.fail(str(error))
            _write_error(each)

    async with trio.open_nursery() as nursery:
        for each in watched:
            nursery.start_soon(ask, each)
    shown = fleet.without_twins(replica(each, _RATES_OVER) for each in watched)
    _write_fleet(shown)
    _need_one(shown)


class _Lines:
    """Lines of JSON without an end, of replicas that come and go."""

    def __init__(self, clients: Sequence[AdminClient], find: Find, interval: float) -> None:
        self._interval = interval
        self._fleet = WatchedFleet(clients, find, self._received, self._lost, self._changed)
        # When a document of each replica was printed, and the cause of its last error line.
        self._printed_at: dict[str, float] = {}
        self._causes: dict[str, str] = {}

    async def print(self) -> None:
        """Print until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._fleet.follow)
            while True:
                await trio.sleep(self._interval)
                _write_fleet(self._fleet.replicas(_RATES_OVER))

    def _received(self, watched: Watched, news: bool) -> None:
        name, now = watched.client.name, trio.current_time()
        back = bool(self._causes.pop(name, ""))
        if back or news or now - self._printed_at.get(name, -self._interval) >= self._interval * (1 - EARLY):
            _write_document(watched)
            self._printed_at[name] = now

    def _lost(self, watched: Watched, _: Refused | None) -> None:
        name, cause = watched.client.name, watched.link.lost
        if self._causes.get(name) != cause:
            _write_error(watched)
        self._causes[name] = cause

    def _changed(self) -> None:
        for known in (self._printed_at, self._causes):
            for name in known.keys() - self._fleet.watched.keys():
                del known[name]


def _write_document(watched: Watched) -> None:
    document = {"replica": watched.client.name, **watched.document}
    if (picture := watched.picture(_RATES_OVER)) is not None:
        document["alerts"] = alerts(picture, watched.current_link(), trio.current_time())
    _write(document)


def _write_error(watched: Watched) -> None:
    _write({"replica": watched.client.name, "error": watched.link.lost})


def _write_fleet(replicas: Sequence[Replica]) -> None:
    counts = {"replicas": len(replicas), "answering": sum(each.here for each in replicas)}
    differs = [
        {
            "what": each.what,
            "usual": each.usual,
            "others": {value: list(names) for value, names in each.others.items()},
        }
        for each in fleet.differences(replicas)
    ]
    _write({"fleet": counts, "alerts": screen.alerts(replicas), "differs": differs})


def _write(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, separators=(",", ":")) + "\n")
    sys.stdout.flush()
