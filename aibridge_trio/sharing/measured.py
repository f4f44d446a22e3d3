"""A backend whose calls are measured."""

from __future__ import annotations

from collections.abc import Callable

import trio

from aibridge_trio.sharing.backend import Backend, StoreError


class Measured:
    """`backend`, with `observe` called for each batch: how long it took (seconds), or None if it got no reply."""

    def __init__(self, backend: Backend, observe: Callable[[float | None], None]) -> None:
        self._backend = backend
        self._observe = observe

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """See Backend."""
        await self._backend.run(task_status)

    async def execute(self, batch: bytes) -> bytes:
        """See Backend. One that is cancelled got no reply."""
        began = trio.current_time()
        try:
            reply = await self._backend.execute(batch)
        except (StoreError, trio.Cancelled):
            self._observe(None)
            raise
        self._observe(trio.current_time() - began)
        return reply

    async def listen(self, wake: Callable[[], None]) -> None:
        """See Backend."""
        await self._backend.listen(wake)

    def __repr__(self) -> str:
        return f"<Measured {self._backend!r}>"
