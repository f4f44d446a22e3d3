"""A task that runs beside the task that starts it, where no `async with` can enclose both."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio


class SideTask:
    """A nursery with one task, opened by `start` and closed by `close`, both called by the same task.

    As with any nursery, a cancel scope that the caller opens between the two calls must close before `close`. An
    exception of the task cancels the caller, and is raised by `close`, not wrapped in a group.
    """

    def __init__(self) -> None:
        self._manager = trio.open_nursery()
        self._nursery: trio.Nursery | None = None
        self._failure: Exception | None = None

    async def start(self, work: Callable[[], Awaitable[None]]) -> None:
        """Open the nursery and start the task."""
        self._nursery = nursery = await self._manager.__aenter__()
        self._working = trio.CancelScope()
        nursery.start_soon(self._run, work)

    def stop(self) -> None:
        """Cancel the task. Synchronous."""
        self._working.cancel()

    async def close(self, error: BaseException | None) -> None:
        """Wait for the task; cancel it first if an `error` of the caller ends both.

        Raises the task's exception. An `error` that is a cancellation is raised as trio's nurseries raise it; any
        other is the caller's to raise.
        """
        nursery, self._nursery = self._nursery, None
        if nursery is None:
            return
        if error:
            nursery.cancel_scope.cancel()
        if isinstance(error, Exception):  # the nursery would wrap it
            error = None
        try:
            if error:
                await self._manager.__aexit__(type(error), error, error.__traceback__)
            else:
                await self._manager.__aexit__(None, None, None)
        finally:
            failure, self._failure = self._failure, None
        if failure:
            try:
                raise failure
            finally:
                del failure, error  # they refer to this frame: break the cycle

    async def _run(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            with self._working:
                await work()
        except Exception as error:  # noqa: BLE001 - raised by close()
            self._failure = error
            if self._nursery:
                self._nursery.cancel_scope.cancel()
