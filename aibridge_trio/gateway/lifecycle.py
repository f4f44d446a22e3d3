"""Whether the bridge is starting, serving, draining (it still serves, and says goodbye) or stopping."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import trio

from aibridge_trio.errors import ShuttingDown


class Lifecycle:
    """The bridge's phase; it only ever goes forward."""

    def __init__(self) -> None:
        self.phase: Literal["starting", "serving", "draining", "stopping"] = "starting"
        self._waits: set[trio.CancelScope] = set()

    @property
    def draining(self) -> bool:
        """Whether a stop signal has come."""
        return self.phase in ("draining", "stopping")

    def admit(self) -> None:
        """Let a request in, or raise ShuttingDown."""
        if self.phase == "stopping":
            raise ShuttingDown

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Wait for a turn inside of this context; ShuttingDown if the bridge ends meanwhile."""
        with trio.CancelScope() as scope:
            self._waits.add(scope)
            try:
                yield
            finally:
                self._waits.discard(scope)
        if scope.cancelled_caught:
            raise ShuttingDown

    def dismiss(self) -> bool:
        """End all that wait for a turn; tell whether there were any."""
        waits = tuple(self._waits)
        for scope in waits:
            scope.cancel()
        return bool(waits)

    def __repr__(self) -> str:
        return f"<Life {self.phase}>"
