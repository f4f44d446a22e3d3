"""The demo: two mock providers, a bridge, a light load, and an outage of each provider.

On a terminal it ends in `aibridge top`, and repeats the outages until that is quit.
"""

from __future__ import annotations

import random
import signal
import sys
import textwrap
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import trio

from aibridge_trio import top
from aibridge_trio.admin.client import AdminClient
from aibridge_trio.bridge import Bridge
from aibridge_trio.config.settings import Address, Settings
from aibridge_trio.core.breaker.verdict import Verdict
from aibridge_trio.demo.load import Caller, delete, post
from aibridge_trio.events import Event, Finished, Transitioned
from aibridge_trio.mock import Mock, MockOptions
from aibridge_trio.process.signals import ends
from aibridge_trio.server.server import Server

_PATHS = {"openai": "/openai/v1/chat/completions", "anthropic": "/anthropic/v1/messages"}
_LOOPBACK = Address("127.0.0.1", 0)
_CALLERS = 6
_CROWD = 40
# Requests in flight of the greedy caller: enough to exceed its rate on a slow machine too.
_GREEDY = 3
_FRAME_SECONDS = 2.0
_PATIENCE = 30.0
# How long the last line is shown before the dashboard takes the screen (seconds).
_PAUSE = 2.0
# Columns of the screen, and the column where texts begin.
_WIDTH, _INDENT = 80, 19

# The course: when (as a share of the duration), which provider, the line to print, and the script for its mock;
# None ends the outage.
_COURSE: tuple[tuple[float, str, str, dict[str, Any] | None], ...] = (
    (0.15, "openai", "OUTAGE    openai answers 429 to every request", {"status": 429}),
    (0.35, "openai", "MENDED    openai is well again", None),
    (
        0.50,
        "anthropic",
        "OVERLOAD  anthropic says 200 and breaks off with overloaded_error",
        {"fault": "error_event"},
    ),
    (0.65, "anthropic", "MENDED    anthropic is well again", None),
    (0.80, "", f"CROWD     {_CROWD} more callers arrive at once", None),
)


class Demo:
    """One demo of `seconds`; `say` prints a line.

    Then `watch`, if given, is called with the admin listener's URL; outages are repeated until it returns.
    """

    def __init__(
        self, seconds: float, say: Callable[[str], None], watch: Callable[[str], Awaitable[object]] | None = None
    ) -> None:
        self._seconds = seconds
        self._say = say
        self._watch = watch
        self._watched = False
        self._began = trio.current_time()
        self._over = trio.Event()
        self._opened = {name: trio.Event() for name in _PATHS}
        self._served = 0
        self._failed = 0
        self._rejected: Counter[str] = Counter()
        self._rejected_in: list[float] = []

    async def run(self) -> None:
        """Start mocks, bridge and load, run the course, stop everything."""
        async with trio.open_nursery() as nursery:
            urls = {name: await self._mock(nursery) for name in _PATHS}
            bridge = Bridge(
                Settings(
                    bind=(_LOOPBACK,),
                    admin_bind=_LOOPBACK,
                    max_concurrency=20,
                    rate_limit=5,
                    circuit_breaker=True,
                    circuit_breaker_cooldown=max(0.1, self._seconds / 10),
                    openai_base_url=f"{urls['openai']}/v1",
                    anthropic_base_url=urls["anthropic"],
                    graceful_timeout=1.0,
                    log_level="error",
                )
            )
            bridge.subscribe(self._handle)
            bridge.open()
            stop, stopped = trio.open_memory_channel[int](1)
            ended = trio.Event()

            async def serve() -> None:
                await bridge.run(stopped)
                ended.set()

            nursery.start_soon(serve)
            url = f"http://{bridge.addresses[0]}"
            self._print(f"START     bridge on {url} in front of two mock providers: at most 20 in flight,")
            self._print("          5 requests/s a caller, a breaker per provider (5 failures in 10 s open it)")
            async with trio.open_nursery() as load:
                for number in range(_CALLERS):
                    load.start_soon(self._call, url, f"caller-{number}", 0.3)
                for _ in range(_GREEDY):
                    load.start_soon(self._call, url, "greedy", 0.02)
                load.start_soon(self._report, bridge)
                await self._run_course(urls, load, url)
                if self._watch:
                    await self._show(self._watch, urls, f"http://{bridge.admin_address}")
                self._over.set()
            await stop.send(signal.SIGTERM)
            await ended.wait()
            self._print_summary()
            nursery.cancel_scope.cancel()

    async def _mock(self, nursery: trio.Nursery) -> str:
        mock = Mock(MockOptions(tokens=8, tokens_per_second=40))
        server = Server(mock.app, report=lambda error: self._say(repr(error)))
        host, port = server.open("127.0.0.1", 0, option="demo")
        await nursery.start(server.run)
        return f"http://{host}:{port}"

    async def _show(self, watch: Callable[[str], Awaitable[object]], urls: dict[str, str], admin_url: str) -> None:
        """Run `watch`, and repeat the course meanwhile."""
        self._print(f"NOW       aibridge top --url {admin_url}; q ends it")
        await trio.sleep(_PAUSE)
        self._watched = True
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._repeat, urls)
            await watch(admin_url)
            nursery.cancel_scope.cancel()
        self._watched = False

    async def _repeat(self, urls: dict[str, str]) -> None:
        while True:
            await self._run_course(urls)

    async def _run_course(self, urls: dict[str, str], load: trio.Nursery | None = None, url: str = "") -> None:
        since = 0.0
        for when, provider, line, answer in _COURSE:
            await trio.sleep((when - since) * self._seconds)
            since = when
            if provider and answer is None:
                # On a slow machine too an outage lasts until the breaker has opened.
                with trio.move_on_after(_PATIENCE):
                    await self._opened[provider].wait()
            self._print(line)
            if provider and answer:
                await post(urls[provider], "/mock/script", {"answers": [{**answer, "times": 100_000}]})
            elif provider:
                await delete(urls[provider], "/mock/script")
            elif load:
                for number in range(_CROWD):
                    load.start_soon(self._call, url, f"crowd-{number}", 0.3)
        await trio.sleep((1 - since) * self._seconds)

    async def _call(self, url: str, key: str, pause: float) -> None:
        """Send requests to random providers until the end; after a reject wait as long as it says."""
        caller = Caller(url, f"sk-demo-0123456789-{key}")
        wait = 0.0
        while await self._wait(wait):
            answer = await caller.ask(random.choice(list(_PATHS.values())))  # noqa: S311 - a load, no secret
            # The greedy caller ignores Retry-After.
            wait = pause if key == "greedy" else max(pause, answer.wait)
        await caller.aclose()

    async def _wait(self, seconds: float) -> bool:
        """Wait `seconds`, or until the end; returns False at the end. Requests are not cancelled."""
        with trio.move_on_after(seconds):
            await self._over.wait()
        return not self._over.is_set()

    async def _report(self, bridge: Bridge) -> None:
        while await self._wait(_FRAME_SECONDS):
            states = ", ".join(
                f"{each.name} {each.circuits.statistics().state}" for each in bridge.router if each.name in _PATHS
            )
            rejects = ", ".join(f"{count} {reason}" for reason, count in self._rejected.items())
            self._print(
                f"          served {self._served}, failed upstream {self._failed}, rejected {rejects or 'none'}; "
                f"{bridge.admission.statistics().in_flight} in flight; {states}"
            )

    def _handle(self, event: Event) -> None:
        match event:
            case Transitioned():
                if event.trip:
                    self._opened[event.provider].set()
                change = f"{event.source} → {event.target}"
                self._print(f"BREAKER   {event.provider} {change}: {event.because}")
            case Finished(reject=str(reason)):
                self._rejected[reason] += 1
                self._rejected_in.append(event.total)
            case Finished(verdict=Verdict.FAILURE):
                self._failed += 1
            case Finished():
                self._served += 1

    def _print_summary(self) -> None:
        rejected = self._rejected.total()
        middle = sorted(self._rejected_in)[len(self._rejected_in) // 2] * 1000 if self._rejected_in else 0.0
        self._print(f"END       {self._served} served, {self._failed} failed upstream, {rejected} rejected here:")
        if rejected:
            self._print(
                f"          half of these within {middle:.2f} ms, each with its reason and a time to retry"
            )

    def _print(self, line: str) -> None:
        if not self._watched:
            for each in _wrapped(f"{trio.current_time() - self._began:5.1f} s  {line}"):
                self._say(each)


def _wrapped(line: str) -> list[str]:
    """Wrap a line to the screen's width, with further lines indented to the text."""
    return textwrap.wrap(
        line, _WIDTH, subsequent_indent=" " * _INDENT, drop_whitespace=True, break_long_words=False
    )


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
