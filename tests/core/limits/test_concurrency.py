"""The limiter: slots, shares, rate and queue composed."""

from __future__ import annotations

import math
from collections.abc import Hashable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.limits.lease import CallerLimits, Lease, Limits
from aibridge_trio.core.limits.refusals import Refusal
from aibridge_trio.core.terms import ClassTotals, Rate
from tests.support.limiter import PROVIDERS, Harness, held_by


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(1), "capacity"),
        (Limits(9, per_caller=1), "caller_capacity"),
        (Limits(9, per_provider=1), "provider_capacity"),
    ],
)
def test_without_a_queue_a_request_that_lacks_something_is_refused(limits: Limits, reason: str) -> None:
    """It is to come back after a second, because a slot or share may be released at any moment."""
    harness = Harness(limits)
    harness.placed("a")
    limit = limits.per_caller
    assert harness.come("a")[1] == Refusal(reason, 1.0, limit=limit)  # type: ignore[arg-type]
    if reason != "capacity":
        harness.placed("b", "y")


def test_what_is_given_back_goes_to_the_next_in_turn() -> None:
    """At the same moment: a new request finds nothing free."""
    harness = Harness(Limits(1, queue_size=9))
    first, second, third = harness.placed("a"), harness.placed("a"), harness.placed("b")
    assert (second.queued, third.queued) == (True, True)
    harness.limiter.leave(first, 1.0)
    assert harness.woken == [second]
    assert harness.placed("c").queued
    harness.limiter.leave(second, 2.0)
    assert harness.woken == [second, third]


def test_a_slot_that_became_free_meanwhile_is_taken() -> None:
    """A lease that entered without a slot acquires one that was released since, instead of queueing."""
    harness = Harness(Limits(1, queue_size=9))
    first, late = harness.placed("a"), Lease()
    assert harness.limiter.enter(late, 0.0) is None
    harness.limiter.leave(first, 1.0)
    assert harness.limiter.acquire(late, "b", "x", 1.0)
    assert held_by(late) == ["slot"]


def test_a_slot_given_back_by_a_lease_that_queues_goes_to_the_next() -> None:
    """A lease that entered with a slot, but queues for a share, does not keep the slot from other leases."""
    harness = Harness(Limits(2, per_provider=1, queue_size=9))
    early = Lease()
    assert harness.limiter.enter(early, 0.0) is None
    harness.placed("a", "x")
    waiting = harness.placed("a", "y")
    assert waiting.queued
    assert not harness.limiter.acquire(early, "b", "x", 0.0)
    assert harness.limiter.join_queue(early, 0.0) is None
    assert (held_by(early), harness.woken) == (["queued"], [waiting])
    assert held_by(waiting) == ["slot", "provider_share"]


def test_a_turn_expected_too_late_is_refused_at_once() -> None:
    """Only where a slot is all that is missing: hold times say nothing about when a share is released."""
    harness = Harness(Limits(1, per_provider=1, queue_size=9))
    lease = harness.placed("a")
    lease.forwarded = True
    harness.limiter.leave(lease, 4.0)
    harness.placed("a", now=4.0)
    assert harness.come("b", "y", 4.0, patience=3.9)[1] == Refusal("queue_deadline", 4.0, 4.0)
    assert harness.come("b", "y", 4.0, patience=4.0)[1] is None
    assert harness.come("c", "y", 4.0, patience=7.0)[1] == Refusal("queue_deadline", 8.0, 8.0)
    assert harness.come("c", "x", 4.0, patience=0.1)[1] is None


def test_a_request_that_did_not_go_upstream_is_no_sample() -> None:
    """How long a refused request held its slot does not count for the pace."""
    harness = Harness(Limits(1, queue_size=9))
    harness.limiter.leave(harness.placed("a"), 4.0)
    assert harness.limiter.statistics(4.0).pace is None


def test_in_an_outage_turns_come_as_fast_as_requests_fail() -> None:
    """Requests that failed upstream are samples of the hold time like those that were answered."""
    harness = Harness(Limits(1, queue_size=9))
    line = [harness.placed("a"), harness.placed("a"), harness.placed("a")]
    for tick in range(1, 40):
        line[0].forwarded = True
        harness.limiter.leave(line.pop(0), tick / 10)
        line.append(harness.placed("a", now=tick / 10))
    assert harness.come("b", now=3.9, patience=0.05)[1] == pytest.approx(
        Refusal("queue_deadline", 0.2, 0.2), abs=1e-6
    )
    assert harness.come("b", now=3.9, patience=0.5)[1] is None


def test_what_was_refused_after_its_turn_lets_the_next_one_go() -> None:
    """A slot that was given back is free, and the late holder of before is forgotten."""
    harness = Harness(Limits(1, queue_size=9))
    first = harness.placed("a")
    first.forwarded = True
    line = [first, harness.placed("a"), harness.placed("a")]
    harness.limiter.leave(first, 1.0)
    harness.limiter.leave(line[1], 31.0)  # held for long, and refused
    assert harness.limiter.statistics(31.0).pace == 1.0
    assert harness.come("b", now=31.0, patience=1.0)[1] is None


@pytest.mark.parametrize(("patience", "until"), [(2.0, 102.0), (10.0, 110.0), (math.inf, 110.0)])
def test_a_wait_ends(patience: float, until: float) -> None:
    """After the request's own maximum or the queue's timeout, whichever is shorter."""
    harness = Harness(Limits(1, queue_size=9))
    harness.placed("a")
    assert harness.come("b", now=100.0, patience=patience)[0].deadline == until


def test_no_turn_is_expected_behind_the_timeout() -> None:
    """The queue's timeout bounds what may be expected, however patient a request is."""
    harness = Harness(Limits(1, queue_size=9, queue_timeout=3.0))
    first = harness.placed("a")
    first.forwarded = True
    harness.limiter.leave(first, 4.0)
    harness.placed("a", now=4.0)
    assert harness.come("b", now=4.0)[1] == Refusal("queue_deadline", 4.0, 4.0)


def test_a_quiet_hour_makes_no_wait_long() -> None:
    """The estimate rests on the held slots, not on how long ago the last one was released."""
    harness = Harness(Limits(1, queue_size=9))
    first = harness.placed("a")
    first.forwarded = True
    harness.limiter.leave(first, 1.0)
    for now in (3600.0, 7200.0):
        holder, waiting = harness.placed("a", now=now), harness.placed("b", now=now)
        assert waiting.queued
        assert harness.limiter.statistics(now).pace == 1.0
        assert harness.come("c", now=now, patience=1.5)[1] == Refusal("queue_deadline", 2.0, 2.0)
        for lease in (waiting, holder):
            harness.limiter.leave(lease, now)


def test_the_pace_counts_from_the_acquire() -> None:
    """A slot's hold time begins with the acquire or the turn: the wait in the queue is not in it."""
    harness = Harness(Limits(1, queue_size=9))
    first = harness.placed("a", now=10.0)
    second = harness.placed("a", now=11.0)
    first.forwarded = second.forwarded = True
    harness.limiter.leave(first, 14.0)
    assert harness.limiter.statistics(14.0).pace == 1 / 4
    harness.limiter.leave(second, 16.0)
    assert harness.limiter.statistics(16.0).pace == 1 / 2


def test_a_pushed_out_lease_is_woken_and_no_longer_queued() -> None:
    """At once, and it holds nothing; its refusal is that the queue is full."""
    harness = Harness(Limits(1, queue_size=2))
    harness.placed("a")
    older, younger = harness.placed("b"), harness.placed("b")
    assert harness.placed("c").queued
    assert harness.woken == [younger]
    assert (younger.pushed_out, held_by(younger), older.queued) == (True, [], True)
    assert harness.limiter.refusal_after_wait(younger, 0.0) == Refusal("queue_full", 1.0)


@pytest.mark.parametrize(
    ("limits", "shadow", "refusal"),
    [
        (Limits(1), "", Refusal("capacity", 1.0)),
        (Limits(1, queue_size=1), "", None),
        (Limits(1), "capacity", None),
    ],
)
def test_enter_refuses_only_where_no_request_may_queue(
    limits: Limits, shadow: str, refusal: Refusal | None
) -> None:
    """Without a free slot, a queue or shadow `enter` refuses; with one of them `acquire` and the queue decide."""
    harness = Harness(limits, frozenset({shadow}))
    harness.placed("a")
    assert harness.limiter.enter(Lease(), 0.0) == refusal


def test_what_waits_for_a_share_has_spent_none_of_its_rate() -> None:
    """A queued request is not counted against its caller's rate: another request of the caller can go."""
    harness = Harness(Limits(9, per_provider=1, queue_size=9), rate=1)
    first = harness.placed("b", "x")
    waiting = harness.placed("a", "x")
    assert (held_by(waiting), waiting.charged_at) == (["queued"], None)
    other = harness.placed("a", "y")
    assert (other.queued, other.charged_at) == (False, 0.0)
    harness.limiter.leave(first, 0.5)  # its share is free, its rate not yet
    assert waiting.queued
    harness.let_pass(0.5, 1.0)
    assert (waiting.queued, waiting.charged_at) == (False, 1.0)


def test_a_full_queue_names_when_it_has_space() -> None:
    """When the first queued lease is expected to leave, by its turn or at its deadline."""
    harness = Harness(Limits(1, queue_size=2, queue_timeout=1e9))
    first = harness.placed("a")
    harness.placed("b")
    harness.placed("c")
    assert harness.come("d")[1] == Refusal("queue_full", 1.0)  # unknown
    first.forwarded = True
    harness.limiter.leave(first, 3.0)
    harness.placed("d", now=3.0)
    assert harness.come("e", now=3.0)[1] == Refusal("queue_full", 3.0)
    assert harness.come("e", now=5.0)[1] == Refusal("queue_full", 1.0)
    assert harness.come("e", now=6.0)[1] == Refusal("queue_full", 0.1)  # due, which is no certainty
    assert harness.come("e", now=16.0)[1] == Refusal("queue_full", 10.0)  # as long again as it is late
    assert harness.come("e", now=1000.0)[1] == Refusal("queue_full", 60.0)
    impatient = Harness(Limits(1, queue_size=1, queue_timeout=5.0))
    impatient.placed("a")
    impatient.placed("b", now=1.0)
    assert impatient.come("c", now=5.5)[1] == Refusal("queue_full", 0.5)


def test_a_full_queue_with_free_slots_has_space_when_the_rate_admits_one() -> None:
    """Where slots are free the rate decides; with shares it may be at any moment."""
    for limits, wait in ((Limits(9, queue_size=2), 0.75), (Limits(9, 9, queue_size=2), 0.75)):
        harness = Harness(limits, rate=1)
        first = harness.placed("b")
        first.forwarded = True
        harness.limiter.leave(first, 0.01)
        for _ in range(3):
            harness.placed("a", now=1.0)
        assert harness.come("a", now=1.25)[1] == Refusal("queue_full", wait)
    shared = Harness(Limits(9, per_caller=1, queue_size=1))
    shared.placed("a").forwarded = True
    shared.placed("a")
    assert shared.come("a", now=1.0)[1] == Refusal("queue_full", 1.0)


def test_a_request_that_left_at_its_turn_is_not_counted() -> None:
    """The next queued request of its caller gets that turn."""
    harness = Harness(Limits(9, queue_size=9), rate=1)
    _, gone, other = [harness.placed("a") for _ in range(3)]
    harness.limiter.advance(1.0)
    assert (gone.queued, other.queued) == (False, True)
    harness.limiter.uncharge_rate(gone)
    harness.limiter.leave(gone, 1.0)
    assert (other.queued, other.charged_at) == (False, 1.0)
    assert harness.rate
    assert not harness.rate.allows("a", 1.9)


def test_a_timed_out_request_gets_the_time_of_its_next_turn() -> None:
    """As if it came again at once: behind the queued requests, but not behind itself."""
    harness = Harness(Limits(1, queue_size=9, queue_timeout=100.0))
    first = harness.placed("a")
    first.forwarded = True
    line = [harness.placed("b"), harness.placed("c"), harness.placed("c")]
    harness.limiter.leave(first, 4.0)
    assert [lease.queued for lease in line] == [False, True, True]
    assert harness.limiter.refusal_after_wait(line[1], 5.0) == Refusal("queue_timeout", 3.0 + 4.0)
    assert Harness(Limits(1, queue_size=9)).limiter.next_due() == math.inf


def test_a_limit_in_shadow_says_what_it_would_have_done() -> None:
    """A request that lacks it goes on and holds none of it: the next one is counted as without that request."""
    harness = Harness(Limits(1, per_caller=1), frozenset({"capacity", "caller_capacity"}))
    first, second = harness.placed("a"), harness.placed("a")
    assert (second.slot, second.caller_share, second.shadowed) == (False, False, ("capacity", "caller_capacity"))
    harness.limiter.leave(first, 0.0)
    third = harness.placed("a")
    assert (third.slot, third.caller_share, third.shadowed) == (True, True, ())


@pytest.mark.parametrize(
    "limits",
    [Limits(2), Limits(99, per_caller=2), Limits(99, per_provider=2)],
    ids=["slots", "caller", "provider"],
)
@given(
    events=st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from(PROVIDERS)) | st.integers(0, 20).map(lambda n: (n,)),
        max_size=40,
    )
)
def test_a_limit_in_shadow_judges_as_it_would_without_shadow(
    limits: Limits, events: list[tuple[str, str] | tuple[int]]
) -> None:
    """The requests marked as shadowed are exactly those that would be refused without shadow."""

    def fates(shadow: frozenset[str]) -> list[bool]:
        harness, came, inside = Harness(limits, shadow), list[bool](), list[Lease]()
        for event in events:
            if len(event) == 2:
                lease, refusal = harness.come(*event)
                assert not (refusal and shadow), "a limit in shadow refused a request"
                came.append(not (refusal or lease.shadowed))
                inside.append(lease)
            elif event[0] < len(inside):  # a refused request has left before
                harness.limiter.leave(inside[event[0]], 0.0)
        return came

    assert fates(frozenset({"capacity", "caller_capacity", "provider_capacity"})) == fates(frozenset())


@given(st.lists(st.sampled_from("ab"), max_size=12))
def test_no_request_waits_for_a_slot_in_shadow(callers: list[str]) -> None:
    """A request that queues for another limit needs no slot for its turn."""
    harness = Harness(Limits(1, per_caller=1, queue_size=99), frozenset({"capacity"}))
    holders = {caller: harness.placed(caller) for caller in "ab"}
    line = [harness.placed(caller) for caller in callers]
    assert all(lease.queued for lease in line)
    for lease in line:
        harness.limiter.leave(holders[str(lease.caller)], 0.0)
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
    """A request that queues for a slot gets its turn with one, though it lacks a share that is in shadow."""
    harness = Harness(limits, frozenset({shadow}))
    harness.placed("a", "x")
    other, waiting = harness.placed("b", "y"), harness.placed("a", "x")
    assert (waiting.queued, waiting.shadowed) == (True, (shadow,))
    harness.limiter.leave(other, 0.0)
    assert harness.woken == [waiting]
    assert held_by(waiting)[0] == "slot"


def test_a_lease_is_given_back_once() -> None:
    """To leave twice, or without an acquire, changes nothing."""
    harness = Harness(Limits(1, 1, 1))
    lease = Lease()
    assert harness.limiter.enter(lease, 0.0) is None
    for _ in range(2):
        harness.limiter.leave(lease, 0.0)
    assert harness.slots.held == set()
    assert held_by(harness.placed("a")) == ["slot", "caller_share", "provider_share"]
    assert repr(lease) == "<Lease idle>"


def test_a_lease_that_left_returns_in_turn_with_queued_ones() -> None:
    """What is given back is offered first, and the next time after the queue; the rate counts no lease again."""
    limits = Limits(max_concurrency=1, per_caller=1, per_provider=1, queue_size=5)
    harness = Harness(limits)
    limiter, away = harness.limiter, Lease()
    limiter.enter(away, 0.0)
    assert limiter.acquire(away, "a", "x", 0.0)
    limiter.leave(away, 1.0)
    assert limiter.available(away)
    assert limiter.has_free("x")
    other, _ = harness.come("b", now=1.0)
    queued, _ = harness.come("c", now=1.0)
    assert queued.queued
    assert not limiter.return_to(away, 2.0)
    assert not limiter.has_free("x")
    offered: list[tuple[Hashable | None, float]] = []

    def released(caller: Hashable | None, now: float) -> None:
        offered.append((caller, now))
        limiter.return_to(away, now)

    limiter.on_released(released)
    limiter.leave(other, 3.0)
    assert offered == [("b", 3.0)]
    assert held_by(away) == ["slot", "caller_share", "provider_share"]
    assert queued.queued
    limiter.leave(away, 4.0)
    assert held_by(queued) == ["slot", "caller_share", "provider_share"]
    assert held_by(away) == []
    limiter.on_released(lambda *_: None)
    limiter.leave(queued, 5.0)
    assert not harness.slots.held


def test_the_time_of_a_leave_matters_where_another_request_may_gain_by_it() -> None:
    """With a queue, with requests that are held, and for as long as requests wait in a queue that is closed."""
    queue = Harness(Limits(1, queue_size=1), rate=1)
    kept = [Harness(Limits(1)).limiter.keeps_time, queue.limiter.keeps_time]
    first, second = queue.placed("a"), queue.placed("b")
    queue.apply(Limits(1, rate=Rate(1)), frozenset(), 1.0)
    kept.append(queue.limiter.keeps_time)
    queue.limiter.leave(first, 2.0)
    assert (second.queued, second.since) == (False, 2.0)
    queue.apply(Limits(1, rate=Rate(1)), frozenset(), 3.0)
    kept.append(queue.limiter.keeps_time)
    queue.limiter.on_released(lambda *_: None)
    assert [*kept, queue.limiter.keeps_time] == [False, True, True, False, True]


# --- A request whose provider is known later


def test_a_lease_without_a_provider_takes_no_share_of_one() -> None:
    """Until it moves: then it takes a share of that one's limit, and gives it back when it leaves."""
    harness = Harness(Limits(9, per_provider=1))
    lease = harness.placed("a", "")
    assert held_by(lease) == ["slot"]
    harness.placed("b", "x")
    assert not harness.limiter.provider_free("x")
    assert not harness.limiter.move(lease, "x", 0.0)
    assert (lease.provider, held_by(lease)) == ("", ["slot"])
    assert harness.limiter.move(lease, "y", 0.0)
    assert (lease.provider, held_by(lease)) == ("y", ["slot", "provider_share"])
    assert harness.come("c", "y")[1] == Refusal("provider_capacity", 1.0)
    harness.limiter.leave(lease, 0.0)
    harness.placed("c", "y")


def test_a_lease_that_moves_lets_the_next_one_of_its_old_provider_go() -> None:
    """What it gives back goes to the next in turn at once."""
    harness = Harness(Limits(9, per_provider=1, queue_size=9))
    lease, waiting = harness.placed("a", "x"), harness.placed("b", "x")
    assert waiting.queued
    assert harness.limiter.move(lease, "y", 0.0)
    assert (harness.woken, held_by(waiting)) == ([waiting], ["slot", "provider_share"])


def test_a_lease_that_queues_for_one_of_several_providers_gets_the_first_that_is_free() -> None:
    """Meanwhile it holds nothing, and is not counted against its rate."""
    harness = Harness(Limits(9, per_caller=1, per_provider=1, queue_size=9), rate=1)
    first, second = harness.placed("b", "x"), harness.placed("c", "y")
    lease = harness.placed("a", "")
    assert harness.limiter.queue_for(lease, ("x", "y"), 0.0) is None
    assert (held_by(lease), lease.charged_at) == (["queued"], None)
    assert harness.placed("a", "z").charged_at == 0.0  # the rate is that one's, and the share
    harness.limiter.leave(second, 1.0)
    assert lease.queued
    harness.limiter.leave(first, 1.0)
    assert lease.queued, "its caller's share is not free"


@pytest.mark.parametrize("free", ["x", "y"])
def test_a_turn_chooses_the_provider(free: str) -> None:
    """The one whose share is free when the turn comes."""
    harness = Harness(Limits(9, per_provider=1, queue_size=9))
    holders = {name: harness.placed("b", name) for name in "xy"}
    lease = harness.placed("a", "")
    assert harness.limiter.queue_for(lease, ("x", "y"), 0.0) is None
    harness.limiter.leave(holders[free], 1.0)
    assert (lease.provider, held_by(lease), harness.woken) == (free, ["slot", "provider_share"], [lease])


def test_a_lease_that_finds_all_providers_full_without_a_queue_is_refused() -> None:
    """With `provider_capacity`, as one whose provider is known from its path."""
    harness = Harness(Limits(9, per_provider=1))
    harness.placed("b", "x")
    lease = harness.placed("a", "")
    assert harness.limiter.queue_for(lease, ("x",), 0.0) == Refusal("provider_capacity", 1.0)
    assert harness.limiter.queue_for(harness.placed("a", ""), ("x", "y"), 0.0) is None


def test_a_full_provider_in_shadow_takes_a_lease_that_moves() -> None:
    """It goes on without a share, and the lease says so."""
    harness = Harness(Limits(9, per_provider=1), frozenset({"provider_capacity"}))
    harness.placed("b", "x")
    lease = harness.placed("a", "")
    assert harness.limiter.move(lease, "x", 0.0)
    assert (held_by(lease), lease.shadowed) == (["slot"], ("provider_capacity",))


def test_a_lease_that_has_left_moves_and_takes_the_share_when_it_returns() -> None:
    """So a held request may go to another provider than the one that pushed it back."""
    harness = Harness(Limits(9, per_provider=1))
    lease = harness.placed("a", "x")
    harness.limiter.leave(lease, 0.0)
    assert harness.limiter.move(lease, "y", 0.0)
    assert held_by(lease) == []
    harness.placed("b", "x")
    assert harness.limiter.return_to(lease, 0.0)
    assert harness.come("c", "y")[1] == Refusal("provider_capacity", 1.0)


def test_a_provider_may_have_a_limit_of_its_own() -> None:
    """In place of the limit of all providers; 0 is unlimited."""
    harness = Harness(Limits(9, per_provider=1, providers={"y": 2, "z": 0}))
    for provider, most in (("x", 1), ("y", 2)):
        for _ in range(most):
            harness.placed("a", provider)
        assert harness.come("a", provider)[1] == Refusal("provider_capacity", 1.0)
    for _ in range(5):
        harness.placed("a", "z")


# --- Known callers and classes

CI = {name: CallerLimits(class_name="ci", low=True) for name in "abc"}


def test_low_priority_gets_one_turn_of_ten() -> None:
    """However many others come, a caller of low priority waits for nine of them at most."""
    harness = Harness(Limits(1, queue_size=50, callers=CI))
    holder = harness.placed("n")
    waiting = [harness.placed("a") for _ in range(3)]
    served = []
    for turn in range(40):
        harness.placed("n" if turn % 2 else "m")
        harness.limiter.leave(holder, float(turn))
        holder = harness.woken[-1]
        served.append(holder in waiting)
    assert [turn for turn, low in enumerate(served) if low] == [9, 19, 29]


def test_turns_within_a_class_go_round_by_caller() -> None:
    """Its total of concurrency and its rate are shared, and one caller's many requests take no other's turn."""
    totals = {"ci": ClassTotals(max_concurrency=2, rate=Rate(2, 10.0))}
    harness = Harness(Limits(9, queue_size=50, queue_timeout=1e9, callers=CI, classes=totals))
    flying = [harness.placed("a") for _ in range(2)]
    line = [harness.placed("a") for _ in range(3)] + [harness.placed("b"), harness.placed("c")]
    assert not harness.placed("n").queued
    for lease in flying:
        harness.limiter.leave(lease, 1.0)
    assert all(lease.queued for lease in line), "the class's rate is used up"
    harness.let_pass(1.0, 10.0)
    assert harness.woken == [line[0], line[3]]
    harness.limiter.leave(line[0], 11.0)
    harness.let_pass(11.0, 20.0)
    assert harness.woken == [line[0], line[3], line[4]]
    harness.limiter.leave(line[3], 20.0)
    assert harness.woken[3:] == [line[1]]


def test_what_refuses_a_caller_is_named() -> None:
    """Its own limit with its number, or its class's."""
    known = {name: CallerLimits(2, class_name="ci") for name in "ab"}
    harness = Harness(Limits(9, per_caller=1, callers=known, classes={"ci": ClassTotals(max_concurrency=3)}))
    for caller in "aab":
        harness.placed(caller)
    assert harness.come("a")[1] == Refusal("caller_capacity", 1.0, limit=2)
    assert harness.come("b")[1] == Refusal("caller_capacity", 1.0, limit=3, class_name="ci")
    harness.placed("c")
    assert harness.come("c")[1] == Refusal("caller_capacity", 1.0, limit=1)


def test_a_class_share_that_is_released_may_be_any_callers() -> None:
    """So held requests of all callers are asked, not only those of the one that left."""
    harness = Harness(Limits(9, callers=CI, classes={"ci": ClassTotals(max_concurrency=1)}))
    offered: list[Hashable | None] = []
    harness.limiter.on_released(lambda caller, _: offered.append(caller))
    for caller in "an":
        harness.limiter.leave(harness.placed(caller), 0.0)
    assert offered == [None, "n"]


# --- Changes


def test_a_raised_limit_gives_turns_at_once() -> None:
    """To as many as it has free, in turn."""
    harness = Harness(Limits(1, queue_size=9))
    harness.placed("a")
    line = [harness.placed(caller) for caller in "aabb"]
    harness.apply(Limits(3, queue_size=9), frozenset(), 1.0)
    assert harness.woken == [line[0], line[2]]
    harness.apply(Limits(0, queue_size=9), frozenset(), 1.0)
    assert harness.woken == [line[0], line[2], line[1], line[3]]


def test_a_lowered_limit_admits_nothing_until_enough_has_left() -> None:
    """What is in flight goes on."""
    harness = Harness(Limits())
    leases = [harness.placed("a") for _ in range(3)]
    harness.apply(Limits(2), frozenset(), 0.0)
    for lease in leases[:2]:
        assert harness.come("b")[1] == Refusal("capacity", 1.0)
        harness.limiter.leave(lease, 0.0)
    harness.placed("b")


def test_without_a_queue_any_more_those_that_wait_go_on_waiting() -> None:
    """Until their deadlines, also for their rate; new ones are refused."""
    rate = Rate(1, 5.0)
    harness = Harness(Limits(9, per_provider=1, queue_size=9, rate=rate))
    harness.placed("a")
    for_rate, for_share = harness.placed("a", "y"), harness.placed("b")
    harness.apply(Limits(9, per_provider=1, rate=rate), frozenset(), 1.0)
    assert (for_rate.queued, for_share.queued) == (True, True)
    assert harness.come("c", now=1.0)[1] == Refusal("provider_capacity", 1.0)
    assert harness.come("a", "z", now=1.0)[1] == Refusal("rate_limit", 4.0, spread=0.0)
    harness.let_pass(1.0, 5.0)
    assert (for_rate.queued, for_rate.charged_at, for_share.queued) == (False, 5.0, True)
    harness.apply(Limits(9), frozenset(), 6.0)
    assert not for_share.queued


def test_a_rate_that_begins_bars_those_that_wait() -> None:
    """They are counted at their turns, and wait for it where it is used up."""
    harness = Harness(Limits(1, queue_size=9))
    holder = harness.placed("b")
    line = [harness.placed("a"), harness.placed("a")]
    harness.apply(Limits(9, queue_size=9, rate=Rate(1, 5.0)), frozenset(), 1.0)
    assert [lease.charged_at for lease in line] == [1.0, None]
    assert harness.limiter.next_due() == 6.0
    harness.apply(Limits(9, queue_size=9), frozenset(), 2.0)
    assert not line[1].queued
    assert harness.limiter.next_due() == math.inf
    harness.limiter.leave(holder, 2.0)


def test_a_lease_that_returns_is_not_counted_again() -> None:
    """Even if there was no rate when it came."""
    harness = Harness(Limits(9, queue_size=9))
    lease = harness.placed("a")
    harness.limiter.leave(lease, 0.0)
    harness.apply(Limits(9, queue_size=9, rate=Rate(1)), frozenset(), 0.0)
    assert harness.limiter.return_to(lease, 0.0)
    assert lease.charged_at is None
    assert harness.placed("a").charged_at == 0.0


def test_priorities_change_for_those_that_wait() -> None:
    """From the next turn on."""
    harness = Harness(Limits(1, queue_size=9))
    first = harness.placed("n")
    low, other = harness.placed("a"), harness.placed("n")
    harness.apply(Limits(1, queue_size=9, callers=CI), frozenset(), 0.0)
    harness.limiter.leave(first, 0.0)
    assert harness.woken == [other]
    harness.limiter.leave(other, 0.0)
    assert harness.woken == [other, low]


def test_the_pace_is_known_after_a_change() -> None:
    """The slots that are held are known to a queue that begins, and hold times stay."""
    harness = Harness(Limits(1))
    lease = harness.placed("a", now=10.0)
    harness.apply(Limits(2, queue_size=9), frozenset(), 11.0)
    lease.forwarded = True
    harness.limiter.leave(lease, 14.0)
    assert harness.limiter.statistics(14.0).pace == 2 / 4
