"""The bridge's phase: starting, serving, draining (it still serves new requests) or stopping (it refuses them)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal

import trio

from aibridge_trio.errors import ShuttingDown


class Lifecycle:
    """The bridge's phase, which only moves forward, and the requests whose waits end with it."""

    def __init__(self) -> None:
        self.phase: Literal["starting", "serving", "draining", "stopping"] = "starting"
        self._queued: set[trio.CancelScope] = set()
        self._held: set[trio.CancelScope] = set()

    @property
    def draining(self) -> bool:
        """Whether a stop signal has arrived."""
        return self.phase in ("draining", "stopping")

    def admit(self) -> None:
        """Raise ShuttingDown if new requests are refused."""
        if self.phase == "stopping":
            raise ShuttingDown

    def interruptible(self) -> AbstractContextManager[None]:
        """Let `end_waits` cancel what waits inside this context, which then raises ShuttingDown."""
        return _interruptible(self._queued)

    def held(self) -> AbstractContextManager[None]:
        """Let `end_holds` cancel what waits inside this context, which then raises ShuttingDown."""
        return _interruptible(self._held)

    def end_waits(self) -> bool:
        """Cancel all that wait inside `interruptible`; return whether there were any."""
        return _cancel(self._queued)

    def end_holds(self) -> bool:
        """Cancel all that wait inside `held`; return whether there were any."""
        return _cancel(self._held)

    def __repr__(self) -> str:
        return f"<Lifecycle {self.phase}>"


@contextmanager
def _interruptible(waits: set[trio.CancelScope]) -> Iterator[None]:
    with trio.CancelScope() as scope:
        waits.add(scope)
        try:
            yield
        finally:
            waits.discard(scope)
    if scope.cancelled_caught:
        raise ShuttingDown


def _cancel(waits: set[trio.CancelScope]) -> bool:
    found = tuple(waits)
    for scope in found:
        scope.cancel()
    return bool(found)
