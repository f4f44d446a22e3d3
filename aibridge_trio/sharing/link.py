"""The store of a replica, over a backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import trio

from aibridge_trio.core.sharing.needs import Answer, Ask, Away, Leave, Message
from aibridge_trio.core.sharing.wire import Op
from aibridge_trio.sharing.backend import Backend
from aibridge_trio.sharing.store import Condition, Store


class Link:
    """What a replica shares, kept by the store behind `backend`.

    replica_id  New with every start of a process, the same for no two replicas.
    failure     What holds while the store is away: each replica's part of each limit, or nothing goes (`closed`).
    timeout     Seconds until an ask is answered, in any case.
    ttl         Seconds after which the store takes what a silent replica holds.
    report      Called with what went wrong when contact is lost, or could not be made; without secrets.
    """

    shared = True

    def __init__(
        self,
        backend: Backend,
        *,
        replica_id: str,
        failure: Literal["local", "closed"] = "local",
        timeout: float = 0.05,
        ttl: float = 3.0,
        report: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._backend = backend
        self._replica_id = replica_id
        self._failure = failure
        self.timeout = timeout
        self._ttl = ttl
        self._report = report

    @property
    def condition(self) -> Condition:
        """Whether the store answers, and what holds if it does not."""
        return "degraded" if self._failure == "local" else "closed"

    @property
    def replicas(self) -> int:
        """How many replicas there are, as far as is known; at least 1."""
        return 1

    def settled(self, _span: float = 0.0) -> bool:
        """Whether the store knows all that limits over `span` seconds count (0: slots)."""
        return False

    async def ask(self, _ask: Ask) -> Answer:
        """Ask for what a request needs, with a timeout. A cancelled one holds nothing, and counts nothing."""
        await trio.lowlevel.checkpoint()
        return Away()

    def hold(self, ask: Ask) -> None:
        """Hold what a request asked for that goes on without the store."""

    def leave(self, leave: Leave) -> None:
        """Give back what was granted or held. It is not lost while the store is away."""

    async def call(self, _op: Op) -> Any:
        """Execute an op in the background; return its result, None if the store is away."""
        await trio.lowlevel.checkpoint()
        return None

    def on_message(self, topic: str, handler: Callable[[Message], None]) -> None:
        """Call `handler` with each message of a topic."""

    def on_condition(self, handler: Callable[[Store], None]) -> None:
        """Call `handler` whenever `condition` or `replicas` has changed."""

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep in contact until cancelled; started when contact was made, or could not be in time."""
        task_status.started()
        await trio.sleep_forever()

    def __repr__(self) -> str:
        return f"<Link {self.condition} replicas={self.replicas}>"
