"""The limits that all workers have in common: the arbiter, and where workers reach it."""

from __future__ import annotations

import secrets
import socket
import time

import trio

from aibridge_trio.gateway.caller_identity import CallerIdentifier
from aibridge_trio.sharing.arbiter import Arbiter
from aibridge_trio.sharing.entrance import new_entrance
from aibridge_trio.workers.budgets import CountedBudgets

_WALL_CLOCK = time.time  # noqa: TID251 - the arbiter's, which counts budgets by the calendar


class CommonLimits:
    """The arbiter and its entrance. `open` comes first, `close` last.

    `caller_secret` is what workers hash callers with, so that the arbiter learns no credential.
    """

    def __init__(self) -> None:
        self.caller_secret = secrets.token_bytes(32)
        self.arbiter = Arbiter(_WALL_CLOCK)
        key_of_name = CallerIdentifier(secret=self.caller_secret).key_of_name
        self.budgets = CountedBudgets(self.arbiter.ledger.budgets, key_of_name, _WALL_CLOCK)
        self._entrance: tuple[socket.socket, socket.socket] | None = None

    @property
    def descriptor(self) -> int:
        """What workers inherit to reach it."""
        assert self._entrance
        return self._entrance[1].fileno()

    def open(self) -> None:
        """Make the entrance."""
        self._entrance = new_entrance()

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve workers until cancelled."""
        assert self._entrance
        await self.arbiter.serve(self._entrance[0], task_status)

    def close(self) -> None:
        """Close the entrance."""
        for each in self._entrance or ():
            each.close()
        self._entrance = None

    def __repr__(self) -> str:
        return f"<CommonLimits {self.arbiter!r}>"
