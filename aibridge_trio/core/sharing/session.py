"""What one replica knows of the store it shares: the other side of wire.py. Pure: the clock is passed in.

A batch is on its way until `received` has its reply, or `failed` gives all up. Then the replica is away, and
registers before anything else is executed: it says what it holds, and the store says which was its last batch that
was more than a registration. So whatever the replica posts (`leave`) counts exactly once, unless the store loses
its content.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from aibridge_trio.core.sharing import wire
from aibridge_trio.core.sharing.held import Held, held_for
from aibridge_trio.core.sharing.needs import Ask, Granted, Leave, Message, Settled
from aibridge_trio.core.sharing.outbox import Outbox
from aibridge_trio.core.sharing.query import Query, Sent
from aibridge_trio.core.sharing.settling import Settling

Condition = Literal["shared", "degraded", "settling", "closed"]

# Ops in one batch.
_MOST_OPS = 200
# Messages in one reply; more are fetched at once.
MOST_IN_REPLY = 100
# Messages that are read at most, whatever the store sends.
_MOST_MESSAGES = 10_000
_MOST_REPLICAS = 1_000_000
# A limit that refuses nothing: the largest that a store takes.
_NO_LIMIT = 1 << 50


class Session:
    """A replica's side of the store.

    away      Whether there is no contact: nothing is asked, and the replica has its part of each limit.
    inbox     Messages that were received; the owner takes them out.
    """

    def __init__(self, replica: str, *, ttl: float, failure: Literal["local", "closed"] = "local") -> None:
        self.replica = replica
        self.away = True
        self.inbox: deque[Message] = deque()
        self._ttl = ttl
        self._failure = failure
        self._number = 0
        self._generation = ""
        self.losses = 0  # how often the store's content turned out to be another one
        self._since = -1
        self._registered = False
        self._beat = False
        self._pending: deque[Query | Leave | wire.Op] = deque()
        self._sent: dict[int, Sent] = {}
        self._lost: dict[int, list[Query]] = {}
        self._unsure: dict[int, list[Leave]] = {}
        self._held = Held()
        self._outbox = Outbox()
        self._replicas = self._replicas_before = 1
        self._settling = Settling(ttl)
        # Whether something may count that the store does not know of.
        self._alone = False

    def condition(self, now: float) -> Condition:
        """Return whether the store answers, and what holds if it does not."""
        if self.away:
            return "degraded" if self._failure == "local" else "closed"
        return "shared" if self._settling.over(now) else "settling"

    def settled(self, span: float, now: float) -> bool:
        """Whether the store knows all that limits over `span` seconds count (0: slots)."""
        return not self.away and self._settling.settled(span, now)

    def replicas(self, now: float) -> int:
        """Return how many there are. After a return, those that have yet to come back are counted for a while."""
        if self.away or not self._settling.settled(0.0, now):
            return max(self._replicas, self._replicas_before)
        return self._replicas

    @property
    def held(self) -> dict[str, int]:
        """What the replica holds, by key."""
        return self._held.amounts

    @property
    def unposted(self) -> int:
        """How many keys have used something that the store does not know yet."""
        return len(self._outbox)

    @property
    def quiet(self) -> bool:
        """Whether the replica is registered, and nothing is on its way."""
        return self._registered and not self._sent

    def oldest(self) -> float:
        """Return since when what waits longest does so; infinity if nothing does."""
        at = min((sent.at for sent in self._sent.values()), default=math.inf)
        lost = (query.at for queries in self._lost.values() for query in queries)
        pending = next((each.at for each in self._pending if isinstance(each, Query)), math.inf)
        return min(at, pending, min(lost, default=math.inf))

    def want(self, query: Query) -> None:
        """Put a query into the next batch. Not while `away`."""
        self._pending.append(query)

    def beat(self) -> None:
        """Let there be a next batch, though there may be nothing to ask or to post."""
        self._beat = True

    def leave(self, leave: Leave, now: float) -> None:
        """Give back what a request had."""
        self._held.give_back(leave)
        self._post(leave, now)

    def hold(self, ask: Ask, now: float) -> None:
        """Hold what a request asked for that goes on without the store."""
        self._alone = True
        self._held.take(ask)
        if self._registered or self._sent:
            held = [[key, _NO_LIMIT, amount, 0] for key, amount in held_for(ask)]
            self._pending.append(["ask", held, [], 0])
        used = tuple(Settled(use.key, use.span, 0, use.count) for use in ask.uses if not use.running)
        if used:
            self._post(Leave(settled=used), now)

    def batch(self, now: float) -> wire.Batch | None:
        """Return the next batch, or None if there is nothing to send or it must wait for a reply."""
        if not self._registered:
            return None if self._sent else self._registration(now)
        entries: list[Query | Leave | None] = []
        ops: list[wire.Op] = []
        at, pending = now, self._pending
        while pending and len(ops) < _MOST_OPS:
            each = pending.popleft()
            if isinstance(each, Query):
                if each.dropped:
                    continue
                at = min(at, each.at)
                entries.append(each)
                ops.append(each.op)
            elif isinstance(each, Leave):
                entries.append(each)
                ops.append(wire.leave(each))
            else:
                entries.append(None)
                ops.append(each)
        while self._outbox and len(ops) < _MOST_OPS:
            if left := self._outbox.take(now):
                entries.append(left)
                ops.append(wire.leave(left))
        if not ops and not self._beat:
            return None
        return self._batch(ops, Sent(entries, at))

    def received(self, number: int, content: bytes, now: float) -> Iterable[Query]:
        """Take the reply to a batch; return the queries that it answers. Raises ValueError if it is wrong."""
        sent = self._sent.get(number)
        if sent is None:
            return ()
        try:
            reply = wire.reply(content)
            if reply.status == "ok":
                return self._executed(number, sent, reply, now)
        except (TypeError, KeyError, IndexError, OverflowError, RecursionError):
            raise ValueError("the store's reply makes no sense") from None
        if reply.status != "lost" or sent.registers:
            raise ValueError(f"the store did not execute batch {number}")
        del self._sent[number]
        self._registered = False
        for left in sent.posts():
            self._outbox.add(left, now)
        self._lost[number] = sent.queries()
        return ()

    def joined(self, now: float) -> None:
        """The store answers again, and in time: it is asked from now on."""
        self.away = False
        if self._alone:
            # With `closed` nothing was used meanwhile. But what others hold still may have been taken from them.
            self._settling.begin(now, used=self._failure == "local")
        self._alone = False

    def failed(self, now: float) -> list[Query]:
        """Give up all batches, for the contact is broken; return the queries, which have no answer."""
        queries = [query for _, lost in sorted(self._lost.items()) for query in lost]
        for number, sent in self._sent.items():
            queries += sent.queries()
            if posts := sent.posts():
                self._unsure[number] = posts
        queries += [each for each in self._pending if isinstance(each, Query)]
        self._keep_posts(now)
        self._pending.clear()
        self._sent.clear()
        self._lost.clear()
        self._replicas_before = self.replicas(now)
        if not self.away:
            self.away = self._alone = True
        self._registered = self._beat = False
        return [query for query in queries if not query.dropped]

    def _post(self, leave: Leave, now: float) -> None:
        if self._registered or self._sent:
            self._pending.append(leave)
        else:
            self._outbox.add(leave, now)

    def _keep_posts(self, now: float) -> None:
        """Leave only queries pending: what else there is, a registration says, or the outbox keeps."""
        for each in self._pending:
            if isinstance(each, Leave):
                self._outbox.add(each, now)
        self._pending = deque(each for each in self._pending if isinstance(each, Query))

    def _registration(self, now: float) -> wire.Batch:
        self._keep_posts(now)
        return self._batch([["register", dict(self._held.amounts)]], Sent([], now, registers=True))

    def _batch(self, ops: list[wire.Op], sent: Sent) -> wire.Batch:
        self._number += 1
        self._beat = False
        self._sent[self._number] = sent
        return wire.Batch(self.replica, self._number, self._generation, self._ttl, self._since, ops)

    def _executed(self, number: int, sent: Sent, reply: wire.Reply, now: float) -> list[Query]:
        """Take a reply; whatever may be wrong with it is found before anything has changed."""
        replicas = min(max(1, int(reply.replicas)), _MOST_REPLICAS)
        if sent.registers:
            ((last, kept, applied, age),) = reply.results
            messages = [wire.message(each) for each in kept[:_MOST_MESSAGES]]
            answers = self._join(int(last), int(applied), reply.generation, float(age), now)
        else:
            if len(reply.results) != len(sent.entries) or reply.generation != self._generation:
                raise ValueError("the store's reply is one to another batch")
            new = [each for each in reply.messages[:_MOST_MESSAGES] if each[0] > self._since]
            messages = [wire.message(each) for each in new]
            found = list(_answers(sent, reply))
            self._since = int(new[-1][0]) if new else self._since
            # There are more than one reply has.
            self._beat |= len(new) >= MOST_IN_REPLY
            if any(each.topic == "lost" for each in messages):
                self._settling.begin(now)
            answers = list(self._answered(found, now))
        del self._sent[number]
        self._replicas = replicas
        self.inbox.extend(messages)
        return answers

    def _join(self, last: int, applied: int, generation: str, age: float, now: float) -> list[Query]:
        """The replica is registered: `applied` is the number of its last batch that was executed before.

        `age` is that of content in place of what was lost, else -1. Return the asks that are away.
        """
        asks: list[Query] = []
        lost = [query for _, queries in sorted(self._lost.items()) for query in queries]
        self._lost.clear()
        self._pending.extendleft(reversed(lost))
        if not self._generation and age >= 0:
            # Replicas that were there before know more than this content.
            self._settling.begin(now - age)
        if self._generation not in {"", generation}:
            self.losses += 1
            # What others hold and have used is not known any more, nor which of them are there: parts hold, also
            # for what was asked before that was known.
            self._replicas_before = self.replicas(now)
            self._settling.begin(now)
            asks = [each for each in self._pending if isinstance(each, Query) and each.ask is not None]
            self._pending = deque(each for each in self._pending if each not in asks)
        self._generation = generation
        self._since = last
        self._registered = True
        for number, posts in self._unsure.items():
            for left in posts if number > applied else ():
                self._outbox.add(left, now)
        self._unsure.clear()
        return [each for each in asks if not each.dropped]

    def _answered(self, found: list[tuple[Query, Any]], now: float) -> Iterator[Query]:
        for query, answer in found:
            query.answer = answer
            if query.ask is not None and isinstance(answer, Granted):
                self._held.take(query.ask, answer.short)
                if query.dropped:
                    self.leave(Leave.unused(query.ask, answer), now)
            if not query.dropped:
                yield query

    def __repr__(self) -> str:
        return f"<Session away={self.away} number={self._number} sent={len(self._sent)} held={len(self.held)}>"


def _answers(sent: Sent, reply: wire.Reply) -> Iterator[tuple[Query, Any]]:
    for query, result in zip(sent.entries, reply.results, strict=True):
        if isinstance(query, Query):
            yield query, result if query.ask is None else wire.answer(query.ask, result, reply.time)
