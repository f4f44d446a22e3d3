"""The way to a store, as a link needs it: one connection that carries batches, and wake-ups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import trio


class StoreError(Exception):
    """The store did not take a batch, or did not answer it. Its text is logged, so it has no secrets."""


class Backend(Protocol):
    """A connection to a store. What is sent and received is described in core/sharing/wire.py."""

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep what connections need until cancelled, then close them. Started at once, connected or not."""

    async def execute(self, batch: bytes) -> bytes:
        """Execute a batch; return the reply. Connect first, if there is no connection.

        Several may be under way, all on one connection: they are executed in the order of the calls, and none
        after one that is not. When one fails or is cancelled, the connection is dropped, the others fail, and the
        next call connects anew. There is no timeout here: the link cancels what is late. Raises StoreError.
        """

    async def listen(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever there may be new messages, and once as soon as it listens, until cancelled.

        Raises StoreError when it listens no more.
        """
