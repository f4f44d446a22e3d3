"""A worker, as its supervisor sees it: one process after another."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, Literal

import trio

from aibridge_trio import __version__
from aibridge_trio.workers.backoff import Backoff
from aibridge_trio.workers.channel import Channel, Gone
from aibridge_trio.workers.worker import ALIVE, Start

# A worker is ended that is silent for so many of its intervals, or has not begun to serve in time (seconds).
_MOST_SILENT = 30
_MOST_STARTING = 60.0

Phase = Literal["starting", "serving", "ended"]


class Member:
    """Keeps one worker running.

    start       Returns what a process of it begins with; called for each.
    on_message  Called with the member and each message of its process.
    warn        Logs a line.
    """

    def __init__(
        self,
        number: int,
        *,
        start: Callable[[int], Start],
        on_message: Callable[[Member, str, Any], None],
        warn: Callable[[str], None],
    ) -> None:
        self.number = number
        self.pid: int | None = None
        self.phase: Phase = "ended"
        self.restarts = -1
        self.stopping = False
        self.started_at = 0.0  # Trio's clock
        self.agreed: object = None  # the settings that it has prepared
        self._start = start
        self._on_message = on_message
        self._warn = warn
        self._channel: Channel | None = None
        self._process: trio.Process | None = None
        self._silent = 0
        self._served_since = 0.0
        self._at_once = False

    @property
    def served(self) -> bool:
        """Whether a process of it serves now."""
        return self.phase == "serving"

    def row(self, document: dict[str, Any] | None) -> dict[str, Any]:
        """Return it as `/status` shows it; `document` is its own, None before the first one."""
        now = document or {"concurrency": {"in_flight": 0}, "requests": {"total": 0}}
        return {
            "number": self.number,
            "pid": self.pid,
            "state": self.phase,
            "uptime_s": round(trio.current_time() - self.started_at, 3) if self.pid else 0.0,
            "restarts": max(0, self.restarts),
            "in_flight": now["concurrency"]["in_flight"],
            "requests": now["requests"]["total"],
        }

    async def run(self) -> None:
        """Start a process, and the next one when it has ended, until `stop`."""
        backoff = Backoff()
        while not self.stopping:
            self._served_since = 0.0
            self._at_once = False
            ending = await self._live()
            if self._stops():
                return
            served = trio.current_time() - self._served_since if self._served_since else 0.0
            pause = 0.0 if self._at_once else backoff.ended(served)
            again = f"starts again in {pause:g} s" if pause else "starts again"
            self._warn(f"worker {self.number} {ending}; it {again}")
            await trio.sleep(pause)

    async def call(self, name: str, value: Any = None, within: float = 1.0) -> Any:
        """Return what the worker answers. Raises Gone."""
        if self._channel is None:
            raise Gone(name)
        return await self._channel.call(name, value, within)

    def tell(self, name: str, value: Any = None) -> None:
        """Send a message to the process, if there is one."""
        if self._channel:
            self._channel.tell(name, value)

    def stop(self) -> None:
        """Let the process drain; start no other one. A second call cuts what is left."""
        self.stopping = True
        self.tell("stop")

    def replace(self) -> None:
        """Let another process take the place of this one: it drains if it serves."""
        self._at_once = True
        if self.served:
            self.tell("stop")
        else:
            self.kill()

    def kill(self) -> None:
        """End the process at once."""
        if self._process:
            self._process.kill()

    def __repr__(self) -> str:
        return f"<Member {self.number} {self.phase} pid={self.pid}>"

    def _stops(self) -> bool:
        return self.stopping

    async def _live(self) -> str:
        """Run one process until it ends; return how it did."""
        start = self._start(self.number)
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                try:
                    # It reads no stdin; where there is nothing but the program, there is no /dev/null to give it.
                    process = await trio.lowlevel.open_process(
                        command(theirs.fileno()),
                        pass_fds=(theirs.fileno(), *start.descriptors),
                        start_new_session=True,
                    )
                except OSError as error:
                    self.restarts += 1
                    self._on_message(self, "ended", None)
                    return f"cannot be started: {error.strerror or error}"
                self._process = process
            self._channel = channel = Channel(trio.SocketStream(trio.socket.from_stdlib_socket(ours)))
            self.pid, self.phase, self.started_at = process.pid, "starting", trio.current_time()
            self.restarts += 1
            self.agreed = start.settings
            self._silent = 0
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._converse, channel, start)
                    nursery.start_soon(self._watch)
                    status = await process.wait()
                    # What it has sent before its end is still read.
                    with trio.move_on_after(1.0):
                        while not channel.closed:  # noqa: ASYNC110 - another process ends it
                            await trio.sleep(0.01)
                    nursery.cancel_scope.cancel()
            finally:
                self.pid, self.phase, self._channel, self._process = None, "ended", None, None
                process.kill()
                with trio.CancelScope(shield=True):
                    await process.wait()
                self._on_message(self, "ended", None)
        return _ending(status)

    async def _converse(self, channel: Channel, start: Start) -> None:
        async def handle(name: str, value: Any) -> Any:
            await trio.lowlevel.checkpoint()
            self._silent = 0
            if name == "start":
                if value != __version__:
                    self._warn(f"worker {self.number} is of version {value}: the program was replaced; restart it")
                    self.kill()
                return start
            if name == "ready":
                self.phase, self._served_since = "serving", trio.current_time()
            if name != "alive":
                self._on_message(self, name, value)
            return None

        await channel.run(handle)

    async def _watch(self) -> None:
        """End a process that says nothing any more. Intervals in which this process stood still count once."""
        while True:
            await trio.sleep(ALIVE)
            self._silent += 1
            late = self.phase == "starting" and trio.current_time() > self.started_at + _MOST_STARTING
            if self._silent > _MOST_SILENT + (_MOST_STARTING if self.phase == "starting" else 0) or late:
                self._warn(f"worker {self.number} does not answer; it is ended")
                self.kill()
                return


def command(descriptor: int) -> list[str]:
    """Return the command line of a worker: this program's own, with another command."""
    own = sys.orig_argv[: len(sys.orig_argv) - len(sys.argv) + 1]
    return [sys.executable, *own[1:], "worker", str(descriptor)]


def _ending(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
