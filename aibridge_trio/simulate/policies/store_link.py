"""A replica's link to the store, in events of the simulated clock: what sharing/link.py does in tasks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from aibridge_trio.core.sharing import wire
from aibridge_trio.core.sharing.needs import Ask, Leave, Message
from aibridge_trio.core.sharing.query import Query
from aibridge_trio.core.sharing.session import Session
from aibridge_trio.core.sharing.settling import SETTLING
from aibridge_trio.simulate.world.engine import Clock
from aibridge_trio.simulate.world.store import Way

# As in the program: --store-timeout, a silent replica's time, and the pause between two attempts (seconds).
_TIMEOUT, _TTL, _PAUSE = 0.05, 3.0, 0.25
_BEAT = _TTL / 3
# What is late by less was in time: sums of floats.
_SAME = 1e-9


class StoreLink:
    """Sends what the session of a replica has to send, as long as `runs` (seconds) or the replica holds something.

    `on_message` and `on_change` are called with each message, and when the condition or the number of replicas
    has changed.
    """

    def __init__(self, clock: Clock, way: Way, name: str, runs: float) -> None:
        self.session = Session(name, ttl=_TTL)
        self.on_message: Callable[[Message], None] = lambda _message: None
        self.on_change: Callable[[], None] = lambda: None
        self._clock = clock
        self._way = way
        self._runs = runs
        self._then: dict[Query, Callable[[Any], None]] = {}
        self._flushes = False
        self._attempt = 0
        self._seen: tuple[bool, int] = (True, 1)
        way.on_wake = self._beat_now
        clock.at(clock.now, self._connect)
        clock.at(clock.now + _BEAT, self._beat)

    def ask(self, ask: Ask, then: Callable[[Any], None]) -> Query:
        """Ask for what a request needs; `then` gets the answer, in the same event if the store is away."""
        return self._want(Query(wire.ask(ask), self._clock.now, ask), then)

    def call(self, op: wire.Op, then: Callable[[Any], None]) -> None:
        """Execute an op; `then` gets its result, None if the store is away."""
        self._want(Query(op, self._clock.now), then)

    def drop(self, query: Query) -> None:
        """Give back what is granted later: the request has ended."""
        query.dropped = True
        self._then.pop(query, None)

    def hold(self, ask: Ask) -> None:
        """Hold what a request asked for that goes on without the store."""
        self.session.hold(ask, self._clock.now)
        self._flush_soon()

    def leave(self, leave: Leave) -> None:
        """Give back what a request had."""
        self.session.leave(leave, self._clock.now)
        self._flush_soon()

    def __repr__(self) -> str:
        return f"<StoreLink {self.session!r}>"

    def _want(self, query: Query, then: Callable[[Any], None]) -> Query:
        if self.session.away:
            then(query.answer)
            return query
        self._then[query] = then
        self.session.want(query)
        self._flush_soon()
        return query

    def _connect(self, _: None) -> None:
        """Try to register."""
        if self._ended:
            return
        self._attempt += 1
        self._way.connect()
        self._flush_soon()
        self._clock.at(self._clock.now + _TIMEOUT, self._check, self._attempt)

    def _beat(self, _: None) -> None:
        if not self._ended:
            self._clock.at(self._clock.now + _BEAT, self._beat)
            self._beat_now()

    def _beat_now(self) -> None:
        if not self.session.away:
            self.session.beat()
            self._flush_soon()

    @property
    def _ended(self) -> bool:
        return self._clock.now >= self._runs and not self.session.held

    def _flush_soon(self) -> None:
        """Send all that comes in this event and others at this time as one batch."""
        if not self._flushes:
            self._flushes = True
            self._clock.at(self._clock.now, self._flush)

    def _flush(self, _: None) -> None:
        self._flushes = False
        now = self._clock.now
        sent = False
        while batch := self.session.batch(now):
            sent = True
            self._way.send(batch, partial(self._replied, self._attempt))
        if sent:
            self._clock.at(now + _TIMEOUT, self._check, self._attempt)

    def _replied(self, attempt: int, reply: tuple[int, bytes]) -> None:
        if attempt != self._attempt:
            return  # its connection was given up
        now = self._clock.now
        answered = self.session.received(*reply, now)
        if self.session.away and self.session.quiet:
            self.session.joined(now)
        self._tell_change()
        for query in answered:
            if then := self._then.pop(query, None):
                then(query.answer)
        while self.session.inbox:
            self.on_message(self.session.inbox.popleft())
        self._flush_soon()

    def _check(self, attempt: int) -> None:
        """Give up if something is late."""
        now = self._clock.now
        late = self.session.away or self.session.oldest() + _TIMEOUT <= now + _SAME
        if attempt != self._attempt or not late:
            return
        self._attempt += 1
        failed = self.session.failed(now)
        self._tell_change()
        for query in failed:
            if then := self._then.pop(query, None):
                then(query.answer)
        self._clock.at(now + _PAUSE, self._connect)

    def _tell_change(self) -> None:
        seen = self.session.away, self.session.replicas(self._clock.now)
        if seen != self._seen:
            self._seen = seen
            self.on_change()
            for settles in (_TTL, SETTLING):
                self._clock.at(self._clock.now + settles + _SAME, self._settled)

    def _settled(self, _: None) -> None:
        self.on_change()
