"""The limiter: laws that hold after every step of any sequence of requests."""

from __future__ import annotations

import math

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from aibridge_trio.core.limits.lease import Lease, Limits
from aibridge_trio.core.limits.refusals import Refusal
from tests.support.limiter import CALLERS, PROVIDERS, SHADOWS, Harness, held_by


class Machine(RuleBasedStateMachine):
    """Requests arrive, queue, are served and time out; the laws are checked after each step."""

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
        self.harness = Harness(limits, frozenset(shadow), rate if queue else 0)
        self.admitted: dict[Lease, float] = {}
        self.entered: list[Lease] = []
        self.here: list[Lease] = []
        self.now = 0.0

    @rule()
    def enter(self) -> None:
        lease = Lease()
        if refusal := self.harness.limiter.enter(lease, self.now):
            assert refusal.reason == "capacity"
            assert held_by(lease) == []
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
        self.check(lease, self.harness.claim(lease, caller, provider, self.now, patience), patience, before)

    @precondition(lambda self: self.entered)
    @rule(data=st.data())
    def a_request_is_rejected_for_another_reason(self, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from(self.entered))
        self.entered.remove(lease)
        self.harness.limiter.leave(lease, self.now)
        assert held_by(lease) == []

    @rule(
        caller=st.sampled_from(CALLERS),
        provider=st.sampled_from(PROVIDERS),
        patience=st.sampled_from([1.0, math.inf]),
    )
    def come(self, caller: str, provider: str, patience: float) -> None:
        before = [lease for lease in self.here if lease.queued]
        lease, refusal = self.harness.come(caller, provider, self.now, patience)
        self.check(lease, refusal, patience, before)

    def check(self, lease: Lease, refusal: Refusal | None, patience: float, before: list[Lease]) -> None:
        if refusal:
            assert held_by(lease) == []
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
            assert self.harness.limiter.refusal_after_wait(each, self.now).reason == "queue_full"
            self.leave(each)

    @rule(data=st.data(), served=st.booleans())
    def a_request_leaves(self, data: st.DataObject, served: bool) -> None:
        if self.here:
            lease = data.draw(st.sampled_from(self.here))
            lease.forwarded = served and not lease.queued
            self.leave(lease)

    def leave(self, lease: Lease) -> None:
        self.here.remove(lease)
        self.harness.limiter.leave(lease, self.now)
        assert held_by(lease) == []
        self.harness.limiter.leave(lease, self.now)

    @rule(seconds=st.sampled_from([0.25, 0.5, 5.0]))
    def time_passes(self, seconds: float) -> None:
        self.harness.let_pass(self.now, self.now + seconds)
        self.now += seconds

    @rule()
    def waits_time_out(self) -> None:
        for lease in [each for each in self.here if each.queued and each.deadline <= self.now]:
            assert self.harness.limiter.refusal_after_wait(lease, self.now).reason == "queue_timeout"
            self.leave(lease)

    @invariant()
    def limits_hold(self) -> None:
        if not hasattr(self, "harness"):
            return
        limits, shadow = self.harness.limits, self.harness.shadow
        inside = [lease for lease in self.here if not lease.queued]
        assert self.harness.slots.held == {lease for lease in [*inside, *self.entered] if lease.slot}
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
    def a_queued_lease_holds_nothing(self) -> None:
        if not hasattr(self, "harness"):
            return
        waiting = [lease for lease in self.here if lease.queued]
        assert len(waiting) == self.harness.limiter.statistics(self.now).waiting <= self.harness.limits.queue_size
        assert all(held_by(lease) == ["queued"] for lease in waiting)

    @invariant()
    def nothing_is_free_that_a_queued_lease_could_use(self) -> None:
        if not hasattr(self, "harness"):
            return
        limits, shadow = self.harness.limits, self.harness.shadow
        inside = [lease for lease in self.here if not lease.queued]
        for lease in (each for each in self.here if each.queued):
            bars = [
                limits.max_concurrency and len(self.harness.slots.held) >= limits.max_concurrency and "capacity",
                limits.per_caller
                and sum(each.caller == lease.caller and each.caller_share for each in inside) >= limits.per_caller
                and "caller_capacity",
                limits.per_provider
                and sum(each.provider == lease.provider and each.provider_share for each in inside)
                >= limits.per_provider
                and "provider_capacity",
                self.harness.rate and not self.harness.rate.allows(lease.caller, self.now) and "rate_limit",
            ]
            assert {bar for bar in bars if bar} - shadow, "a lease is queued though nothing is missing"

    @invariant()
    def no_second_holds_more_than_the_rate(self) -> None:
        if not (hasattr(self, "harness") and self.harness.rate):
            return
        for lease in self.here:
            assert (lease.charged_at is None) == lease.queued, "a lease is either counted or queued"
            if lease.charged_at is not None:
                self.admitted[lease] = lease.charged_at
        budget = self.harness.rate.budget("", 0.0)
        assert budget
        most = budget.limit
        for lease, at in self.admitted.items():
            mine = [each for other, each in self.admitted.items() if other.caller == lease.caller]
            assert sum(at - 1 < each <= at for each in mine) <= most

    @invariant()
    def no_request_overtakes_an_older_one_of_its_caller(self) -> None:
        if not hasattr(self, "harness"):
            return
        waiting = [lease for lease in self.here if lease.queued]
        for lease in (each for each in self.here if each in self.harness.woken and not each.pushed_out):
            older = self.here[: self.here.index(lease)]
            like = [each for each in older if (each.caller, each.provider) == (lease.caller, lease.provider)]
            assert not any(each in waiting for each in like)

    @invariant()
    def a_woken_lease_has_its_turn_or_was_pushed_out(self) -> None:
        if not hasattr(self, "harness"):
            return
        assert not any(lease.queued for lease in self.harness.woken)
        assert len(self.harness.woken) == len(set(self.harness.woken)), "woken twice"
        waited = {lease for lease in self.here if lease.deadline and not lease.queued}
        assert waited <= set(self.harness.woken), "it got its turn without being woken"


def test_the_laws_hold_after_every_step() -> None:
    """Limits are kept, queued leases hold nothing, and nothing is free that a queued lease could use."""
    run_state_machine_as_test(Machine, settings=settings(max_examples=200, stateful_step_count=40, deadline=None))
