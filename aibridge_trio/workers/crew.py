"""All workers, under one supervisor."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import trio

from aibridge_trio.config.settings import Settings
from aibridge_trio.core.snapshots import Saved
from aibridge_trio.errors import CommandError
from aibridge_trio.workers.channel import Gone
from aibridge_trio.workers.member import Member
from aibridge_trio.workers.reports import Reports
from aibridge_trio.workers.worker import Start

# How long the others wait at the start for one that ends before it serves (seconds), and after how many ends the
# supervisor gives up if none has ever served.
_PATIENCE = 10.0
_MOST_ENDS = 3
# How long a worker may take to read its files for a reload, and to report (seconds).
_PREPARES, _REPORTS = 30.0, 1.0
# Reports are at most so old (seconds) when they are shown, and asked for so often otherwise: what a worker has
# counted since is lost if it is killed.
_FRESH, _POLLED = 0.2, 5.0


class Crew:
    """Keeps so many workers running. `start` is what worker N begins with, `warn` logs a line."""

    def __init__(self, count: int, *, start: Callable[[int], Start], warn: Callable[[str], None]) -> None:
        self.reports = Reports()
        self.members = [
            Member(number, start=start, on_message=self._on_message, warn=warn) for number in range(1, count + 1)
        ]
        # Called when a breaker, an override or a learned limit of a worker has changed.
        self.changed: Callable[[], None] = lambda: None
        # Called when a worker begins to serve, and with what one that ends would save, and its number.
        self.ready: Callable[[], None] = lambda: None
        self.heard: Callable[[int, Saved], None] = lambda _number, _saved: None
        self._progress = trio.Event()
        self._served = False  # any, ever
        self._ends = 0
        self._refreshing = trio.Lock()
        self._refreshed = -math.inf

    @property
    def serving(self) -> list[Member]:
        """The workers that serve now."""
        return [member for member in self.members if member.served]

    async def run(self, ready: Callable[[], None]) -> None:
        """Run all until `stop`; `ready` is called when they serve.

        Raises CommandError if they end before any of them has served.
        """
        async with trio.open_nursery() as nursery:
            for member in self.members:
                nursery.start_soon(member.run)
            nursery.start_soon(self._poll)
            while len(self.serving) < len(self.members) and not self._stopping:
                progress = self._progress
                with trio.move_on_after(_PATIENCE if self.serving else math.inf) as patience:
                    await progress.wait()
                if not self._served and self._ends >= _MOST_ENDS * len(self.members):
                    raise CommandError("the workers end before they serve; the lines above say why")
                if patience.cancelled_caught:
                    break
            if self.serving:
                ready()
            while not all(member.stopping and member.phase == "ended" for member in self.members):
                progress = self._progress
                await progress.wait()
            nursery.cancel_scope.cancel()

    def stop(self) -> None:
        """Let all drain, and start none; a second call cuts what is left."""
        for member in self.members:
            member.stop()
        self._wake()

    def reopen_logs(self) -> None:
        """Let each open its log file again."""
        for member in self.members:
            member.tell("reopen")

    def kill(self) -> None:
        """End all at once."""
        for member in self.members:
            member.kill()

    async def prepare(self, settings: Settings) -> str | None:
        """Let each worker read the files that settings name; return what is wrong with them."""
        found: list[str] = []

        async def one(member: Member) -> None:
            member.agreed = None
            try:
                if why := await member.call("prepare", part(settings, len(self.members)), _PREPARES):
                    found.append(why)
                else:
                    member.agreed = settings
            except Gone:
                pass  # the process has ended: the next one begins with the settings that hold then

        async with trio.open_nursery() as nursery:
            for member in self.serving:
                nursery.start_soon(one, member)
        return found[0] if found else None

    def apply(self, settings: Settings) -> None:
        """Let each worker apply what it has prepared; one that has not is replaced."""
        for member in self.members:
            if member.served and member.agreed is settings:
                member.tell("apply")
            else:
                member.replace()

    async def ask(self, name: str, value: Any = None, within: float = _REPORTS) -> dict[int, Any]:
        """Return what the workers that serve answer, by their numbers."""
        found: dict[int, Any] = {}

        async def one(member: Member) -> None:
            with suppress(Gone):
                found[member.number] = await member.call(name, value, within)

        async with trio.open_nursery() as nursery:
            for member in self.serving:
                nursery.start_soon(one, member)
        return {number: found[number] for number in sorted(found)}

    async def refresh(self) -> None:
        """Ask the workers for their reports, unless there are new ones."""
        async with self._refreshing:
            if trio.current_time() < self._refreshed + _FRESH:
                return

            async def one(member: Member) -> None:
                with suppress(Gone):
                    self.reports.heard(member.number, await member.call("report", None, _REPORTS))

            async with trio.open_nursery() as nursery:
                for member in self.serving:
                    nursery.start_soon(one, member)
            self._refreshed = trio.current_time()

    def __repr__(self) -> str:
        return f"<Crew {len(self.serving)} of {len(self.members)} serve>"

    @property
    def _stopping(self) -> bool:
        return all(member.stopping for member in self.members)

    async def _poll(self) -> None:
        while True:
            await trio.sleep(_POLLED)
            await self.refresh()

    def _on_message(self, member: Member, name: str, value: Any) -> None:
        match name:
            case "ready":
                self._served = True
                self.ready()
            case "ends":
                self.reports.heard(member.number, value)
            case "ended":
                self._ends += 1
                self.reports.ended(member.number)
            case "state":
                self.heard(member.number, value)
                return
            case "changed":
                self.changed()
                return
        self._wake()

    def _wake(self) -> None:
        self._progress.set()
        self._progress = trio.Event()


def part(settings: Settings, workers: int) -> Settings:
    """Return the settings of one worker: memory, the queue and connections are divided; its supervisor saves."""
    return replace(
        settings,
        max_buffered=_part(settings.max_buffered, workers),
        queue_size=_part(settings.queue_size, workers),
        max_connections=_part(settings.max_connections, workers),
        state_file=None,
    )


def _part(whole: int, workers: int) -> int:
    return -(-whole // workers)
