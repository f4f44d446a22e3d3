"""The demo: the same requests straight to one mock provider and through a bridge to another, through incidents.

On a terminal it ends in `aibridge top`, and repeats the incidents for the bridge until that is quit.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from itertools import count

import trio

from aibridge_trio import top
from aibridge_trio.admin.client import AdminClient
from aibridge_trio.bridge import Bridge
from aibridge_trio.config.settings import Address, Settings
from aibridge_trio.demo import report
from aibridge_trio.demo.callers import Arrival, arrivals
from aibridge_trio.demo.incidents import CALLERS, COURSE, RATE, incident_at, patience
from aibridge_trio.demo.side import Side
from aibridge_trio.process.signals import ends
from aibridge_trio.server.server import Server

_LOOPBACK = Address("127.0.0.1", 0)
# How long the last line is shown before the dashboard takes the screen (seconds).
_PAUSE = 4.0


class Demo:
    """One demo, whose requests come for `seconds`; `say` prints a line.

    Then `watch`, if given, is called with the admin listener's URL; the incidents are repeated until it returns.
    """

    def __init__(
        self, seconds: float, say: Callable[[str], None], watch: Callable[[str], Awaitable[object]] | None = None
    ) -> None:
        self._seconds = seconds
        self._say = say
        self._watch = watch
        self._watched = False
        self._straight, self._bridged = self._sides = Side(), Side()
        self._seeds = count(1)
        self._began = trio.current_time()

    async def run(self) -> None:
        """Start mocks and bridge, send the requests, show what became of them, stop everything."""
        async with trio.open_nursery() as nursery:
            for side in self._sides:
                side.url = await self._serve(nursery, side)
            bridge = Bridge(
                Settings(
                    bind=(_LOOPBACK,),
                    admin_bind=_LOOPBACK,
                    adaptive=True,
                    openai_base_url=self._bridged.url,
                    graceful_timeout=1.0,
                    log_level="error",
                )
            )
            bridge.open()
            self._bridged.url = f"http://{bridge.addresses[0]}/openai/v1"
            stop, stopped = trio.open_memory_channel[int](1)
            ready, ended = trio.Event(), trio.Event()

            async def serve() -> None:
                await bridge.run(stopped, ready.set)
                ended.set()

            nursery.start_soon(serve)
            await ready.wait()
            await self._compare()
            if self._watch:
                await self._show(self._watch, f"http://{bridge.admin_address}")
            for side in self._sides:
                await side.aclose()
            await stop.send(signal.SIGTERM)
            await ended.wait()
            nursery.cancel_scope.cancel()

    async def _serve(self, nursery: trio.Nursery, side: Side) -> str:
        """Serve a side's mock; return its base URL."""
        server = Server(side.app, report=lambda error: self._say(repr(error)))
        host, port = server.open("127.0.0.1", 0, option="demo")
        await nursery.start(server.run)
        return f"http://{host}:{port}/v1"

    async def _compare(self) -> None:
        """Send the same requests to both sides at once, and print what becomes of them."""
        self._print(report.introduction(patience(self._seconds)))
        self._began = trio.current_time()
        load = await self._play(self._sides)
        self._print(report.event(self._elapsed(), "end", f"all {len(load)} requests are answered or have failed"))
        numbers = {incident.name: list[int]() for incident in COURSE}
        for number, arrival in enumerate(load):
            numbers[incident_at(arrival.at / self._seconds).name].append(number)
        rows = {name: [side.outcome(each) for side in self._sides] for name, each in numbers.items()}
        straight, bridged = [side.outcome(range(len(load))) for side in self._sides]
        self._print(["", *report.table(rows | {"all": [straight, bridged]}), ""])
        self._print(report.verdict(straight, bridged))

    async def _play(self, sides: Iterable[Side]) -> Sequence[Arrival]:
        """Send the same requests to these sides during the incidents; return them when all have ended."""
        load = arrivals(RATE, self._seconds, CALLERS, next(self._seeds))
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._run_course, sides)
            for number, arrival in enumerate(load):
                await trio.sleep_until(began + arrival.at)
                for side in sides:
                    nursery.start_soon(side.ask, number, arrival, patience(self._seconds))
        return load

    async def _run_course(self, sides: Iterable[Side]) -> None:
        """Change the mocks at each incident, and print progress twice during each."""
        at = trio.current_time()
        for incident in COURSE:
            for side in sides:
                side.mock.change(incident.options)
            self._print(report.event(self._elapsed(), incident.name, incident.about))
            for _ in range(2):
                at += incident.share * self._seconds / 2
                await trio.sleep_until(at)
                self._print([report.progress(self._elapsed(), [side.outcome() for side in sides])])

    async def _show(self, watch: Callable[[str], Awaitable[object]], admin_url: str) -> None:
        """Run `watch`, and repeat the incidents for the bridge meanwhile."""
        self._print(report.event(self._elapsed(), "now", f"aibridge top --url {admin_url}; q ends it"))
        await trio.sleep(_PAUSE)
        self._watched = True
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._repeat)
            await watch(admin_url)
            nursery.cancel_scope.cancel()

    async def _repeat(self) -> None:
        while True:
            await self._play([self._bridged])

    def _elapsed(self) -> float:
        return trio.current_time() - self._began

    def _print(self, lines: Iterable[str]) -> None:
        """Print lines, unless the dashboard has the screen."""
        if not self._watched:
            for line in lines:
                self._say(line)


def run(seconds: float) -> int:
    """Run the demo for `seconds`; returns the exit status."""

    def say(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    return trio.run(partial(_until_interrupted, seconds, say))


async def _dashboard(admin_url: str) -> None:
    await top.watch(AdminClient(admin_url), 1.0)


async def _until_interrupted(seconds: float, say: Callable[[str], None]) -> int:
    async with trio.open_nursery() as nursery:

        async def watch() -> None:
            with trio.open_signal_receiver(*ends()) as signals:
                await anext(signals)
            nursery.cancel_scope.cancel()

        nursery.start_soon(watch)
        await Demo(seconds, say, _dashboard if top.on_terminal() else None).run()
        nursery.cancel_scope.cancel()
    return 0
