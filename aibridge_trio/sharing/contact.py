"""One contact with a store: from the registration until a batch fails, is late, or the link ends it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import trio

from aibridge_trio.core.sharing import wire
from aibridge_trio.core.sharing.needs import Ask
from aibridge_trio.core.sharing.query import Query
from aibridge_trio.core.sharing.session import Session
from aibridge_trio.sharing.backend import Backend, StoreError

# Batches on their way at once. While all are, asks gather for the next one.
_CARRIERS = 8
# How long joining may take, the connection included, and how soon listening is tried again (seconds).
ATTEMPT, _LISTEN_AGAIN = 1.0, 0.25
# How soon after a batch a wake-up causes another, and how often messages are fetched without wake-ups (seconds).
_FETCH, _POLL = 0.01, 0.1
# Turns of the event loop in which a reply that has come is still read before a batch is late: it may be
# this process that was.
_LAST_TURNS = 5


class Waiting(Query):
    """A query that a task waits for."""

    __slots__ = ("task",)

    def __init__(self, op: wire.Op, at: float, ask: Ask | None = None) -> None:
        super().__init__(op, at, ask)
        self.task: trio.lowlevel.Task | None = trio.lowlevel.current_task()

    def abort(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        """Wait no longer: what is granted is given back."""
        self.dropped = True
        self.task = None
        return trio.lowlevel.Abort.SUCCEEDED

    def wake(self) -> None:
        """Let the task go on."""
        if self.task is not None:
            trio.lowlevel.reschedule(self.task)
            self.task = None


class Contact:
    """Carries batches of `session`. Once it has `joined`, asks are answered; when it breaks, it has an `error`.

    timeout   Seconds until a batch is late.
    interval  Seconds after which a batch is sent though there is nothing to say.
    changed   Called after each reply, and when the contact has broken.
    """

    def __init__(
        self, session: Session, backend: Backend, *, timeout: float, interval: float, changed: Callable[[], None]
    ) -> None:
        self._session = session
        self._backend = backend
        self._timeout = timeout
        self._interval = interval
        self._changed = changed
        self.error = ""
        self.joined = self.over = False
        self._scope = trio.CancelScope()
        self._lateness = trio.CancelScope()
        self._heart = trio.CancelScope()
        self._idle: list[trio.lowlevel.Task] = []
        self._stirred = self._woken = self._listens = False
        self._sent_at = self._beat_at = -math.inf

    async def join(self) -> bool:
        """Register, and see whether the store answers in time; return whether it does."""
        with trio.move_on_after(ATTEMPT):
            try:
                await self._exchange()
                with trio.move_on_after(self._timeout):
                    self._session.beat()
                    await self._exchange()
            except StoreError as error:
                self.error = str(error)
        if self._session.quiet:
            self.joined = True
            self._session.joined(trio.current_time())
            self._changed()
            return True
        self.end(self.error or "the store does not answer in time")
        return False

    async def run(self) -> None:
        """Carry batches until the contact breaks or is cancelled; it must have joined."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    for task in (*[self._carry] * _CARRIERS, self._watch, self._beat, self._listen):
                        nursery.start_soon(task)
        finally:
            self.end("")

    async def finish(self) -> None:
        """Post what is left, and let the store forget the replica. Raises StoreError."""
        session = self._session
        while session.unposted:
            await self._exchange()
        session.want(Query(["forget"], trio.current_time()))
        await self._exchange()

    def stir(self) -> None:
        """Send a batch in the next turn of the event loop: there is something to ask or to post."""
        if self._idle and not self._stirred:
            self._stirred = True
            trio.lowlevel.reschedule(self._idle.pop())

    def end(self, error: str) -> None:
        """Give up all that is on its way: it is away."""
        if self.over:
            return
        self.over, self.error = True, error
        self._idle.clear()
        _wake(self._session.failed(trio.current_time()))
        self._scope.cancel()
        if error:
            self._changed()

    async def _carry(self) -> None:
        """Send batches, one after the other, whenever there is something to send."""
        try:
            # A contact that is over sends nothing: the session registers with the next one.
            while not self.over:
                if not await self._exchange():
                    self._idle.append(trio.lowlevel.current_task())
                    await trio.lowlevel.wait_task_rescheduled(self._abort)
                    self._stirred = False
        except StoreError as error:
            self.end(str(error))

    def _abort(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._idle.clear()
        return trio.lowlevel.Abort.SUCCEEDED

    async def _exchange(self) -> bool:
        """Send the next batch, and take the reply; return whether there was any. Raises StoreError."""
        session = self._session
        now = trio.current_time()
        batch = session.batch(now)
        if batch is None:
            return False
        self._sent_at, self._woken = now, False
        if self._lateness.deadline == math.inf:
            self._lateness.deadline = session.oldest() + self._timeout
        try:
            content = await self._backend.execute(batch.encoded())
        except StoreError:
            raise
        except Exception as error:  # a bug of the store's client ends this contact only
            raise StoreError(f"{type(error).__name__} in the store's client") from error
        try:
            _wake(session.received(batch.number, content, trio.current_time()))
        except ValueError as error:
            raise StoreError(str(error)) from None
        self._changed()
        return True

    async def _watch(self) -> None:
        """End the contact when a batch is late. The deadline is set by the batch that has nothing before it."""
        while True:
            with trio.CancelScope(deadline=self._lateness.deadline) as self._lateness:
                await trio.sleep_forever()
            for _ in range(_LAST_TURNS if self._late() else 0):
                await trio.lowlevel.checkpoint()
            if self._late():
                self.end(f"the store did not answer in {self._timeout * 1000:g} ms")
                return
            self._lateness.deadline = self._session.oldest() + self._timeout

    def _late(self) -> bool:
        return self._session.oldest() + self._timeout <= trio.current_time()

    async def _beat(self) -> None:
        """Send a batch after each interval without one, and soon after a wake-up."""
        while True:
            interval = self._interval if self._listens else _POLL
            with trio.CancelScope(deadline=max(self._sent_at, self._beat_at) + interval) as self._heart:
                await trio.sleep_forever()
            now = trio.current_time()
            if self._woken or now >= self._sent_at + interval:
                self._beat_at = now
                self._session.beat()
                self.stir()

    async def _listen(self) -> None:
        """Listen for wake-ups; messages are polled while that fails."""
        while True:
            try:
                await self._backend.listen(self._wake)
            except StoreError:
                self._listens = False
                self._heart.deadline = trio.current_time()
            await trio.sleep(_LISTEN_AGAIN)

    def _wake(self) -> None:
        """There may be new messages."""
        self._listens = self._woken = True
        self._heart.deadline = max(trio.current_time(), self._sent_at + _FETCH)

    def __repr__(self) -> str:
        return f"<Contact over={self.over}>"


def _wake(queries: Iterable[Query]) -> None:
    for query in queries:
        if isinstance(query, Waiting):
            query.wake()
