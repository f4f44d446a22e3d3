"""Slots, shares and queue composed: laws that hold after every step of any story, and tables."""

from __future__ import annotations

import math
from collections.abc import Hashable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from aibridge_trio.core.limits.concurrency import ConcurrencyLimiter, Lease, Limits, Refusal
from aibridge_trio.core.limits.rate import RateLimiter

CALLERS = "abc"
PROVIDERS = ("x", "y")
SHADOWS = st.sets(st.sampled_from(["capacity", "caller_capacity", "provider_capacity"]), max_size=2)


def holds(place: Lease) -> list[str]:
    """Return what a place has."""
    return [name for name in ("slot", "caller_share", "provider_share", "waits") if getattr(place, name)]


class Slots:
    """Counts slots, and does not forgive."""

    def __init__(self, most: int) -> None:
        self.most = most or math.inf
        self.held: set[Hashable] = set()

    def free(self) -> bool:
        return len(self.held) < self.most

    def take(self, holder: Hashable) -> None:
        assert self.free()
        assert holder not in self.held
        self.held.add(holder)

    def give(self, holder: Hashable) -> None:
        self.held.remove(holder)


class Door:
    """Places, and who was woken."""

    def __init__(self, limits: Limits, shadow: frozenset[str] = frozenset(), rate: int = 0) -> None:
        self.limits, self.shadow = limits, shadow
        self.slots = Slots(limits.max_concurrency)
        self.woken: list[Lease] = []
        self.rate = RateLimiter(rate) if rate else None
        self.places = ConcurrencyLimiter(limits, self.slots, self.woken.append, shadow, self.rate)

    def come(
        self, caller: str, provider: str = "x", now: float = 0.0, patience: float = math.inf
    ) -> tuple[Lease, Refusal | None]:
        place = Lease()
        self.places.advance(now)
        refusal = self.places.enter(place)
        if refusal:
            self.places.leave(place, now)
        return place, refusal or self.claim(place, caller, provider, now, patience)

    def claim(self, place: Lease, caller: str, provider: str, now: float, patience: float) -> Refusal | None:
        self.places.charge(place, caller, now)
        refusal = self.places.claim(place, caller, provider, now, patience)
        if refusal:
            self.places.leave(place, now)
        return refusal

    def let_pass(self, now: float, until: float) -> None:
        """Let time pass, with a look whenever one is due."""
        while (due := self.places.due()) <= until:
            assert due > now, "an alarm that rings for ever"
            now = due
            self.places.advance(now)

    def placed(self, caller: str, provider: str = "x", now: float = 0.0) -> Lease:
        place, refusal = self.come(caller, provider, now)
        assert refusal is None
        return place


class Machine(RuleBasedStateMachine):
    """Callers come, wait, are served, give up; what must hold is checked behind each step."""

    @initialize(
        slots=st.integers(0, 4),
        per_caller=st.integers(0, 2),
        per_provider=st.integers(0, 3),
        queue=st.integers(0, 5),
        shadow=SHADOWS,
        rate=st.integers(0, 2),
    )
    def begin(
        self, slots: int, per_caller: int, per_provider: int, queue: int, shadow: set[str], rate: int
    ) -> None:
        limits = Limits(slots, per_caller, per_provider, queue, queue_timeout=20.0)
        self.door = Door(limits, frozenset(shadow), rate if queue else 0)
        self.admitted: dict[Lease, float] = {}
        self.entered: list[Lease] = []
        self.here: list[Lease] = []
        self.now = 0.0

    @rule()
    def enter(self) -> None:
        place = Lease()
        if refusal := self.door.places.enter(place):
            assert refusal.reason == "capacity"
            assert holds(place) == []
        else:
            self.entered.append(place)

    @precondition(lambda self: self.entered)
    @rule(
        data=st.data(),
        caller=st.sampled_from(CALLERS),
        provider=st.sampled_from(PROVIDERS),
        patience=st.sampled_from([1.0, math.inf]),
    )
    def claim(self, data: st.DataObject, caller: str, provider: str, patience: float) -> None:
        place = data.draw(st.sampled_from(self.entered))
        self.entered.remove(place)
        before = [each for each in self.here if each.waits]
        self.told(place, self.door.claim(place, caller, provider, self.now, patience), patience, before)

    @precondition(lambda self: self.entered)
    @rule(data=st.data())
    def somebody_is_refused_for_another_reason(self, data: st.DataObject) -> None:
        place = data.draw(st.sampled_from(self.entered))
        self.entered.remove(place)
        self.door.places.leave(place, self.now)
        assert holds(place) == []

    @rule(
        caller=st.sampled_from(CALLERS),
        provider=st.sampled_from(PROVIDERS),
        patience=st.sampled_from([1.0, math.inf]),
    )
    def come(self, caller: str, provider: str, patience: float) -> None:
        before = [place for place in self.here if place.waits]
        place, refusal = self.door.come(caller, provider, self.now, patience)
        self.told(place, refusal, patience, before)

    def told(self, place: Lease, refusal: Refusal | None, patience: float, before: list[Lease]) -> None:
        if refusal:
            assert holds(place) == []
            assert 0 < refusal.wait <= 60.0
            if refusal.reason == "queue_deadline":
                assert refusal.expected > min(patience, 20.0)
            if refusal.reason == "rate_limit":
                assert refusal.wait > min(patience, 20.0)
        else:
            self.here.append(place)
        pushed_out = [each for each in before if each.pushed_out]
        assert len(pushed_out) <= 1
        for each in pushed_out:
            assert self.door.places.give_up(each, self.now).reason == "queue_full"
            self.leave(each)

    @rule(data=st.data(), served=st.booleans())
    def somebody_leaves(self, data: st.DataObject, served: bool) -> None:
        if self.here:
            place = data.draw(st.sampled_from(self.here))
            place.served = served and not place.waits
            self.leave(place)

    def leave(self, place: Lease) -> None:
        self.here.remove(place)
        self.door.places.leave(place, self.now)
        assert holds(place) == []
        self.door.places.leave(place, self.now)

    @rule(seconds=st.sampled_from([0.25, 0.5, 5.0]))
    def time_passes(self, seconds: float) -> None:
        self.door.let_pass(self.now, self.now + seconds)
        self.now += seconds

    @rule()
    def who_has_waited_too_long_gives_up(self) -> None:
        for place in [each for each in self.here if each.waits and each.until <= self.now]:
            assert self.door.places.give_up(place, self.now).reason == "queue_timeout"
            self.leave(place)

    @invariant()
    def limits_hold(self) -> None:
        if not hasattr(self, "door"):
            return
        limits, shadow = self.door.limits, self.door.shadow
        inside = [place for place in self.here if not place.waits]
        assert self.door.slots.held == {place for place in [*inside, *self.entered] if place.slot}
        if "capacity" not in shadow:
            assert all(place.slot for place in inside)
        for key, limit, reason in (
            ("caller", limits.per_caller, "caller_capacity"),
            ("provider", limits.per_provider, "provider_capacity"),
        ):
            holding = [getattr(place, key) for place in inside if getattr(place, f"{key}_share")]
            assert not limit or max((holding.count(each) for each in holding), default=0) <= limit
            if limit and reason not in shadow:
                assert len(holding) == len(inside)

    @invariant()
    def who_waits_holds_nothing(self) -> None:
        if not hasattr(self, "door"):
            return
        waiting = [place for place in self.here if place.waits]
        assert len(waiting) == self.door.places.statistics(self.now).waiting <= self.door.limits.queue_size
        assert all(holds(place) == ["waits"] for place in waiting)

    @invariant()
    def nothing_is_free_that_somebody_waits_for(self) -> None:
        if not hasattr(self, "door"):
            return
        limits, shadow = self.door.limits, self.door.shadow
        inside = [place for place in self.here if not place.waits]
        for place in (each for each in self.here if each.waits):
            bars = [
                limits.max_concurrency and len(self.door.slots.held) >= limits.max_concurrency and "capacity",
                limits.per_caller
                and sum(each.caller == place.caller and each.caller_share for each in inside) >= limits.per_caller
                and "caller_capacity",
                limits.per_provider
                and sum(each.provider == place.provider and each.provider_share for each in inside)
                >= limits.per_provider
                and "provider_capacity",
                self.door.rate and not self.door.rate.has_room(place.caller, self.now) and "rate_limit",
            ]
            assert {bar for bar in bars if bar} - shadow, "somebody waits for nothing"

    @invariant()
    def no_second_holds_more_than_the_rate(self) -> None:
        if not (hasattr(self, "door") and self.door.rate):
            return
        for place in self.here:
            assert (place.rated_at is None) == place.waits, "counted, or waits"
            if place.rated_at is not None:
                self.admitted[place] = place.rated_at
        most = self.door.rate.budget("", 0.0).limit
        for place, at in self.admitted.items():
            mine = [each for other, each in self.admitted.items() if other.caller == place.caller]
            assert sum(at - 1 < each <= at for each in mine) <= most

    @invariant()
    def no_request_overtakes_an_older_one_of_its_caller(self) -> None:
        if not hasattr(self, "door"):
            return
        waiting = [place for place in self.here if place.waits]
        for place in (each for each in self.here if each in self.door.woken and not each.pushed_out):
            older = self.here[: self.here.index(place)]
            like = [each for each in older if (each.caller, each.provider) == (place.caller, place.provider)]
            assert not any(each in waiting for each in like)

    @invariant()
    def who_is_woken_has_its_turn_or_is_out(self) -> None:
        if not hasattr(self, "door"):
            return
        assert not any(place.waits for place in self.door.woken)
        assert len(self.door.woken) == len(set(self.door.woken)), "woken twice"
        waited = {place for place in self.here if place.until and not place.waits}
        assert waited <= set(self.door.woken), "seated in silence"


def test_what_must_hold_holds() -> None:
    """Limits; nothing held by who waits; nothing free that somebody waits for: after every step."""
    run_state_machine_as_test(Machine, settings=settings(max_examples=200, stateful_step_count=40, deadline=None))


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(1), "capacity"),
        (Limits(9, per_caller=1), "caller_capacity"),
        (Limits(9, per_provider=1), "provider_capacity"),
    ],
)
def test_without_a_queue_who_lacks_something_is_refused(limits: Limits, reason: str) -> None:
    """With a second to wait, because it may be there at any moment."""
    door = Door(limits)
    door.placed("a")
    assert door.come("a")[1] == Refusal(reason, 1.0)  # type: ignore[arg-type]
    if reason != "capacity":
        door.placed("b", "y")


def test_what_is_given_back_goes_to_the_next_in_turn() -> None:
    """In the same moment: a newcomer finds nothing."""
    door = Door(Limits(1, queue_size=9))
    first, second, third = door.placed("a"), door.placed("a"), door.placed("b")
    assert (second.waits, third.waits) == (True, True)
    door.places.leave(first, 1.0)
    assert door.woken == [second]
    assert door.placed("c").waits
    door.places.leave(second, 2.0)
    assert door.woken == [second, third]


def test_a_slot_that_became_free_meanwhile_is_taken() -> None:
    """Who entered without one and claims takes it, and waits beside no free slot."""
    door = Door(Limits(1, queue_size=9))
    first, late = door.placed("a"), Lease()
    assert door.places.enter(late) is None
    door.places.leave(first, 1.0)
    assert door.places.claim(late, "b", "x", 1.0) is None
    assert holds(late) == ["slot"]


def test_a_slot_that_who_begins_to_wait_gives_back_goes_to_who_waits_for_it() -> None:
    """Who entered early, and lacks a share when it claims, does not keep others from the slot that it had."""
    door = Door(Limits(2, per_provider=1, queue_size=9))
    early = Lease()
    assert door.places.enter(early) is None
    door.placed("a", "x")
    waiting = door.placed("a", "y")
    assert waiting.waits
    assert door.places.claim(early, "b", "x", 0.0) is None
    assert (holds(early), door.woken) == (["waits"], [waiting])
    assert holds(waiting) == ["slot", "provider_share"]


def test_a_turn_that_would_come_too_late_is_told_at_once() -> None:
    """By how long slots are held, if only one is lacking; that tells nothing of a share."""
    door = Door(Limits(1, per_provider=1, queue_size=9))
    place = door.placed("a")
    place.served = True
    door.places.leave(place, 4.0)
    door.placed("a", now=4.0)
    assert door.come("b", "y", 4.0, patience=3.9)[1] == Refusal("queue_deadline", 4.0, 4.0)
    assert door.come("b", "y", 4.0, patience=4.0)[1] is None
    assert door.come("c", "y", 4.0, patience=7.0)[1] == Refusal("queue_deadline", 8.0, 8.0)
    assert door.come("c", "x", 4.0, patience=0.1)[1] is None


def test_a_request_that_did_not_go_up_tells_no_pace() -> None:
    """One that was refused has held its slot for no reason that will come again."""
    door = Door(Limits(1, queue_size=9))
    door.places.leave(door.placed("a"), 4.0)
    assert door.places.statistics(4.0).pace is None


def test_in_an_outage_turns_come_as_fast_as_requests_fail() -> None:
    """What went up and failed tells how long slots are held, as what was answered does."""
    door = Door(Limits(1, queue_size=9))
    line = [door.placed("a"), door.placed("a"), door.placed("a")]
    for tick in range(1, 40):
        line[0].served = True
        door.places.leave(line.pop(0), tick / 10)
        line.append(door.placed("a", now=tick / 10))
    assert door.come("b", now=3.9, patience=0.05)[1] == pytest.approx(
        Refusal("queue_deadline", 0.2, 0.2), abs=1e-6
    )
    assert door.come("b", now=3.9, patience=0.5)[1] is None


def test_what_was_refused_after_its_turn_lets_the_next_one_go() -> None:
    """A slot that was given back is free, and the late holder of before is forgotten."""
    door = Door(Limits(1, queue_size=9))
    first = door.placed("a")
    first.served = True
    line = [first, door.placed("a"), door.placed("a")]
    door.places.leave(first, 1.0)
    door.places.leave(line[1], 31.0)  # held for long, and refused
    assert door.places.statistics(31.0).pace == 1.0
    assert door.come("b", now=31.0, patience=1.0)[1] is None


@pytest.mark.parametrize(("patience", "until"), [(2.0, 102.0), (10.0, 110.0), (math.inf, 110.0)])
def test_a_wait_ends(patience: float, until: float) -> None:
    """With the request's own patience or the queue's timeout, whichever is shorter, from when it began."""
    door = Door(Limits(1, queue_size=9))
    door.placed("a")
    assert door.come("b", now=100.0, patience=patience)[0].until == until


def test_no_turn_is_expected_behind_the_timeout() -> None:
    """The queue's timeout bounds what may be expected, however patient a request is."""
    door = Door(Limits(1, queue_size=9, queue_timeout=3.0))
    first = door.placed("a")
    first.served = True
    door.places.leave(first, 4.0)
    door.placed("a", now=4.0)
    assert door.come("b", now=4.0)[1] == Refusal("queue_deadline", 4.0, 4.0)


def test_a_quiet_hour_makes_no_wait_long() -> None:
    """Only what is held tells when a slot becomes free, not how long ago the last one did."""
    door = Door(Limits(1, queue_size=9))
    first = door.placed("a")
    first.served = True
    door.places.leave(first, 1.0)
    for now in (3600.0, 7200.0):
        holder, waiting = door.placed("a", now=now), door.placed("b", now=now)
        assert waiting.waits
        assert door.places.statistics(now).pace == 1.0
        assert door.come("c", now=now, patience=1.5)[1] == Refusal("queue_deadline", 2.0, 2.0)
        for place in (waiting, holder):
            door.places.leave(place, now)


def test_the_pace_is_of_how_long_a_place_was_held() -> None:
    """From its claim or its turn, not from its coming: a wait is no service."""
    door = Door(Limits(1, queue_size=9))
    first = door.placed("a", now=10.0)
    second = door.placed("a", now=11.0)
    first.served = second.served = True
    door.places.leave(first, 14.0)
    assert door.places.statistics(14.0).pace == 1 / 4
    door.places.leave(second, 16.0)
    assert door.places.statistics(16.0).pace == 1 / 2


def test_who_is_pushed_out_is_woken_and_waits_no_longer() -> None:
    """At once, holding nothing; what it is told is that the queue is full."""
    door = Door(Limits(1, queue_size=2))
    door.placed("a")
    older, younger = door.placed("b"), door.placed("b")
    assert door.placed("c").waits
    assert door.woken == [younger]
    assert (younger.pushed_out, holds(younger), older.waits) == (True, [], True)
    assert door.places.give_up(younger, 0.0) == Refusal("queue_full", 1.0)


@pytest.mark.parametrize(
    ("limits", "shadow", "refusal"),
    [
        (Limits(1), "", Refusal("capacity", 1.0)),
        (Limits(1, queue_size=1), "", None),
        (Limits(1), "capacity", None),
    ],
)
def test_the_door_refuses_only_where_nobody_may_wait(limits: Limits, shadow: str, refusal: Refusal | None) -> None:
    """Without a slot, a queue and shadow nobody comes in; with one of them it is the claim's to decide."""
    door = Door(limits, frozenset({shadow}))
    door.placed("a")
    assert door.places.enter(Lease()) == refusal


def test_what_waits_for_a_share_has_spent_none_of_its_rate() -> None:
    """It was counted when it came, and is not while it waits: another request of its caller goes instead."""
    door = Door(Limits(9, per_provider=1, queue_size=9), rate=1)
    first = door.placed("b", "x")
    waiting = door.placed("a", "x")
    assert (holds(waiting), waiting.rated_at) == (["waits"], None)
    other = door.placed("a", "y")
    assert (other.waits, other.rated_at) == (False, 0.0)
    door.places.leave(first, 0.5)  # its share is free, its rate not yet
    assert waiting.waits
    door.let_pass(0.5, 1.0)
    assert (waiting.waits, waiting.rated_at) == (False, 1.0)


def test_a_full_queue_tells_when_there_is_room() -> None:
    """When one of those that wait will have left it: by its turn, or because it can't wait any longer."""
    door = Door(Limits(1, queue_size=2, queue_timeout=1e9))
    first = door.placed("a")
    door.placed("b")
    door.placed("c")
    assert door.come("d")[1] == Refusal("queue_full", 1.0)  # unknown
    first.served = True
    door.places.leave(first, 3.0)
    door.placed("d", now=3.0)
    assert door.come("e", now=3.0)[1] == Refusal("queue_full", 3.0)
    assert door.come("e", now=5.0)[1] == Refusal("queue_full", 1.0)
    assert door.come("e", now=6.0)[1] == Refusal("queue_full", 0.1)  # due, which is no certainty
    assert door.come("e", now=16.0)[1] == Refusal("queue_full", 10.0)  # as long again as it is late
    assert door.come("e", now=1000.0)[1] == Refusal("queue_full", 60.0)
    impatient = Door(Limits(1, queue_size=1, queue_timeout=5.0))
    impatient.placed("a")
    impatient.placed("b", now=1.0)
    assert impatient.come("c", now=5.5)[1] == Refusal("queue_full", 0.5)


def test_a_full_queue_with_free_slots_has_room_when_the_rate_admits_one() -> None:
    """Slots that are free say nothing of that; with shares it may be at any time."""
    for limits, wait in ((Limits(9, queue_size=2), 0.75), (Limits(9, 9, queue_size=2), 0.75)):
        door = Door(limits, rate=1)
        first = door.placed("b")
        first.served = True
        door.places.leave(first, 0.01)
        for _ in range(3):
            door.placed("a", now=1.0)
        assert door.come("a", now=1.25)[1] == Refusal("queue_full", wait)
    shared = Door(Limits(9, per_caller=1, queue_size=1))
    shared.placed("a").served = True
    shared.placed("a")
    assert shared.come("a", now=1.0)[1] == Refusal("queue_full", 1.0)


def test_who_left_in_the_moment_of_its_turn_is_not_counted() -> None:
    """The next one of its caller has that turn."""
    door = Door(Limits(9, queue_size=9), rate=1)
    _, gone, other = [door.placed("a") for _ in range(3)]
    door.places.advance(1.0)
    assert (gone.waits, other.waits) == (False, True)
    door.places.uncount(gone)
    door.places.leave(gone, 1.0)
    assert (other.waits, other.rated_at) == (False, 1.0)
    assert door.rate
    assert not door.rate.has_room("a", 1.9)


def test_who_waited_in_vain_is_told_when_its_turn_would_come() -> None:
    """If it came again at once: behind the others that wait, and not behind itself."""
    door = Door(Limits(1, queue_size=9, queue_timeout=100.0))
    first = door.placed("a")
    first.served = True
    line = [door.placed("b"), door.placed("c"), door.placed("c")]
    door.places.leave(first, 4.0)
    assert [place.waits for place in line] == [False, True, True]
    assert door.places.give_up(line[1], 5.0) == Refusal("queue_timeout", 3.0 + 4.0)
    assert Door(Limits(1, queue_size=9)).places.due() == math.inf


def test_a_limit_in_shadow_says_what_it_would_have_done() -> None:
    """Who lacked it is in, holds nothing of it, and the next is counted as if it had not come."""
    door = Door(Limits(1, per_caller=1), frozenset({"capacity", "caller_capacity"}))
    first, second = door.placed("a"), door.placed("a")
    assert (second.slot, second.caller_share, second.would) == (False, False, ("capacity", "caller_capacity"))
    door.places.leave(first, 0.0)
    third = door.placed("a")
    assert (third.slot, third.caller_share, third.would) == (True, True, ())


@pytest.mark.parametrize(
    "limits",
    [Limits(2), Limits(99, per_caller=2), Limits(99, per_provider=2)],
    ids=["slots", "caller", "provider"],
)
@given(
    story=st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from(PROVIDERS)) | st.integers(0, 20).map(lambda n: (n,)),
        max_size=40,
    )
)
def test_what_would_be_refused_changes_nobodys_fate(
    limits: Limits, story: list[tuple[str, str] | tuple[int]]
) -> None:
    """In shadow just those are told `would` who would be refused without it, whatever these did meanwhile."""

    def fates(shadow: frozenset[str]) -> list[bool]:
        door, came, inside = Door(limits, shadow), list[bool](), list[Lease]()
        for event in story:
            if len(event) == 2:
                place, refusal = door.come(*event)
                assert not (refusal and shadow), "a limit in shadow refuses nobody"
                came.append(not (refusal or place.would))
                inside.append(place)
            elif event[0] < len(inside):  # who was refused has left before
                door.places.leave(inside[event[0]], 0.0)
        return came

    assert fates(frozenset({"capacity", "caller_capacity", "provider_capacity"})) == fates(frozenset())


@given(st.lists(st.sampled_from("ab"), max_size=12))
def test_nobody_waits_for_a_slot_in_shadow(callers: list[str]) -> None:
    """Who waits for another limit needs no slot for its turn."""
    door = Door(Limits(1, per_caller=1, queue_size=99), frozenset({"capacity"}))
    holders = {caller: door.placed(caller) for caller in "ab"}
    line = [door.placed(caller) for caller in callers]
    assert all(place.waits for place in line)
    for place in line:
        door.places.leave(holders[str(place.caller)], 0.0)
        assert not place.waits
        holders[str(place.caller)] = place


@pytest.mark.parametrize(
    ("limits", "shadow"),
    [
        (Limits(2, per_caller=1, queue_size=9), "caller_capacity"),
        (Limits(2, per_provider=1, queue_size=9), "provider_capacity"),
    ],
)
def test_a_share_in_shadow_bars_no_turn(limits: Limits, shadow: str) -> None:
    """Who waits for a slot has its turn when one is free, though a share that is only counted is lacking."""
    door = Door(limits, frozenset({shadow}))
    door.placed("a", "x")
    other, waiting = door.placed("b", "y"), door.placed("a", "x")
    assert (waiting.waits, waiting.would) == (True, (shadow,))
    door.places.leave(other, 0.0)
    assert door.woken == [waiting]
    assert holds(waiting)[0] == "slot"


def test_who_is_counted_once_is_given_back_once() -> None:
    """To leave twice, or without ever having claimed, changes nothing."""
    door = Door(Limits(1, 1, 1))
    place = Lease()
    assert door.places.enter(place) is None
    for _ in range(2):
        door.places.leave(place, 0.0)
    assert door.slots.held == set()
    assert holds(door.placed("a")) == ["slot", "caller_share", "provider_share"]
    assert repr(place) == "<Place outside>"
