"""The program of `load.py`: replicas without a server, which ask a store for what requests need.

It reads a word a line on stdin (`fill`, `begin`, `end`) and writes a line of JSON for each, and one when all
replicas have met the store.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from functools import partial
from statistics import median
from time import perf_counter

import trio

from aibridge_trio.config.store_url import STORE, store_address
from aibridge_trio.core.sharing.needs import Ask, Away, Granted, Holding, Leave, Use
from aibridge_trio.net.dial import new_dialer
from aibridge_trio.sharing.link import Link
from aibridge_trio.sharing.redis.backend import RedisBackend

PREFIX = "aibridge"
_RATE = 20.0
_SPAN = 600.0  # of the callers' rate: what is asked for stays in the store
_HELD = 0.05
_AT_ONCE = 200


class Replicas:
    """Links to one store. `callers` are asked for at random."""

    def __init__(self, store: str, count: int, callers: int) -> None:
        address = store_address(STORE.parse(store))
        self._links = [
            Link(RedisBackend(address, PREFIX, new_dialer()), replica_id=f"bench-{number}", timeout=1.0)
            for number in range(count)
        ]
        self._callers = callers
        self._seconds: list[float] = []
        self._late = 0
        self._begun = 0.0
        self._asking: trio.CancelScope | None = None

    async def run(self, words: trio.abc.ReceiveStream) -> None:
        """Obey words until they end."""
        async with trio.open_nursery() as nursery:
            for link in self._links:
                await nursery.start(link.run)
            while any(link.condition != "shared" for link in self._links):  # noqa: ASYNC110 - a bench waits so
                await trio.sleep(0.05)
            _say({})
            buffer = b""
            async for data in words:
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    await self._obey(line.decode(), nursery)
            nursery.cancel_scope.cancel()

    async def _obey(self, word: str, nursery: trio.Nursery) -> None:
        match word:
            case "fill":
                await self._fill()
                _say({})
            case "begin":
                self._begun, self._seconds, self._late = perf_counter(), [], 0
                self._asking = trio.CancelScope()
                nursery.start_soon(self._ask_always, self._asking)
                while not self._seconds:  # noqa: ASYNC110 - a bench waits so
                    await trio.sleep(0.01)
                _say({})
            case "end":
                assert self._asking
                self._asking.cancel()
                taken = self._seconds or [0.0]
                seconds = perf_counter() - self._begun
                found = {"asks": len(self._seconds), "seconds": seconds, "late": self._late}
                _say({**found, "p50_ms": median(taken) * 1e3})

    async def _fill(self) -> None:
        link = self._links[0]

        async def some(first: int) -> None:
            for caller in range(first, self._callers, _AT_ONCE):
                await link.ask(Ask(uses=(self._use(caller),)))

        async with trio.open_nursery() as nursery:
            for first in range(_AT_ONCE):
                nursery.start_soon(some, first)

    async def _ask_always(self, scope: trio.CancelScope) -> None:
        with scope:
            async with trio.open_nursery() as nursery:
                for link in self._links:
                    nursery.start_soon(self._ask_often, link, nursery)

    async def _ask_often(self, link: Link, nursery: trio.Nursery) -> None:
        while True:
            await trio.sleep(random.expovariate(_RATE))
            nursery.start_soon(self._ask, link)

    async def _ask(self, link: Link) -> None:
        """Ask as a request does, and give back what it held."""
        begun = perf_counter()
        held = (Holding("slots", 1_000_000), Holding("provider:openai", 1_000_000))
        answer = await link.ask(Ask(held, (self._use(random.randrange(self._callers)),)))
        self._seconds.append(perf_counter() - begun)
        self._late += isinstance(answer, Away)
        if isinstance(answer, Granted):
            try:
                await trio.sleep(_HELD)
            finally:
                link.leave(Leave(tuple((each.key, 1) for each in held)))

    @staticmethod
    def _use(caller: int) -> Use:
        return Use(f"rate:{caller:032x}", 256, _SPAN)


def _say(found: dict[str, float]) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


async def _main(store: str, count: int, callers: int) -> None:
    words = trio.lowlevel.FdStream(0)
    await Replicas(store, count, callers).run(words)


if __name__ == "__main__":
    given = sys.argv[1:]
    start: Callable[[], object] = partial(trio.run, _main, given[0], int(given[1]), int(given[2]))
    start()
