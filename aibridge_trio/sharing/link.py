"""The store of a replica, over a backend. What requests ask for at the same time goes out in one batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import trio

from aibridge_trio.core.sharing import wire
from aibridge_trio.core.sharing.needs import Answer, Ask, Away, Leave, Message
from aibridge_trio.core.sharing.session import Session
from aibridge_trio.sharing.backend import Backend, StoreError
from aibridge_trio.sharing.contact import ATTEMPT, Contact, Waiting
from aibridge_trio.sharing.store import Condition, Store

# How often contact is tried while the store is away; less often while it breaks again within `_BRIEF` (seconds).
_RETRY, _LONGEST_RETRY, _BRIEF = 0.25, 2.0, 1.0
_AWAY = Away()


class Link:
    """What a replica shares, kept by the store behind `backend`.

    replica_id  New with every start of a process, the same for no two replicas.
    failure     What holds while the store is away: each replica has its part of each limit, or nothing goes.
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
        self._session = Session(replica_id, ttl=ttl, failure=failure)
        self.timeout = timeout
        self._ttl = ttl
        self._report = report
        self._reported = ""
        self._message_handlers: dict[str, list[Callable[[Message], None]]] = {}
        self._condition_handlers: list[Callable[[Store], None]] = []
        self._loss_handlers: list[Callable[[], None]] = []
        self._losses = 0
        self._known: tuple[Condition, int] = (self._session.condition(0.0), 1)
        self._contact = self._new_contact(_do_nothing)

    @property
    def condition(self) -> Condition:
        """Whether the store answers, and what holds if it does not."""
        return self._session.condition(trio.current_time())

    @property
    def replicas(self) -> int:
        """How many replicas there are, as far as is known; at least 1."""
        return self._session.replicas(trio.current_time())

    def settled(self, span: float = 0.0) -> bool:
        """Whether the store knows all that limits over `span` seconds count (0: slots): parts do not hold."""
        return self._session.settled(span, trio.current_time())

    async def ask(self, ask: Ask) -> Answer:
        """Ask for what a request needs, with a timeout. A cancelled one holds nothing, and counts nothing."""
        if self._session.away:
            await trio.lowlevel.checkpoint()
            return _AWAY
        answer: Answer = await self._wait_for(Waiting(wire.ask(ask), trio.current_time(), ask))
        return answer

    async def call(self, op: wire.Op) -> Any:
        """Execute an op in the background; return its result, None if the store is away."""
        if self._session.away:
            await trio.lowlevel.checkpoint()
            return None
        return await self._wait_for(Waiting(op, trio.current_time()))

    def hold(self, ask: Ask) -> None:
        """Hold what a request asked for that goes on without the store, beyond limits too."""
        self._session.hold(ask, trio.current_time())
        self._contact.stir()

    def leave(self, leave: Leave) -> None:
        """Give back what was granted or held. It is not lost while the store is away."""
        self._session.leave(leave, trio.current_time())
        self._contact.stir()

    def on_message(self, topic: str, handler: Callable[[Message], None]) -> None:
        """Call `handler` with each message of a topic; with those that are kept, whenever contact is made."""
        self._message_handlers.setdefault(topic, []).append(handler)

    def on_condition(self, handler: Callable[[Store], None]) -> None:
        """Call `handler` whenever `condition` or `replicas` has changed."""
        self._condition_handlers.append(handler)

    def on_lost(self, handler: Callable[[], None]) -> None:
        """Call `handler` when the store has lost its content, once the replica has registered again."""
        self._loss_handlers.append(handler)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep in contact until cancelled; started when contact was made, or could not be in time.

        Ended, it posts what it knows, and the store forgets the replica.
        """
        async with trio.open_nursery() as nursery:
            # The backend outlives the cancellation.
            backend = await nursery.start(self._run_backend)
            try:
                await self._keep_contact(task_status)
            finally:
                with trio.move_on_after(ATTEMPT, shield=True):
                    await self._take_leave()
                backend.cancel()

    async def _run_backend(self, task_status: trio.TaskStatus[trio.CancelScope]) -> None:
        with trio.CancelScope(shield=True) as scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(self._backend.run)
                task_status.started(scope)

    async def _keep_contact(self, task_status: trio.TaskStatus[None]) -> None:
        retry, started = _RETRY, False
        while True:
            began = trio.current_time()
            self._contact = contact = self._new_contact(self._update)
            joined = await contact.join()
            if not started:
                started = True
                task_status.started()
            if joined:
                await contact.run()
                ended = trio.current_time()
                retry = min(2 * retry, _LONGEST_RETRY) if ended < began + _BRIEF else _RETRY
                await trio.sleep(retry)
            else:
                await trio.sleep_until(began + _RETRY)

    async def _take_leave(self) -> None:
        """Make contact again, if there was contact, since it is not known which batches were executed."""
        if not self._contact.joined or self._contact.error:
            return
        contact = self._new_contact(_do_nothing)
        try:
            if await contact.join():
                await contact.finish()
        except StoreError as error:
            self._report(str(error))
        finally:
            contact.end("")

    def _new_contact(self, changed: Callable[[], None]) -> Contact:
        return Contact(self._session, self._backend, timeout=self.timeout, interval=self._ttl / 3, changed=changed)

    async def _wait_for(self, waiting: Waiting) -> Any:
        self._session.want(waiting)
        self._contact.stir()
        await trio.lowlevel.wait_task_rescheduled(waiting.abort)
        return waiting.answer

    def _update(self) -> None:
        """Pass on what has changed."""
        session, contact = self._session, self._contact
        if contact.error:
            self._report_once(contact.error)
        elif contact.joined:
            self._reported = ""
        while session.inbox:
            self._pass_on(session.inbox.popleft())
        now = trio.current_time()
        known = session.condition(now), session.replicas(now)
        if known != self._known:
            self._known = known
            for handler in self._condition_handlers:
                handler(self)
        if self._losses != session.losses and not session.away:
            self._losses = session.losses
            for lost in self._loss_handlers:
                lost()

    def _pass_on(self, message: Message) -> None:
        for handler in self._message_handlers.get(message.topic, ()):
            try:
                handler(message)
            except Exception as error:  # noqa: BLE001 - what a store or a replica makes up harms no more than itself
                self._report_once(f"a message about {message.topic} was not understood ({type(error).__name__})")

    def _report_once(self, text: str) -> None:
        if text != self._reported:
            self._reported = text
            self._report(text)

    def __repr__(self) -> str:
        condition, replicas = self._known
        return f"<Link {condition} replicas={replicas}>"


def _do_nothing() -> None:
    pass
