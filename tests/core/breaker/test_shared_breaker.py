"""A shared breaker against what others tell it, without a store: the store's part is played by the tests."""

from __future__ import annotations

from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.breaker.probe_permit import Permit
from aibridge_trio.core.breaker.shared_breaker import SharedBreaker
from aibridge_trio.core.breaker.state import Mode, State, Transition
from aibridge_trio.core.breaker.verdict import SUCCESS, Evidence, Verdict

OVERLOAD = Evidence(Verdict.FAILURE, "503", overload=True)
POLICY = BreakerPolicy(threshold=3, cooldown=30.0, ramp=10.0)


class Lab:
    def __init__(self, name: str) -> None:
        self.transitions: list[Transition] = []
        self.breaker = SharedBreaker(POLICY, self.transitions.append, 0.0, lambda: 0.5, name)
        self.breaker.alone = False

    def fail(self, now: float, count: int = 3, retry_after: float | None = None) -> None:
        for _ in range(count):
            permit = self.breaker.admit(now)
            assert isinstance(permit, Permit)
            self.breaker.settle(permit, OVERLOAD, now, retry_after)

    def state(self, now: float) -> State:
        return self.breaker.statistics(now).state

    def tell(self, other: Lab, now: float, age: float = 0.0) -> None:
        """Let the store take this breaker's change, and tell another one after a while."""
        shared = self.breaker.shared(now)
        version = self.breaker.version + 1
        self.breaker.taken(shared.change, version)
        other.breaker.heard(version, shared.value(), age, now + age)


def test_a_trip_is_adopted() -> None:
    """The end of the cooldown, the trips in a row and the cause are adopted; it is not counted twice."""
    one, two = Lab("a"), Lab("b")
    one.fail(5.0)
    assert one.breaker.untold
    one.tell(two, 5.0, age=2.0)
    assert two.state(7.0) is State.OPEN
    found = two.breaker.statistics(7.0)
    assert found.cooldown_left == 28.0
    assert (found.in_a_row, found.trips, found.since) == (1, 0, 5.0)
    (change,) = two.transitions
    assert change.because == "3 failures in 10 s, last 503, seen by another replica"
    assert not change.trip
    assert not two.breaker.untold
    assert two.breaker.change == one.breaker.change
    assert one.state(34.9) is two.state(34.9) is State.OPEN
    assert one.state(35.0) is two.state(35.0) is State.HALF_OPEN


def test_a_trip_that_is_over() -> None:
    """A trip that becomes known after its cooldown leads to half-open at once."""
    one, two = Lab("a"), Lab("b")
    one.fail(0.0)
    one.tell(two, 0.0, age=40.0)
    assert two.state(40.0) is State.HALF_OPEN


def test_what_is_not_newer_changes_nothing() -> None:
    """A message of a version that is known, or of an earlier one, changes nothing."""
    one, two = Lab("a"), Lab("b")
    closed = one.breaker.shared(0.0).value() | {"change": "x-1"}
    one.fail(5.0)
    one.tell(two, 5.0)
    two.breaker.heard(1, closed, 0.0, 5.5)
    two.breaker.heard(0, closed, 6.0, 6.0)
    assert two.state(6.0) is State.OPEN


def test_a_store_that_began_anew() -> None:
    """A lower version that was set later is newer: the store has lost what it knew."""
    one, two = Lab("a"), Lab("b")
    two.breaker.version = 7
    one.fail(5.0)
    one.tell(two, 5.0)
    assert two.state(5.0) is State.OPEN
    assert two.breaker.version == 1


def test_two_trips_at_once() -> None:
    """Of two trips the one that the store has taken is that of both, without another transition."""
    one, two = Lab("a"), Lab("b")
    one.fail(5.0)
    two.fail(5.01)
    one.tell(two, 5.0, age=0.02)
    assert not two.breaker.untold
    assert two.breaker.statistics(6.0).cooldown_left == one.breaker.statistics(6.0).cooldown_left
    assert len(two.transitions) == 1


def test_a_refusal_that_is_late_does_not_go_back() -> None:
    """What the store has in place of a change is not adopted if a newer version came since it was sent."""
    one, two = Lab("a"), Lab("b")
    closed = one.breaker.shared(0.0).value() | {"change": "x-1"}
    one.breaker.version = 4
    two.fail(5.0)
    sent = two.breaker.version
    one.fail(5.0)
    one.tell(two, 5.0)
    assert two.breaker.version == 5
    two.breaker.heard(3, closed, 0.0, 5.1, refused=sent)
    assert two.state(5.1) is State.OPEN
    assert two.breaker.version == 5


def test_a_refusal_by_a_store_that_began_anew() -> None:
    """It is adopted, though its version is lower: else no change would ever be taken again."""
    one, two = Lab("a"), Lab("b")
    two.breaker.version = 7
    one.fail(5.0)
    two.fail(5.0)
    theirs = one.breaker.shared(5.0).value()
    two.breaker.heard(1, theirs, 0.0, 5.0, refused=7)
    assert (two.breaker.version, two.breaker.untold) == (1, False)


def test_a_trip_stands_against_an_earlier_close() -> None:
    """A trip here that came after a close elsewhere is not dropped, and others will learn of it."""
    one, two = Lab("a"), Lab("b")
    closed = one.breaker.shared(0.0).value() | {"change": "x-1"}
    two.fail(5.0)
    two.breaker.heard(4, closed, 1.0, 5.5)
    assert two.state(5.5) is State.OPEN
    assert two.breaker.untold
    assert two.breaker.version == 4


def test_a_close_does_not_stand_against_a_trip() -> None:
    """A close here that the store has not taken is dropped for a trip elsewhere, also for an earlier one."""
    one, two = Lab("a"), Lab("b")
    for each in (one, two):
        each.fail(0.0)
    one.tell(two, 0.0)
    assert one.state(30.0) is two.state(30.0) is State.HALF_OPEN
    one.fail(30.0, count=1)
    two.breaker.told_successes(3, two.breaker.change, 30.1)
    assert two.state(30.1) is State.CLOSED
    one.tell(two, 30.0, age=0.2)
    assert two.state(30.2) is State.OPEN
    assert not two.breaker.untold


def test_the_latest_override_wins() -> None:
    """An override wins over any transition that does not know it, and over an earlier override."""
    one, two = Lab("a"), Lab("b")
    one.breaker.override(Mode.CLOSE, 1.0)
    two.fail(1.5)
    one.tell(two, 2.0)
    assert two.breaker.statistics(2.0).mode is Mode.CLOSE
    assert two.state(2.0) is State.CLOSED
    two.breaker.override(Mode.OPEN, 3.0)
    late = one.breaker.shared(3.5).value() | {"change": "x-1"}
    two.breaker.heard(2, late, 0.0, 3.5)
    assert two.breaker.statistics(3.5).mode is Mode.OPEN
    assert two.breaker.untold
    two.breaker.version = 2
    two.tell(one, 4.0)
    assert one.breaker.statistics(4.0).mode is Mode.OPEN


def test_a_later_hint_is_told() -> None:
    """A provider's later hint extends the cooldown here, and then elsewhere."""
    one, two = Lab("a"), Lab("b")
    late = one.breaker.admit(0.0)
    one.fail(0.0)
    one.tell(two, 0.0)
    assert isinstance(late, Permit)
    one.breaker.settle(late, OVERLOAD, 1.0, 120.0)
    assert one.breaker.untold
    one.tell(two, 1.0)
    assert two.breaker.statistics(1.0).cooldown_left == 120.0
    assert len(two.transitions) == 1


def test_a_close_brings_its_ramp() -> None:
    """After an outage all replicas admit the same growing share."""
    one, two = Lab("a"), Lab("b")
    one.fail(0.0)
    one.tell(two, 0.0)
    assert one.state(30.0) is two.state(30.0) is State.HALF_OPEN
    one.breaker.told_successes(3, one.breaker.change, 30.0)
    one.tell(two, 32.0, age=1.0)
    assert two.state(33.0) is State.CLOSED
    assert two.breaker.statistics(33.0).share == one.breaker.statistics(33.0).share < 1.0


def test_probes_need_a_right() -> None:
    """In half-open a request needs the right of this very trip; alone it needs none."""
    lab = Lab("a")
    lab.fail(0.0)
    assert lab.breaker.lacks_right(None, 1.0) is None
    assert lab.breaker.lacks_right(None, 30.0) is not None
    assert lab.breaker.lacks_right("x-1", 30.0) is not None
    assert lab.breaker.lacks_right(lab.breaker.change, 30.0) is None
    lab.breaker.alone = True
    assert lab.breaker.lacks_right(None, 30.0) is None


def test_successes_of_another_trip_close_nothing() -> None:
    """Successes that were counted for an earlier trip change nothing."""
    lab = Lab("a")
    lab.fail(0.0)
    before = lab.breaker.change
    permit = lab.breaker.admit(30.0)
    assert isinstance(permit, Permit)
    lab.breaker.settle(permit, OVERLOAD, 30.0)
    assert lab.state(90.0) is State.HALF_OPEN
    lab.breaker.told_successes(3, before, 90.0)
    assert lab.state(90.0) is State.HALF_OPEN


def test_own_successes_are_to_be_sent() -> None:
    """A success in half-open is counted here at once, and kept for the others."""
    lab = Lab("a")
    lab.fail(0.0)
    permit = lab.breaker.admit(30.0)
    assert isinstance(permit, Permit)
    lab.breaker.settle(permit, SUCCESS, 30.0)
    assert lab.breaker.unsent_successes == 1
    lab.breaker.told_successes(2, lab.breaker.change, 30.0)
    assert lab.state(30.0) is State.HALF_OPEN
    lab.breaker.told_successes(3, lab.breaker.change, 30.0)
    assert lab.state(30.0) is State.CLOSED


def test_a_restored_breaker_asks_the_others() -> None:
    """What was saved before a restart counts, unless the others know something newer."""
    one, two, three = Lab("a"), Lab("b"), Lab("c")
    one.fail(0.0)
    saved = one.breaker.snapshot(10.0)
    two.breaker.restore(saved, 100.0, 5.0)
    assert two.breaker.untold
    assert two.state(100.0) is State.OPEN
    closed = three.breaker.shared(99.0).value() | {"change": "x-1"}
    two.breaker.heard(3, closed, 1.0, 100.0)
    assert two.state(100.0) is State.CLOSED


def test_garbage_changes_nothing() -> None:
    """What is no state is not adopted, and its version is known then."""
    lab = Lab("a")
    lab.fail(0.0)
    lab.breaker.heard(9, {"state": "closed"}, 0.0, 1.0)
    assert lab.state(1.0) is State.OPEN
    assert lab.breaker.version == 9
    assert lab.breaker.untold
