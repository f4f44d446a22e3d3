"""The interface of a store of shared limits; and the one of a process that shares nothing.

Limits are checked in the process first, whatever the store: what they refuse there is refused without asking. Only
then is the store asked, once a request, for all that the request needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

import trio

from aibridge_trio.core.sharing.needs import Answer, Ask, Granted, Leave, Message
from aibridge_trio.core.sharing.wire import Op

# `own`: nothing is shared. `shared`: all is well. `degraded`: the store is away, each replica has its part of each
# limit. `settling`: the store is back; for a while the parts hold, too. `closed`: it is away, and requests are
# refused.
Condition = Literal["own", "shared", "degraded", "settling", "closed"]


class Store(Protocol):
    """What gateway and breakers know of a store. Handlers must neither block nor raise."""

    @property
    def shared(self) -> bool:
        """Whether there are other replicas to share with: if not, nothing need be asked."""

    @property
    def condition(self) -> Condition:
        """Whether the store answers, and what holds if it does not."""

    @property
    def replicas(self) -> int:
        """How many replicas there are, as far as is known; at least 1."""

    def settled(self, span: float = 0.0) -> bool:
        """Whether the store knows all that limits over `span` seconds count (0: slots), so that parts do not hold.

        It does not while it is away, and for so long after.
        """

    async def ask(self, ask: Ask) -> Answer:
        """Ask for what a request needs, with a timeout. A cancelled one holds nothing, and counts nothing."""

    def hold(self, ask: Ask) -> None:
        """Hold what a request asked for that goes on without the store, after `Away`, beyond limits too.

        The store learns of it when it is back; `leave` gives it back, as what was granted.
        """

    def leave(self, leave: Leave) -> None:
        """Give back what was granted or held. It is not lost while the store is away."""

    async def call(self, op: Op) -> Any:
        """Execute an op in the background; return its result, None if the store is away."""

    def on_message(self, topic: str, handler: Callable[[Message], None]) -> None:
        """Call `handler` with each message of a topic, with those that are kept when the replica joins, too."""

    def on_condition(self, handler: Callable[[Store], None]) -> None:
        """Call `handler` whenever `condition` or `replicas` has changed."""

    def on_lost(self, handler: Callable[[], None]) -> None:
        """Call `handler` when the store has lost its content, once the replica has registered again."""

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep in contact until cancelled; started when contact was made, or could not be in time."""


class OwnStore:
    """The store of a process that shares nothing: everything is granted, since the process has checked it."""

    shared = False
    condition: Condition = "own"
    replicas = 1

    def settled(self, _span: float = 0.0) -> bool:
        """Return True: there are no parts."""
        return True

    async def ask(self, _ask: Ask) -> Granted:
        """Grant it."""
        await trio.lowlevel.checkpoint()
        return Granted(0.0)

    def hold(self, ask: Ask) -> None:
        """Do nothing."""

    def leave(self, leave: Leave) -> None:
        """Do nothing."""

    async def call(self, _op: Op) -> None:
        """Do nothing."""
        await trio.lowlevel.checkpoint()

    def on_message(self, topic: str, handler: Callable[[Message], None]) -> None:
        """Do nothing: there are no messages."""

    def on_condition(self, handler: Callable[[Store], None]) -> None:
        """Do nothing: nothing changes."""

    def on_lost(self, handler: Callable[[], None]) -> None:
        """Do nothing: there is nothing to lose."""

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Do nothing."""
        task_status.started()
        await trio.lowlevel.checkpoint()

    def __repr__(self) -> str:
        return "<OwnStore>"
