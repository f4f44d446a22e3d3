"""The limits that all workers have in common: the arbiter, and where workers reach it."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
from pathlib import Path

import trio

from aibridge_trio.errors import UsageError
from aibridge_trio.sharing.arbiter import Arbiter, listen

_WALL_CLOCK = time.time  # noqa: TID251 - the arbiter's, which counts budgets by the calendar


class CommonLimits:
    """The arbiter and its socket, in a directory of its own (0700). `open` comes first, `close` last.

    `caller_secret` is what workers hash callers with, so that the arbiter learns no credential.
    """

    def __init__(self) -> None:
        self.caller_secret = secrets.token_bytes(32)
        self.arbiter = Arbiter(_WALL_CLOCK)
        self._folder: Path | None = None

    @property
    def path(self) -> str:
        """Where workers reach it."""
        assert self._folder
        return str(self._folder / "arbiter")

    def open(self) -> None:
        """Make the directory. Raises UsageError."""
        try:
            self._folder = Path(tempfile.mkdtemp(prefix="aibridge-"))
        except OSError as error:
            raise UsageError(
                f"--workers: no directory for a socket can be made: {error.strerror or error}; set TMPDIR to one"
            ) from None

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve workers until cancelled."""
        await self.arbiter.serve(listen(self.path), task_status)

    def close(self) -> None:
        """Remove the directory."""
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __repr__(self) -> str:
        return f"<CommonLimits {self.arbiter!r}>"
