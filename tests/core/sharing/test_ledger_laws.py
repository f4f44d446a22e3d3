"""The ledger against a naive model, which remembers everything: nothing is promised twice, nothing is lost."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from aibridge_trio.core.budgets import period_number
from aibridge_trio.core.sharing import wire
from aibridge_trio.core.sharing.ledger import Ledger
from aibridge_trio.core.sharing.needs import Ask, BudgetUse, Denied, Granted, Holding, Leave, Settled, Use
from aibridge_trio.core.sharing.wire import Batch, Op, Reply

TTL, SLOTS, SHARE = 3.0, 4, 2
AMOUNT, SPAN = 3, 10.0
TOKENS, TOKEN_SPAN = 100, 20.0
BUDGET = 120
BEGIN = 1_793_577_570.0
RUNNING = wire.held_use("tokens", TOKEN_SPAN)

names = st.sampled_from(["a", "b", "c"])
callers = st.sampled_from(["x", "y"])


@dataclass(frozen=True)
class Request:
    """One that was let in, and when."""

    caller: str
    estimate: int
    at: float

    def held(self) -> dict[str, int]:
        """Return what it holds."""
        budget = wire.held_budget(self.caller)
        return {"slots": 1, f"caller:{self.caller}": 1, RUNNING: self.estimate, budget: self.estimate}

    def leave(self, used: int, *, unused: bool = False) -> Leave:
        """Return what it gives back; an unused one did not go up."""
        return Leave(
            (("slots", 1), (f"caller:{self.caller}", 1)),
            (Settled("tokens", TOKEN_SPAN, self.estimate, used),),
            (self.caller, self.estimate, used),
            ((f"rate:{self.caller}", SPAN, self.at),) if unused else (),
        )


@dataclass
class Post:
    """What a replica gave back and has no reply for: it does not know whether it was executed."""

    batch: Batch
    request: Request
    used: int
    executed: bool = False


@dataclass
class Replica:
    """`number` is that of its last batch, `last` of the last one that was executed; `applied`: no registration."""

    number: int = 0
    last: int = 0
    applied: int = 0
    generation: str = ""
    heard: float = 0.0
    live: bool = False
    requests: list[Request] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)

    def holds(self) -> list[Request]:
        """Return the requests that the ledger takes for running."""
        return [*self.requests, *(post.request for post in self.posts if not post.executed)] if self.live else []


class LedgerLaws(RuleBasedStateMachine):
    """Three replicas, two callers; replies get lost, batches come late, replicas fall silent."""

    @initialize()
    def begin(self) -> None:
        """Nothing has happened."""
        self.now = BEGIN
        self.ledger = Ledger()
        self.replicas = {name: Replica() for name in "abc"}
        self.late: list[tuple[str, Post]] = []
        # All that was ever counted: by caller and time, and how much.
        self.rated: list[tuple[str, float]] = []
        self.used: list[tuple[str, float, int]] = []

    @rule(seconds=st.sampled_from([0.001, 0.4, 1.0, 2.5, 7.0, 10.0, 20.0, 1_000.0]))
    def wait(self, seconds: float) -> None:
        """Time goes by; some replicas may be silent for too long, but none for an hour."""
        for name in self.replicas if seconds > 100 else ():
            self.send(name)
        self.now = round(self.now + seconds, 6)

    @rule(name=names)
    def beat(self, name: str) -> None:
        """A replica is alive."""
        self.send(name)

    @rule(name=names, caller=callers, estimate=st.sampled_from([0, 5, 40, 150]))
    def ask(self, name: str, caller: str, estimate: int) -> None:
        """A request is granted exactly if all of its needs are; the reason is one that there is."""
        self.send(name)
        needs = Ask(
            (Holding("slots", SLOTS), Holding(f"caller:{caller}", SHARE)),
            (Use(f"rate:{caller}", AMOUNT, SPAN), Use("tokens", TOKENS, TOKEN_SPAN, estimate, running=True)),
            BudgetUse(caller, BUDGET, "day", estimate),
        )
        rated = sum(each == caller and at + SPAN > self.now for each, at in self.rated)
        counts = self.held(RUNNING) + sum(used for _, at, used in self.used if at + TOKEN_SPAN > self.now)
        spent = self.spent(caller)
        firsts = [
            ("slots", self.held("slots") >= SLOTS),
            (f"caller:{caller}", self.held(f"caller:{caller}") >= SHARE),
            (caller, spent + self.held(wire.held_budget(caller)) >= BUDGET),
        ]
        uses = [(f"rate:{caller}", rated >= AMOUNT), ("tokens", counts > 0 and counts + estimate > TOKENS)]
        reply = self.send(name, wire.ask(needs))
        answer = wire.answer(needs, reply.results[0], reply.time)
        if isinstance(answer, Granted):
            assert not any(refuses for _, refuses in (*firsts, *uses))
            self.replicas[name].requests.append(Request(caller, estimate, reply.time))
            self.rated.append((caller, self.now))
            assert answer.totals["slots"] == self.held("slots") <= SLOTS
            assert answer.left[0] == (AMOUNT - rated - 1, SPAN)
        else:
            assert isinstance(answer, Denied)
            first = [key for key, refuses in firsts if refuses][:1]
            assert answer.key in (first or [key for key, refuses in uses if refuses])
            assert (answer.wait > 0) == (not first)
        assert answer.spent == spent

    @rule(name=names, used=st.sampled_from([0, 3, 60, 150]), unused=st.booleans())
    def finish(self, name: str, used: int, unused: bool) -> None:
        """A request ends; one that did not go up counts nowhere."""
        self.send(name)
        if self.replicas[name].requests:
            request = self.replicas[name].requests.pop(0)
            self.send(name, wire.leave(request.leave(0 if unused else used, unused=unused)))
            if unused:
                self.rated.remove((request.caller, request.at))
            else:
                self.used.append((request.caller, self.now, used))

    @rule(name=names, used=st.sampled_from([3, 60]), arrives=st.booleans())
    def finish_without_reply(self, name: str, used: int, arrives: bool) -> None:
        """A request ends, and its replica does not learn whether the ledger knows."""
        self.send(name)
        replica = self.replicas[name]
        if replica.requests:
            request = replica.requests.pop(0)
            post = Post(self.batch(name, wire.leave(request.leave(used))), request, used)
            replica.posts.append(post)
            self.late.append((name, post))
            if arrives:
                self.arrive(name, post)

    @rule(place=st.integers(0, 5))
    def arrive_late(self, place: int) -> None:
        """A batch comes late, perhaps after later ones, perhaps a second time: it is executed once at most."""
        if self.late:
            name, post = self.late[-1 - place % len(self.late)]
            self.arrive(name, post)

    @rule(name=names)
    def end(self, name: str) -> None:
        """A replica ends with requests that run: they count nowhere."""
        self.send(name, ["forget"])
        self.replicas[name].requests.clear()

    @invariant()
    def totals_are_sums(self) -> None:
        """Of what the replicas hold that are not silent; those that are, are reaped by the next batch."""
        holdings = self.ledger._holdings
        for key, total in holdings.totals.items():
            assert total == sum(held.get(key, 0) for held in holdings.held.values()) > 0
            assert total == self.held(key)

    def held(self, key: str) -> int:
        """Return what all replicas hold of a key."""
        return sum(each.held().get(key, 0) for replica in self.replicas.values() for each in replica.holds())

    def spent(self, caller: str) -> int:
        """Return what a caller has spent today."""
        today = period_number("day", self.now)
        return sum(used for each, at, used in self.used if each == caller and period_number("day", at) == today)

    def batch(self, name: str, *ops: Op) -> Batch:
        """Return a replica's next batch."""
        replica = self.replicas[name]
        replica.number += 1
        return Batch(name, replica.number, replica.generation, TTL, -1, list(ops))

    def execute(self, batch: Batch) -> Reply:
        """Let the ledger execute a batch. Before it, silent replicas lose what they hold: it is used."""
        for replica in self.replicas.values():
            if replica.live and replica.heard + TTL <= self.now:
                self.used += [(each.caller, self.now, each.estimate) for each in replica.holds()]
                replica.live = False
        reply = self.ledger.run(batch, self.now)
        replica = self.replicas[batch.replica]
        if reply.status == "ok":
            replica.heard, replica.last, replica.live = self.now, batch.number, True
            if not batch.ops or batch.ops[0][0] != "register":
                replica.applied = batch.number
        assert reply.last == replica.last
        if ["forget"] in batch.ops and reply.status == "ok":
            replica.live = False
        assert reply.replicas == sum(each.live for each in self.replicas.values())
        return reply

    def arrive(self, name: str, post: Post) -> None:
        """A post reaches the ledger: it is executed if no later batch came, and its replica is known."""
        replica = self.replicas[name]
        reply = self.execute(post.batch)
        in_time = replica.live and replica.generation == post.batch.generation
        if reply.status == "ok":
            assert in_time
            assert not post.executed
            post.executed = True
            self.used.append((post.request.caller, self.now, post.used))
        else:
            assert post.batch.number <= replica.last or not in_time

    def send(self, name: str, *ops: Op) -> Reply:
        """Send a batch and read the reply; before it register, if the replica must."""
        replica = self.replicas[name]
        if not replica.posts and replica.generation:
            reply = self.execute(self.batch(name, *ops))
            if reply.status == "ok":
                return reply
            assert reply.status == "lost"
        self.register(name)
        return self.execute(self.batch(name, *ops))

    def register(self, name: str) -> None:
        """Say what runs; then post what was not executed: it is not held any more, but used."""
        replica = self.replicas[name]
        held: dict[str, int] = {}
        for request in replica.requests:
            for key, amount in request.held().items():
                held[key] = held.get(key, 0) + amount
        reply = self.execute(self.batch(name, ["register", held]))
        assert reply.status == "ok"
        applied = reply.results[0][2]
        assert applied == replica.applied
        replica.generation = reply.generation
        posts, replica.posts = replica.posts, []
        for post in posts:
            assert post.executed == (post.batch.number <= applied)
            if not post.executed:
                settled = Settled("tokens", TOKEN_SPAN, 0, post.used)
                leave = Leave(settled=(settled,), budget=(post.request.caller, 0, post.used))
                assert self.execute(self.batch(name, wire.leave(leave))).status == "ok"
                self.used.append((post.request.caller, self.now, post.used))


TestLedgerLaws = LedgerLaws.TestCase
TestLedgerLaws.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestLedgerLaws = pytest.mark.timeout(240)(TestLedgerLaws)
