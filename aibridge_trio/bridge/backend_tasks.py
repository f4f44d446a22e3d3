"""The timers of the backends: of their breakers, connections and lines, which come and go with reloads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Protocol

import trio

from aibridge_trio.gateway.adaptive_line import AdaptiveLine
from aibridge_trio.gateway.router import Generation
from aibridge_trio.gateway.routing import Backend
from aibridge_trio.upstream.client import Upstream

# How often to look whether the last request that may use a former backend has ended (seconds).
_INTERVAL = 1.0


class _Part(Protocol):
    """Something with timers."""

    def run(self) -> Awaitable[None]: ...


class BackendTasks:
    """Runs the timers of backends; those of a part that is gone, until all requests have ended that came before.

    Any of these may be on its way to it: in the queue, held, or at another provider of its route. `former` returns
    the generations of requests before the present one.
    """

    def __init__(self, backends: Iterable[Backend], former: Callable[[], Sequence[Generation]]) -> None:
        self._former = former
        self._wanted = dict.fromkeys(_parts(backends))
        self._running: set[_Part] = set()
        self._changed = trio.Event()

    def apply(self, backends: Iterable[Backend]) -> None:
        """Run the timers of these backends from now on."""
        self._wanted = dict.fromkeys(_parts(backends))
        self._changed.set()
        self._changed = trio.Event()

    def lines(self) -> list[AdaptiveLine]:
        """Return all lines in which requests may be held, those of former backends too."""
        parts = dict.fromkeys((*self._wanted, *self._running))
        return [part for part in parts if isinstance(part, AdaptiveLine)]

    async def run(self) -> None:
        """Run all timers until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                changed = self._changed
                for part in self._wanted:
                    if part not in self._running:
                        self._running.add(part)
                        nursery.start_soon(self._run_part, part)
                await changed.wait()

    async def aclose(self) -> None:
        """Close the connections of all backends."""
        for part in dict.fromkeys((*self._wanted, *self._running)):
            if isinstance(part, Upstream):
                await part.aclose()

    async def _run_part(self, part: _Part) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(part.run)
            while part in self._wanted:
                await self._changed.wait()
            before = self._former()
            while any(each.requests for each in before):  # noqa: ASYNC110 - no event says so
                await trio.sleep(_INTERVAL)
            nursery.cancel_scope.cancel()
        if isinstance(part, Upstream):
            await part.aclose()
        self._running.discard(part)

    def __repr__(self) -> str:
        return f"<BackendTasks running={len(self._running)}>"


def _parts(backends: Iterable[Backend]) -> Iterator[_Part]:
    for backend in backends:
        yield backend.circuits
        yield backend.upstream
        if backend.adaptive:
            yield backend.adaptive
        if backend.key and backend.key.keys:
            yield backend.key.keys
