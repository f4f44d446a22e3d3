"""Sessions and a ledger with a bad network between them, in any order of events.

Batches are delayed, lost, executed twice and long after they were given up; the store loses its content. What
replicas hold and what the store counts is the same as soon as nothing is on its way, and what is posted counts
exactly once.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aibridge_trio.core.sharing import wire
from aibridge_trio.core.sharing.ledger import Ledger
from aibridge_trio.core.sharing.needs import Ask, BudgetUse, Granted, Holding, Leave, Settled, Use
from aibridge_trio.core.sharing.query import Query
from aibridge_trio.core.sharing.session import Session

LIMIT, TOKENS = 5, 10**9
REPLICAS = range(3)
REPLICA = st.sampled_from(REPLICAS)
WHICH = st.integers(0, 99)
EPOCH = 1.7e9


class Request:
    """A request that goes on, and gives back what it has."""

    def __init__(self, replica: int, ask: Ask, at: float) -> None:
        self.replica = replica
        self.ask = ask
        self.at = at


class Sessions(RuleBasedStateMachine):
    """Three replicas of a store that loses nothing, and does not take what silent replicas hold."""

    reaps = False

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.ledger = Ledger()
        self.sessions = [Session(f"r{each}", ttl=2.0 if self.reaps else 3_000.0) for each in REPLICAS]
        self.there: list[list[tuple[int, bytes]]] = [[] for _ in REPLICAS]
        self.back: list[list[tuple[int, bytes]]] = [[] for _ in REPLICAS]
        # Of each connection that was lost, in order.
        self.late: list[list[bytes]] = []
        self.asked: list[tuple[int, Query]] = []
        self.requests: list[Request] = []
        self.used = 0
        self.looks = 0

    def clock(self, replica: int) -> float:
        """The replica's own clock."""
        self.looks += 1
        return self.now

    @initialize()
    def join_all(self) -> None:
        for replica in REPLICAS:
            self.settle(replica)

    def execute(self, batch: bytes) -> bytes:
        before = dict(self.ledger._holdings.totals)
        reply = self.ledger.execute(batch, EPOCH + self.now)
        ops = json.loads(batch)[-1]
        if not any(op[0] == "register" or (op[0] == "ask" and op[1][:1] and op[1][0][1] > LIMIT) for op in ops):
            total = self.total("slots")
            assert total <= max(LIMIT, before.get("slots", 0)), "more granted than promised"
        return reply

    def total(self, key: str) -> int:
        return self.ledger._holdings.totals.get(key, 0)

    def answered(self, replica: int, queries: Any) -> None:
        for query in queries:
            self.asked.remove((replica, query))
            if isinstance(query.answer, Granted):
                self.requests.append(Request(replica, query.ask, query.answer.at))

    def settle(self, replica: int) -> None:
        """Bring all that is on its way to its end, and make contact."""
        session = self.sessions[replica]
        for _ in range(100):
            while self.there[replica]:
                self.deliver(replica)
            while self.back[replica]:
                self.reply(replica, 0)
            batch = session.batch(self.clock(replica))
            if batch is not None:
                self.there[replica].append((batch.number, batch.encoded()))
            elif session.quiet:
                break
        assert session.quiet
        if session.away:
            session.joined(self.clock(replica))

    @rule(replica=REPLICA, estimate=st.integers(0, 9))
    def ask(self, replica: int, estimate: int) -> None:
        session = self.sessions[replica]
        if session.away:
            self.settle(replica)
        uses = (Use("tokens", TOKENS, 60.0, estimate, running=True), Use("rate", TOKENS, 60.0))
        ask = Ask((Holding("slots", LIMIT),), uses, BudgetUse("b", TOKENS, "month", estimate))
        query = Query(wire.ask(ask), self.clock(replica), ask)
        session.want(query)
        self.asked.append((replica, query))

    @rule(replica=REPLICA, estimate=st.integers(0, 9))
    def hold(self, replica: int, estimate: int) -> None:
        """A request goes on without the store, whenever it was answered so."""
        uses = (Use("tokens", TOKENS, 60.0, estimate, running=True), Use("rate", TOKENS, 60.0))
        ask = Ask((Holding("slots", LIMIT),), uses, BudgetUse("b", TOKENS, "month", estimate))
        self.sessions[replica].hold(ask, self.clock(replica))
        self.requests.append(Request(replica, ask, 0.0))

    @precondition(lambda self: self.requests)
    @rule(which=WHICH, used=st.integers(0, 9))
    def leave(self, which: int, used: int) -> None:
        request = self.requests.pop(which % len(self.requests))
        budget = request.ask.budget
        assert budget is not None
        left = Leave(
            (("slots", 1),),
            (Settled("tokens", 60.0, budget.estimate, used),),
            ("b", budget.estimate, used),
            () if used else (("rate", 60.0, request.at),),
        )
        self.sessions[request.replica].leave(left, self.clock(request.replica))
        self.used += used

    @precondition(lambda self: self.asked)
    @rule(which=WHICH)
    def cancel(self, which: int) -> None:
        _, query = self.asked.pop(which % len(self.asked))
        query.dropped = True

    @rule(replica=REPLICA)
    def send(self, replica: int) -> None:
        batch = self.sessions[replica].batch(self.clock(replica))
        if batch is not None:
            self.there[replica].append((batch.number, batch.encoded()))

    @precondition(lambda self: any(self.there))
    @rule(replica=REPLICA, twice=st.booleans())
    def deliver(self, replica: int, *, twice: bool = False) -> None:
        if self.there[replica]:
            number, batch = self.there[replica].pop(0)
            self.back[replica].append((number, self.execute(batch)))
            if twice:
                self.execute(batch)

    @precondition(lambda self: any(self.back))
    @rule(replica=REPLICA, which=WHICH)
    def reply(self, replica: int, which: int) -> None:
        """Replies may be read in another order than they came in: tasks are."""
        if back := self.back[replica]:
            number, content = back.pop(which % len(back))
            self.answered(replica, self.sessions[replica].received(number, content, self.clock(replica)))
            if self.sessions[replica].quiet and self.sessions[replica].away:
                self.sessions[replica].joined(self.clock(replica))

    @rule(replica=REPLICA)
    def exchange(self, replica: int) -> None:
        """All goes well for a moment."""
        self.send(replica)
        while self.there[replica]:
            self.deliver(replica)
        while self.back[replica]:
            self.reply(replica, 0)

    @rule(replica=REPLICA)
    def make_contact(self, replica: int) -> None:
        self.settle(replica)

    @rule(replica=REPLICA, delivered=st.booleans())
    def fail(self, replica: int, *, delivered: bool) -> None:
        """The connection is lost: batches on it may come later, replies do not."""
        while delivered and self.there[replica]:
            self.deliver(replica)
        self.answered(replica, self.sessions[replica].failed(self.clock(replica)))
        self.late.append([batch for _, batch in self.there[replica]])
        self.there[replica].clear()
        self.back[replica].clear()

    @precondition(lambda self: self.late)
    @rule(which=WHICH)
    def deliver_late(self, which: int) -> None:
        batches = self.late[which % len(self.late)]
        if batches:
            self.execute(batches.pop(0))

    @precondition(lambda self: self.reaps)
    @rule()
    def lose_content(self) -> None:
        self.ledger = Ledger()

    @rule(seconds=st.floats(0.0, 4.0))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def what_a_quiet_replica_holds_is_what_the_store_counts(self) -> None:
        for replica, session in enumerate(self.sessions):
            if session.quiet and not session._pending and not self.reaps:
                assert self.ledger._holdings.held.get(f"r{replica}", {}) == session.held

    @invariant()
    def memory_is_bounded(self) -> None:
        for session in self.sessions:
            assert len(session._unsure) <= len(session._sent) + 100
            assert session.oldest() >= 0.0

    def teardown(self) -> None:
        for replica in REPLICAS:
            self.settle(replica)
        while self.requests:
            self.leave(0, 3)
        for late in self.late:
            for batch in late:
                self.execute(batch)
        for replica in REPLICAS:
            self.settle(replica)
        for replica, session in enumerate(self.sessions):
            session.beat()
            self.settle(replica)
            assert session.held == {}
            assert not session.unposted
        assert not self.asked
        assert self.ledger._holdings.totals == {}
        if not self.reaps:
            assert self.spent() == self.used

    def spent(self) -> int:
        """What the store has counted of the budget."""
        session = self.sessions[0]
        ask = Ask(budget=BudgetUse("b", TOKENS, "month", 0))
        query = Query(wire.ask(ask), self.now, ask)
        session.want(query)
        batch = session.batch(self.now)
        assert batch is not None
        (answer,) = session.received(batch.number, self.execute(batch.encoded()), self.now)
        assert isinstance(answer.answer, Granted)
        return answer.answer.spent


class SkewedSessions(Sessions):
    """The same with clocks of replicas that differ by hours, run too fast, and step back when they are read."""

    def clock(self, replica: int) -> float:
        self.looks += 1
        return 3_600.0 * (replica + 1) + self.now * 1.001**replica - self.looks % 3 * 0.5


class ReapingSessions(Sessions):
    """The same with content that is lost, and replicas that are silent for too long: nothing is leaked."""

    reaps = True


TestSessions = Sessions.TestCase
TestReapingSessions = ReapingSessions.TestCase
TestSkewedSessions = SkewedSessions.TestCase
TestSessions.settings = TestReapingSessions.settings = TestSkewedSessions.settings = settings(
    max_examples=100, stateful_step_count=60, deadline=None
)
