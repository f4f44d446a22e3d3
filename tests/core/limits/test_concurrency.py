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

from aibridge_trio.core.limits.concurrency import ConcurrencyLimiter
from aibridge_trio.core.limits.lease import Lease, Limits
from aibridge_trio.core.limits.rate import RateLimiter
from aibridge_trio.core.limits.refusals import Refusal

CALLERS = "abc"
PROVIDERS = ("x", "y")
SHADOWS = st.sets(st.sampled_from(["capacity", "caller_capacity", "provider_capacity"]), max_size=2)


def holds(lease: Lease) -> list[str]:
    """Return what a lease has."""
    return [name for name in ("slot", "caller_share", "provider_share", "queued") if getattr(lease, name)]


class Slots:
    """Counts slots, and fails on a wrong use."""

    def __init__(self, most: int) -> None:
        self.most = most or math.inf
        self.held: set[Hashable] = set()

    @property
    def available_tokens(self) -> float:
        return self.most - len(self.held)

    def acquire_on_behalf_of_nowait(self, borrower: Hashable) -> None:
        assert self.available_tokens > 0
        assert borrower not in self.held
        self.held.add(borrower)

    def release_on_behalf_of(self, borrower: Hashable) -> None:
        self.held.remove(borrower)


class Door:
    """Places, and who was woken."""

    def __init__(self, limits: Limits, shadow: frozenset[str] = frozenset(), rate: int = 0) -> None:
        self.limits, self.shadow = limits, shadow
        self.slots = Slots(limits.max_concurrency)
        self.woken: list[Lease] = []
        self.rate = RateLimiter(rate) if rate else None
        self.limiter = ConcurrencyLimiter(limits, self.slots, self.woken.append, shadow, self.rate)

    def come(
        self, caller: str, provider: str = "x", now: float = 0.0, patience: float = math.inf
    ) -> tuple[Lease, Refusal | None]:
        lease = Lease()
        refusal = self.limiter.enter(lease, now)
        if refusal:
            self.limiter.leave(lease, now)
        return lease, refusal or self.claim(lease, caller, provider, now, patience)

    def claim(self, lease: Lease, caller: str, provider: str, now: float, patience: float) -> Refusal | None:
        self.limiter.charge_rate(lease, caller, now)
        refusal = None
        if not self.limiter.acquire(lease, caller, provider, now):
            refusal = self.limiter.join_queue(lease, now, patience)
        if refusal:
            self.limiter.leave(lease, now)
        return refusal

    def let_pass(self, now: float, until: float) -> None:
        """Let time pass, with a look whenever one is due."""
        while (due := self.limiter.next_due()) <= until:
            assert due > now, "an alarm that rings for ever"
            now = due
            self.limiter.advance(now)

    def placed(self, caller: str, provider: str = "x", now: float = 0.0) -> Lease:
        lease, refusal = self.come(caller, provider, now)
        assert refusal is None
        return lease


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
        lease = Lease()
        if refusal := self.door.limiter.enter(lease, self.now):
            assert refusal.reason == "capacity"
            assert holds(lease) == []
        else:
            self.entered.append(lease)

    @precondition(lambda self: self.entered)
    @rule(
        data=st.data(),
        caller=st.sampled_from(CALLERS),
        provider=st.sampled_from(PROVIDERS),
        patience=st.sampled_from([1.0, math.inf]),
    )
    def claim(self, data: st.DataObject, caller: str, provider: str, patience: float) -> None:
        lease = data.draw(st.sampled_from(self.entered))
        self.entered.remove(lease)
        before = [each for each in self.here if each.queued]
        self.told(lease, self.door.claim(lease, caller, provider, self.now, patience), patience, before)

    @precondition(lambda self: self.entered)
    @rule(data=st.data())
    def somebody_is_refused_for_another_reason(self, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from(self.entered))
        self.entered.remove(lease)
        self.door.limiter.leave(lease, self.now)
        assert holds(lease) == []

    @rule(
        caller=st.sampled_from(CALLERS),
        provider=st.sampled_from(PROVIDERS),
        patience=st.sampled_from([1.0, math.inf]),
    )
    def come(self, caller: str, provider: str, patience: float) -> None:
        before = [lease for lease in self.here if lease.queued]
        lease, refusal = self.door.come(caller, provider, self.now, patience)
        self.told(lease, refusal, patience, before)

    def told(self, lease: Lease, refusal: Refusal | None, patience: float, before: list[Lease]) -> None:
        if refusal:
            assert holds(lease) == []
            assert 0 < refusal.wait <= 60.0
            if refusal.reason == "queue_deadline":
                assert refusal.expected > min(patience, 20.0)
            if refusal.reason == "rate_limit":
                assert refusal.wait > min(patience, 20.0)
        else:
            self.here.append(lease)
        pushed_out = [each for each in before if each.pushed_out]
        assert len(pushed_out) <= 1
        for each in pushed_out:
            assert self.door.limiter.refusal_after_wait(each, self.now).reason == "queue_full"
            self.leave(each)

    @rule(data=st.data(), served=st.booleans())
    def somebody_leaves(self, data: st.DataObject, served: bool) -> None:
        if self.here:
            lease = data.draw(st.sampled_from(self.here))
            lease.forwarded = served and not lease.queued
            self.leave(lease)

    def leave(self, lease: Lease) -> None:
        self.here.remove(lease)
        self.door.limiter.leave(lease, self.now)
        assert holds(lease) == []
        self.door.limiter.leave(lease, self.now)

    @rule(seconds=st.sampled_from([0.25, 0.5, 5.0]))
    def time_passes(self, seconds: float) -> None:
        self.door.let_pass(self.now, self.now + seconds)
        self.now += seconds

    @rule()
    def who_has_waited_too_long_gives_up(self) -> None:
        for lease in [each for each in self.here if each.queued and each.deadline <= self.now]:
            assert self.door.limiter.refusal_after_wait(lease, self.now).reason == "queue_timeout"
            self.leave(lease)

    @invariant()
    def limits_hold(self) -> None:
        if not hasattr(self, "door"):
            return
        limits, shadow = self.door.limits, self.door.shadow
        inside = [lease for lease in self.here if not lease.queued]
        assert self.door.slots.held == {lease for lease in [*inside, *self.entered] if lease.slot}
        if "capacity" not in shadow:
            assert all(lease.slot for lease in inside)
        for key, limit, reason in (
            ("caller", limits.per_caller, "caller_capacity"),
            ("provider", limits.per_provider, "provider_capacity"),
        ):
            holding = [getattr(lease, key) for lease in inside if getattr(lease, f"{key}_share")]
            assert not limit or max((holding.count(each) for each in holding), default=0) <= limit
            if limit and reason not in shadow:
                assert len(holding) == len(inside)

    @invariant()
    def who_waits_holds_nothing(self) -> None:
        if not hasattr(self, "door"):
            return
        waiting = [lease for lease in self.here if lease.queued]
        assert len(waiting) == self.door.limiter.statistics(self.now).waiting <= self.door.limits.queue_size
        assert all(holds(lease) == ["queued"] for lease in waiting)

    @invariant()
    def nothing_is_free_that_somebody_waits_for(self) -> None:
        if not hasattr(self, "door"):
            return
        limits, shadow = self.door.limits, self.door.shadow
        inside = [lease for lease in self.here if not lease.queued]
        for lease in (each for each in self.here if each.queued):
            bars = [
                limits.max_concurrency and len(self.door.slots.held) >= limits.max_concurrency and "capacity",
                limits.per_caller
                and sum(each.caller == lease.caller and each.caller_share for each in inside) >= limits.per_caller
                and "caller_capacity",
                limits.per_provider
                and sum(each.provider == lease.provider and each.provider_share for each in inside)
                >= limits.per_provider
                and "provider_capacity",
                self.door.rate and not self.door.rate.allows(lease.caller, self.now) and "rate_limit",
            ]
            assert {bar for bar in bars if bar} - shadow, "somebody queued for nothing"

    @invariant()
    def no_second_holds_more_than_the_rate(self) -> None:
        if not (hasattr(self, "door") and self.door.rate):
            return
        for lease in self.here:
            assert (lease.charged_at is None) == lease.queued, "counted, or queued"
            if lease.charged_at is not None:
                self.admitted[lease] = lease.charged_at
        most = self.door.rate.budget("", 0.0).limit
        for lease, at in self.admitted.items():
            mine = [each for other, each in self.admitted.items() if other.caller == lease.caller]
            assert sum(at - 1 < each <= at for each in mine) <= most

    @invariant()
    def no_request_overtakes_an_older_one_of_its_caller(self) -> None:
        if not hasattr(self, "door"):
            return
        waiting = [lease for lease in self.here if lease.queued]
        for lease in (each for each in self.here if each in self.door.woken and not each.pushed_out):
            older = self.here[: self.here.index(lease)]
            like = [each for each in older if (each.caller, each.provider) == (lease.caller, lease.provider)]
            assert not any(each in waiting for each in like)

    @invariant()
    def who_is_woken_has_its_turn_or_is_out(self) -> None:
        if not hasattr(self, "door"):
            return
        assert not any(lease.queued for lease in self.door.woken)
        assert len(self.door.woken) == len(set(self.door.woken)), "woken twice"
        waited = {lease for lease in self.here if lease.deadline and not lease.queued}
        assert waited <= set(self.door.woken), "seated in silence"


def test_what_must_hold_holds() -> None:
    """Limits; nothing held by who queued; nothing free that somebody queued for: after every step."""
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
    assert (second.queued, third.queued) == (True, True)
    door.limiter.leave(first, 1.0)
    assert door.woken == [second]
    assert door.placed("c").queued
    door.limiter.leave(second, 2.0)
    assert door.woken == [second, third]


def test_a_slot_that_became_free_meanwhile_is_taken() -> None:
    """Who entered without one and claims takes it, and queued beside no free slot."""
    door = Door(Limits(1, queue_size=9))
    first, late = door.placed("a"), Lease()
    assert door.limiter.enter(late, 0.0) is None
    door.limiter.leave(first, 1.0)
    assert door.limiter.acquire(late, "b", "x", 1.0)
    assert holds(late) == ["slot"]


def test_a_slot_that_who_begins_to_wait_gives_back_goes_to_who_waits_for_it() -> None:
    """Who entered early, and lacks a share when it claims, does not keep others from the slot that it had."""
    door = Door(Limits(2, per_provider=1, queue_size=9))
    early = Lease()
    assert door.limiter.enter(early, 0.0) is None
    door.placed("a", "x")
    waiting = door.placed("a", "y")
    assert waiting.queued
    assert not door.limiter.acquire(early, "b", "x", 0.0)
    assert door.limiter.join_queue(early, 0.0) is None
    assert (holds(early), door.woken) == (["queued"], [waiting])
    assert holds(waiting) == ["slot", "provider_share"]


def test_a_turn_that_would_come_too_late_is_told_at_once() -> None:
    """By how long slots are held, if only one is lacking; that tells nothing of a share."""
    door = Door(Limits(1, per_provider=1, queue_size=9))
    lease = door.placed("a")
    lease.forwarded = True
    door.limiter.leave(lease, 4.0)
    door.placed("a", now=4.0)
    assert door.come("b", "y", 4.0, patience=3.9)[1] == Refusal("queue_deadline", 4.0, 4.0)
    assert door.come("b", "y", 4.0, patience=4.0)[1] is None
    assert door.come("c", "y", 4.0, patience=7.0)[1] == Refusal("queue_deadline", 8.0, 8.0)
    assert door.come("c", "x", 4.0, patience=0.1)[1] is None


def test_a_request_that_did_not_go_up_tells_no_pace() -> None:
    """One that was refused has held its slot for no reason that will come again."""
    door = Door(Limits(1, queue_size=9))
    door.limiter.leave(door.placed("a"), 4.0)
    assert door.limiter.statistics(4.0).pace is None


def test_in_an_outage_turns_come_as_fast_as_requests_fail() -> None:
    """What went up and failed tells how long slots are held, as what was answered does."""
    door = Door(Limits(1, queue_size=9))
    line = [door.placed("a"), door.placed("a"), door.placed("a")]
    for tick in range(1, 40):
        line[0].forwarded = True
        door.limiter.leave(line.pop(0), tick / 10)
        line.append(door.placed("a", now=tick / 10))
    assert door.come("b", now=3.9, patience=0.05)[1] == pytest.approx(
        Refusal("queue_deadline", 0.2, 0.2), abs=1e-6
    )
    assert door.come("b", now=3.9, patience=0.5)[1] is None


def test_what_was_refused_after_its_turn_lets_the_next_one_go() -> None:
    """A slot that was given back is free, and the late holder of before is forgotten."""
    door = Door(Limits(1, queue_size=9))
    first = door.placed("a")
    first.forwarded = True
    line = [first, door.placed("a"), door.placed("a")]
    door.limiter.leave(first, 1.0)
    door.limiter.leave(line[1], 31.0)  # held for long, and refused
    assert door.limiter.statistics(31.0).pace == 1.0
    assert door.come("b", now=31.0, patience=1.0)[1] is None


@pytest.mark.parametrize(("patience", "until"), [(2.0, 102.0), (10.0, 110.0), (math.inf, 110.0)])
def test_a_wait_ends(patience: float, until: float) -> None:
    """With the request's own patience or the queue's timeout, whichever is shorter, from when it began."""
    door = Door(Limits(1, queue_size=9))
    door.placed("a")
    assert door.come("b", now=100.0, patience=patience)[0].deadline == until


def test_no_turn_is_expected_behind_the_timeout() -> None:
    """The queue's timeout bounds what may be expected, however patient a request is."""
    door = Door(Limits(1, queue_size=9, queue_timeout=3.0))
    first = door.placed("a")
    first.forwarded = True
    door.limiter.leave(first, 4.0)
    door.placed("a", now=4.0)
    assert door.come("b", now=4.0)[1] == Refusal("queue_deadline", 4.0, 4.0)


def test_a_quiet_hour_makes_no_wait_long() -> None:
    """Only what is held tells when a slot becomes free, not how long ago the last one did."""
    door = Door(Limits(1, queue_size=9))
    first = door.placed("a")
    first.forwarded = True
    door.limiter.leave(first, 1.0)
    for now in (3600.0, 7200.0):
        holder, waiting = door.placed("a", now=now), door.placed("b", now=now)
        assert waiting.queued
        assert door.limiter.statistics(now).pace == 1.0
        assert door.come("c", now=now, patience=1.5)[1] == Refusal("queue_deadline", 2.0, 2.0)
        for lease in (waiting, holder):
            door.limiter.leave(lease, now)


def test_the_pace_is_of_how_long_a_place_was_held() -> None:
    """From its claim or its turn, not from its coming: a wait is no service."""
    door = Door(Limits(1, queue_size=9))
    first = door.placed("a", now=10.0)
    second = door.placed("a", now=11.0)
    first.forwarded = second.forwarded = True
    door.limiter.leave(first, 14.0)
    assert door.limiter.statistics(14.0).pace == 1 / 4
    door.limiter.leave(second, 16.0)
    assert door.limiter.statistics(16.0).pace == 1 / 2


def test_who_is_pushed_out_is_woken_and_waits_no_longer() -> None:
    """At once, holding nothing; what it is told is that the queue is full."""
    door = Door(Limits(1, queue_size=2))
    door.placed("a")
    older, younger = door.placed("b"), door.placed("b")
    assert door.placed("c").queued
    assert door.woken == [younger]
    assert (younger.pushed_out, holds(younger), older.queued) == (True, [], True)
    assert door.limiter.refusal_after_wait(younger, 0.0) == Refusal("queue_full", 1.0)


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
    assert door.limiter.enter(Lease(), 0.0) == refusal


def test_what_waits_for_a_share_has_spent_none_of_its_rate() -> None:
    """It was counted when it came, and is not while it queued: another request of its caller goes instead."""
    door = Door(Limits(9, per_provider=1, queue_size=9), rate=1)
    first = door.placed("b", "x")
    waiting = door.placed("a", "x")
    assert (holds(waiting), waiting.charged_at) == (["queued"], None)
    other = door.placed("a", "y")
    assert (other.queued, other.charged_at) == (False, 0.0)
    door.limiter.leave(first, 0.5)  # its share is free, its rate not yet
    assert waiting.queued
    door.let_pass(0.5, 1.0)
    assert (waiting.queued, waiting.charged_at) == (False, 1.0)


def test_a_full_queue_tells_when_there_is_room() -> None:
    """When one of those that wait will have left it: by its turn, or because it can't wait any longer."""
    door = Door(Limits(1, queue_size=2, queue_timeout=1e9))
    first = door.placed("a")
    door.placed("b")
    door.placed("c")
    assert door.come("d")[1] == Refusal("queue_full", 1.0)  # unknown
    first.forwarded = True
    door.limiter.leave(first, 3.0)
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
        first.forwarded = True
        door.limiter.leave(first, 0.01)
        for _ in range(3):
            door.placed("a", now=1.0)
        assert door.come("a", now=1.25)[1] == Refusal("queue_full", wait)
    shared = Door(Limits(9, per_caller=1, queue_size=1))
    shared.placed("a").forwarded = True
    shared.placed("a")
    assert shared.come("a", now=1.0)[1] == Refusal("queue_full", 1.0)


def test_who_left_in_the_moment_of_its_turn_is_not_counted() -> None:
    """The next one of its caller has that turn."""
    door = Door(Limits(9, queue_size=9), rate=1)
    _, gone, other = [door.placed("a") for _ in range(3)]
    door.limiter.advance(1.0)
    assert (gone.queued, other.queued) == (False, True)
    door.limiter.uncharge_rate(gone)
    door.limiter.leave(gone, 1.0)
    assert (other.queued, other.charged_at) == (False, 1.0)
    assert door.rate
    assert not door.rate.allows("a", 1.9)


def test_who_waited_in_vain_is_told_when_its_turn_would_come() -> None:
    """If it came again at once: behind the others that wait, and not behind itself."""
    door = Door(Limits(1, queue_size=9, queue_timeout=100.0))
    first = door.placed("a")
    first.forwarded = True
    line = [door.placed("b"), door.placed("c"), door.placed("c")]
    door.limiter.leave(first, 4.0)
    assert [lease.queued for lease in line] == [False, True, True]
    assert door.limiter.refusal_after_wait(line[1], 5.0) == Refusal("queue_timeout", 3.0 + 4.0)
    assert Door(Limits(1, queue_size=9)).limiter.next_due() == math.inf


def test_a_limit_in_shadow_says_what_it_would_have_done() -> None:
    """Who lacked it is in, holds nothing of it, and the next is counted as if it had not come."""
    door = Door(Limits(1, per_caller=1), frozenset({"capacity", "caller_capacity"}))
    first, second = door.placed("a"), door.placed("a")
    assert (second.slot, second.caller_share, second.shadowed) == (False, False, ("capacity", "caller_capacity"))
    door.limiter.leave(first, 0.0)
    third = door.placed("a")
    assert (third.slot, third.caller_share, third.shadowed) == (True, True, ())


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
                lease, refusal = door.come(*event)
                assert not (refusal and shadow), "a limit in shadow refuses nobody"
                came.append(not (refusal or lease.shadowed))
                inside.append(lease)
            elif event[0] < len(inside):  # who was refused has left before
                door.limiter.leave(inside[event[0]], 0.0)
        return came

    assert fates(frozenset({"capacity", "caller_capacity", "provider_capacity"})) == fates(frozenset())


@given(st.lists(st.sampled_from("ab"), max_size=12))
def test_nobody_waits_for_a_slot_in_shadow(callers: list[str]) -> None:
    """Who queued for another limit needs no slot for its turn."""
    door = Door(Limits(1, per_caller=1, queue_size=99), frozenset({"capacity"}))
    holders = {caller: door.placed(caller) for caller in "ab"}
    line = [door.placed(caller) for caller in callers]
    assert all(lease.queued for lease in line)
    for lease in line:
        door.limiter.leave(holders[str(lease.caller)], 0.0)
        assert not lease.queued
        holders[str(lease.caller)] = lease


@pytest.mark.parametrize(
    ("limits", "shadow"),
    [
        (Limits(2, per_caller=1, queue_size=9), "caller_capacity"),
        (Limits(2, per_provider=1, queue_size=9), "provider_capacity"),
    ],
)
def test_a_share_in_shadow_bars_no_turn(limits: Limits, shadow: str) -> None:
    """Who queued for a slot has its turn when one is free, though a share that is only counted is lacking."""
    door = Door(limits, frozenset({shadow}))
    door.placed("a", "x")
    other, waiting = door.placed("b", "y"), door.placed("a", "x")
    assert (waiting.queued, waiting.shadowed) == (True, (shadow,))
    door.limiter.leave(other, 0.0)
    assert door.woken == [waiting]
    assert holds(waiting)[0] == "slot"


def test_who_is_counted_once_is_given_back_once() -> None:
    """To leave twice, or without ever having claimed, changes nothing."""
    door = Door(Limits(1, 1, 1))
    lease = Lease()
    assert door.limiter.enter(lease, 0.0) is None
    for _ in range(2):
        door.limiter.leave(lease, 0.0)
    assert door.slots.held == set()
    assert holds(door.placed("a")) == ["slot", "caller_share", "provider_share"]
    assert repr(lease) == "<Lease idle>"
