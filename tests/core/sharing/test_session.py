"""A replica's side of a store."""

from __future__ import annotations

import pytest

from aibridge_trio.core.sharing import wire
from aibridge_trio.core.sharing.ledger import Ledger
from aibridge_trio.core.sharing.needs import Ask, Away, Granted, Holding, Leave
from aibridge_trio.core.sharing.query import Query
from aibridge_trio.core.sharing.session import Session

SLOT = Ask((Holding("slots", 2),))


class Both:
    """A session and its ledger."""

    def __init__(self, name: str = "a", ledger: Ledger | None = None) -> None:
        self.ledger = ledger or Ledger()
        self.session = Session(name, ttl=3.0)
        self.now = 0.0

    def exchange(self) -> wire.Batch:
        """Let the ledger execute the next batch."""
        batch = self.session.batch(self.now)
        assert batch is not None
        self.session.received(batch.number, self.ledger.execute(batch.encoded(), self.now + 1e9), self.now)
        return batch

    def join(self) -> None:
        """Make contact."""
        self.exchange()
        self.session.joined(self.now)

    def want(self) -> Query:
        """Ask for a slot with the next batch."""
        query = Query(wire.ask(SLOT), self.now, SLOT)
        self.session.want(query)
        return query


@pytest.fixture
def both() -> Both:
    """A session in contact."""
    both = Both()
    both.join()
    return both


def test_nothing_is_sent_without_need(both: Both) -> None:
    """Only a beat is."""
    assert both.session.batch(0.0) is None
    both.session.beat()
    batch = both.session.batch(0.0)
    assert batch is not None
    assert batch.ops == []
    assert both.session.batch(0.0) is None


def test_batches_are_limited(both: Both) -> None:
    """What is more comes with the next."""
    queries = [both.want() for _ in range(201)]
    assert len(both.exchange().ops) == 200
    assert isinstance(queries[0].answer, Granted)
    assert queries[200].answer == Away()
    assert len(both.exchange().ops) == 1


def test_lost_content_is_registered_once_nothing_is_on_its_way(both: Both) -> None:
    """A registration says exactly what is held, so no batch may come between."""
    both.want()
    both.exchange()
    first, second = both.want(), both.want()
    one = both.session.batch(0.0)
    assert one is not None
    both.session.beat()
    two = both.session.batch(0.0)
    assert two is not None
    both.ledger = Ledger()
    assert both.session.received(one.number, both.ledger.execute(one.encoded(), 1e9), 0.0) == ()
    assert both.session.batch(0.0) is None
    both.session.received(two.number, both.ledger.execute(two.encoded(), 1e9), 0.0)
    assert both.exchange().ops == [["register", {"slots": 1}]]
    assert first.answer == second.answer == Away()
    assert both.session.batch(0.0) is None
    assert both.session.condition(0.0) == "settling"


def test_a_replica_that_was_silent_asks_again(both: Both) -> None:
    """The store has lost nothing but what it held."""
    other = Both("b", both.ledger)
    both.want()
    both.exchange()
    both.now = other.now = 10.0
    other.join()
    query = both.want()
    assert both.exchange().ops[0][0] == "ask"
    assert both.exchange().ops == [["register", {"slots": 1}]]
    both.exchange()
    assert isinstance(query.answer, Granted)
    assert both.session.condition(10.0) == "shared"


def test_what_waits_longest(both: Both) -> None:
    """On its way, pending, or to be asked again."""
    assert both.session.oldest() == float("inf")
    both.now = 1.0
    both.want()
    assert both.session.oldest() == 1.0
    batch = both.session.batch(2.0)
    assert batch is not None
    assert both.session.oldest() == 1.0
    both.session.received(batch.number, b'["lost","",0,1.0,1,[],[]]', 2.0)
    assert both.session.oldest() == 1.0


def test_replicas_that_have_yet_to_return_are_counted() -> None:
    """For as long as it takes to know that they do not: parts would be too large."""
    one = Both("a")
    other = Both("b", one.ledger)
    one.join()
    other.join()
    one.session.beat()
    one.exchange()
    assert one.session.replicas(0.0) == 2
    one.session.failed(0.0)
    assert one.session.replicas(100.0) == 2
    one.ledger, one.now = Ledger(), 100.0
    one.join()
    assert one.session.replicas(102.9) == 2
    assert one.session.replicas(103.0) == 1


def test_a_dropped_query_is_given_back(both: Both) -> None:
    """Not sent yet, it is not sent; else what it got is given back with the next batch."""
    both.want().dropped = True
    assert both.session.batch(0.0) is None
    query = both.want()
    batch = both.session.batch(0.0)
    assert batch is not None
    query.dropped = True
    assert list(both.session.received(batch.number, both.ledger.execute(batch.encoded(), 1e9), 0.0)) == []
    assert both.session.held == {}
    assert both.exchange().ops == [["leave", (("slots", 1),), [], 0, ()]]


def test_a_late_reply_is_nothing(both: Both) -> None:
    """Its batch was given up."""
    both.want()
    batch = both.session.batch(0.0)
    assert batch is not None
    assert len(both.session.failed(0.0)) == 1
    assert both.session.received(batch.number, both.ledger.execute(batch.encoded(), 1e9), 0.0) == ()


def test_without_contact_nothing_grows(both: Both) -> None:
    """What requests leave is summed up."""
    both.session.failed(0.0)
    for _ in range(1000):
        both.session.hold(SLOT, 0.0)
        both.session.leave(Leave((("slots", 1),)), 0.0)
    assert both.session.held == {}
    assert both.session.unposted == len(both.session._pending) == 0


@pytest.mark.parametrize("lost", [1, 3])
@pytest.mark.parametrize("executed", [True, False])
def test_replies_to_registrations_may_be_lost_too(both: Both, executed: bool, lost: int) -> None:
    """What was posted before them counts once: the store knows which batches posted something."""
    both.session.leave(Leave(budget=("b", 0, 3)), 0.0)
    batch = both.session.batch(0.0)
    assert batch is not None
    if executed:
        both.ledger.execute(batch.encoded(), 1e9)
    both.session.failed(0.0)
    for _ in range(lost):
        registration = both.session.batch(0.0)
        assert registration is not None
        both.ledger.execute(registration.encoded(), 1e9)
        both.session.failed(0.0)
    both.join()
    both.session.beat()
    assert both.exchange().ops == ([] if executed else [["leave", (), [], ("b", 0, 3), ()]])


def test_a_first_contact_with_content_that_was_lost(both: Both) -> None:
    """The replica holds to parts, too, whether it comes before those that know of the loss or after them."""
    second = Both("b", both.ledger)
    second.join()
    both.session.beat()
    both.exchange()
    both.now, both.ledger = 10.0, Ledger()
    early, late = Both("early", both.ledger), Both("late", both.ledger)
    early.now, late.now = 10.0, 11.0
    early.join()
    assert early.session.condition(10.0) == "shared"
    both.session.beat()
    both.exchange()
    assert both.exchange().ops == [["register", {}]]
    early.session.beat()
    early.exchange()
    late.join()
    for each in (both, early, late):
        assert each.session.condition(69.0) == "settling"
        assert not each.session.settled(0.0, 12.9)
        assert each.session.settled(0.0, 14.1)
        assert each.session.settled(5.0, 16.1)
        assert each.session.condition(71.1) == "shared"
    much_later = Both("later", both.ledger)
    much_later.now = 80.0
    much_later.join()
    assert much_later.session.condition(80.0) == "shared"


def test_content_that_is_new_to_all_is_the_whole_of_it() -> None:
    """At the first start of a deployment nothing was lost: no parts hold."""
    first = Both("a")
    second = Both("b", first.ledger)
    first.join()
    second.join()
    first.session.beat()
    first.exchange()
    for each in (first, second):
        assert each.session.condition(0.0) == "shared"
        assert each.session.settled(0.0, 0.0)
