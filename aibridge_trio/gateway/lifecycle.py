"""The bridge's phase: starting, serving, draining (it still serves new requests) or stopping (it refuses them)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import trio

from aibridge_trio.errors import ShuttingDown


class Lifecycle:
    """The bridge's phase, which only moves forward, and the requests whose wait in the queue ends with it."""

    def __init__(self) -> None:
        self.phase: Literal["starting", "serving", "draining", "stopping"] = "starting"
        self._waits: set[trio.CancelScope] = set()

    @property
    def draining(self) -> bool:
        """Whether a stop signal has arrived."""
        return self.phase in ("draining", "stopping")

    def admit(self) -> None:
        """Raise ShuttingDown if new requests are refused."""
        if self.phase == "stopping":
            raise ShuttingDown

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let `end_waits` cancel what waits inside this context, which then raises ShuttingDown."""
        with trio.CancelScope() as scope:
            self._waits.add(scope)
            try:
                yield
            finally:
                self._waits.discard(scope)
        if scope.cancelled_caught:
            raise ShuttingDown

    def end_waits(self) -> bool:
        """Cancel all that wait inside `interruptible`; return whether there were any."""
        waits = tuple(self._waits)
        for scope in waits:
            scope.cancel()
        return bool(waits)

    def __repr__(self) -> str:
        return f"<Lifecycle {self.phase}>"
