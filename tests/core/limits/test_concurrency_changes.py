"""The limiter while its limits change: laws that hold after every step, whatever is in flight and waits."""

from __future__ import annotations

import math
from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from aibridge_trio.core.limits.lease import CallerLimits, Lease, Limits
from aibridge_trio.core.limits.refusals import Refusal
from aibridge_trio.core.terms import ClassTotals, Rate
from tests.support.limiter import CALLERS, PROVIDERS, Harness, held_by

FEW, CLASSES = st.integers(0, 3), ("ci", "people")
RATES = st.none() | st.builds(Rate, st.integers(1, 3), st.sampled_from([0.5, 1.0, 4.0]))
LIMITS = st.builds(
    Limits,
    max_concurrency=st.integers(0, 5),
    per_caller=FEW,
    per_provider=FEW,
    queue_size=st.integers(0, 6),
    queue_timeout=st.just(20.0),
    rate=RATES,
    callers=st.dictionaries(
        st.sampled_from(CALLERS),
        st.builds(CallerLimits, FEW, RATES, low=st.booleans(), class_name=st.sampled_from(["", *CLASSES])),
        max_size=2,
    ),
    classes=st.dictionaries(st.sampled_from(CLASSES), st.builds(ClassTotals, max_concurrency=FEW, rate=RATES)),
    providers=st.dictionaries(st.sampled_from(PROVIDERS), FEW, max_size=1),
)
SHADOWS = st.sampled_from(
    [frozenset[str]()] * 4
    + [frozenset({name}) for name in ("capacity", "caller_capacity", "provider_capacity", "rate_limit")]
)


class Changing(RuleBasedStateMachine):
    """Requests come, wait, move and leave, and all limits change under them."""

    @initialize(limits=LIMITS, shadow=SHADOWS)
    def begin(self, limits: Limits, shadow: frozenset[str]) -> None:
        self.harness = Harness(limits, shadow)
        self.here: list[Lease] = []
        self.now = 0.0
        self.before = Counter[tuple[str, str]]()  # what was held under each limit after the last step
        self.admitted: dict[Lease, float] = {}  # since the last change
        self.earlier: set[Lease] = set()  # admitted before it

    @rule(
        caller=st.sampled_from(CALLERS),
        provider=st.sampled_from([*PROVIDERS, ""]),
        patience=st.sampled_from([1.0, math.inf]),
    )
    def come(self, caller: str, provider: str, patience: float) -> None:
        lease, refusal = self.harness.come(caller, provider, self.now, patience)
        self.joined(lease, refusal)

    def joined(self, lease: Lease, refusal: Refusal | None) -> None:
        if refusal:
            assert held_by(lease) == []
            assert refusal.wait > 0
            if refusal.reason == "caller_capacity":
                limits = self.harness.limits
                total = limits.classes.get(refusal.class_name, ClassTotals()).max_concurrency
                own = limits.callers[lease.caller].max_concurrency if lease.caller in limits.callers else None
                of_caller = limits.per_caller if own is None else own
                assert refusal.limit == (total if refusal.class_name else of_caller) > 0
        else:
            self.here.append(lease)
        for each in [each for each in self.here if each.pushed_out]:
            self.leave(each)

    @rule(data=st.data(), provider=st.sampled_from(PROVIDERS), queues=st.booleans())
    def move(self, data: st.DataObject, provider: str, queues: bool) -> None:
        if not (flying := [each for each in self.here if not each.queued]):
            return
        lease = data.draw(st.sampled_from(flying))
        held = held_by(lease)
        if lease.provider or not queues:
            free = self.harness.limiter.provider_free(provider) or lease.provider == provider
            assert self.harness.limiter.move(lease, provider, self.now) == free
            if not free:
                assert held_by(lease) == held
            return
        refusal = self.harness.limiter.queue_for(lease, PROVIDERS, self.now)
        if refusal or lease.queued:
            self.here.remove(lease)
            if refusal:
                self.harness.limiter.leave(lease, self.now)
            self.joined(lease, refusal)
        else:
            assert lease.provider in PROVIDERS

    @rule(data=st.data())
    def a_request_leaves(self, data: st.DataObject) -> None:
        if self.here:
            self.leave(data.draw(st.sampled_from(self.here)))

    def leave(self, lease: Lease) -> None:
        self.here.remove(lease)
        self.harness.limiter.leave(lease, self.now)
        assert held_by(lease) == []

    @rule(seconds=st.sampled_from([0.25, 0.5, 5.0]))
    def time_passes(self, seconds: float) -> None:
        self.harness.let_pass(self.now, self.now + seconds)
        self.now += seconds

    @rule(limits=LIMITS, shadow=SHADOWS)
    def limits_change(self, limits: Limits, shadow: frozenset[str]) -> None:
        self.count_anew()
        waited = [each for each in self.here if each.queued]
        flying = [each for each in self.here if not each.queued]
        self.harness.apply(limits, shadow, self.now)
        self.before = Counter(key for each in flying for key in self.limits_of(each))
        assert not any(each.queued for each in flying)
        assert not any(each.pushed_out for each in waited), "a change pushes out no request"

    def count_anew(self) -> None:
        """Forget what was admitted: a rate that begins, or looks further back, counts from the change."""
        self.admitted.clear()
        self.earlier = {each for each in self.here if each.charged_at is not None}

    @rule(limits=LIMITS)
    def a_change_and_back_changes_nothing_that_is_held(self, limits: Limits) -> None:
        if any(each.queued for each in self.here) or self.harness.shadow:
            return
        self.count_anew()
        held, before = {each: held_by(each) for each in self.here}, self.harness.limits
        self.harness.apply(limits, frozenset(), self.now)
        self.harness.apply(before, frozenset(), self.now)
        assert {each: held_by(each) for each in self.here} == held

    # Laws

    def limits_of(self, lease: Lease) -> dict[tuple[str, str], int]:
        """Return the limits under which a lease counts; 0 is unlimited."""
        limits = self.harness.limits
        own = limits.callers.get(lease.caller)
        total = limits.classes.get(own.class_name) if own else None
        return {
            ("slot", ""): limits.max_concurrency,
            ("caller", str(lease.caller)): own.max_concurrency if own else limits.per_caller,
            ("class", own.class_name if own else ""): total.max_concurrency if total else 0,
            ("provider", lease.provider): limits.of_provider(lease.provider) if lease.provider else 0,
        }

    def held(self, lease: Lease, kind: str) -> bool:
        return bool(
            {
                "slot": lease.slot,
                "caller": lease.caller_share,
                "class": lease.class_share,
                "provider": lease.provider_share,
            }[kind]
        )

    @invariant()
    def no_limit_is_exceeded_but_by_what_was_there(self) -> None:
        if not hasattr(self, "harness"):
            return
        reasons = {"slot": "capacity", "caller": "caller_capacity", "class": "caller_capacity"}
        counts, limits = Counter[tuple[str, str]](), dict[tuple[str, str], int]()
        for lease in (each for each in self.here if not each.queued):
            for (kind, key), limit in self.limits_of(lease).items():
                limits[kind, key] = limit
                counts[kind, key] += self.held(lease, kind)
                if limit and reasons.get(kind, "provider_capacity") not in self.harness.shadow:
                    assert self.held(lease, kind), "what is in flight counts"
                if not limit and kind != "slot":
                    assert not self.held(lease, kind)
        for place, count in counts.items():
            assert not limits[place] or count <= max(limits[place], self.before[place]), place
        flying = Counter(key for each in self.here if not each.queued for key in self.limits_of(each))
        self.before = flying  # also under a limit that was none: it counts all of them when it begins

    @invariant()
    def a_queued_lease_holds_nothing(self) -> None:
        if not hasattr(self, "harness"):
            return
        waiting = [lease for lease in self.here if lease.queued]
        assert len(waiting) == self.harness.limiter.statistics(self.now).waiting
        assert all(held_by(lease) == ["queued"] and lease.charged_at is None for lease in waiting)
        assert self.harness.slots.held == {lease for lease in self.here if lease.slot}

    @invariant()
    def nothing_is_free_that_a_queued_lease_could_use(self) -> None:
        if not hasattr(self, "harness"):
            return
        shadow, rates = self.harness.shadow, self.harness.limiter.rates
        counts = Counter(
            key for each in self.here if not each.queued for key in self.limits_of(each) if self.held(each, key[0])
        )
        for lease in (each for each in self.here if each.queued):
            limits = self.limits_of(lease)
            full = {kind for (kind, key), limit in limits.items() if limit and counts[kind, key] >= limit}
            lane = [(counts["provider", name], self.harness.limits.of_provider(name)) for name in lease.lane]
            bars = [
                "slot" in full and "capacity" not in shadow,
                bool(full & {"caller", "class"}) and "caller_capacity" not in shadow,
                bool(lane)
                and all(0 < most <= count for count, most in lane)
                and "provider_capacity" not in shadow,
                not rates.allows(lease.caller, self.now) and "rate_limit" not in shadow,
            ]
            assert any(bars), "a lease is queued though nothing is missing"

    @invariant()
    def no_span_has_more_than_its_rate(self) -> None:
        if not hasattr(self, "harness") or "rate_limit" in self.harness.shadow:
            return
        for lease in self.here:
            if lease.charged_at is None:
                self.admitted.pop(lease, None)
                self.earlier.discard(lease)
            elif lease not in self.earlier and lease not in self.admitted:
                self.admitted[lease] = lease.charged_at
        limits = self.harness.limits
        for name in CALLERS:
            own = limits.callers.get(name)
            self.check_rate(own.rate if own else limits.rate, {name})
        for name, total in limits.classes.items():
            self.check_rate(total.rate, {key for key, each in limits.callers.items() if each.class_name == name})

    def check_rate(self, rate: Rate | None, callers: set[str]) -> None:
        times = [at for lease, at in self.admitted.items() if lease.caller in callers]
        for until in times:
            assert rate is None or sum(until - rate.span < at <= until for at in times) <= rate.amount

    @invariant()
    def a_woken_lease_has_its_turn_or_was_pushed_out(self) -> None:
        if hasattr(self, "harness"):
            assert not any(
                lease.queued for lease in self.here if lease in self.harness.woken[-20:] and not lease.choice
            )


def test_the_laws_hold_while_limits_change() -> None:
    """Limits by key and in all are kept, changes lose and free nothing, and no turn is missed."""
    run_state_machine_as_test(Changing, settings=settings(max_examples=150, stateful_step_count=40, deadline=None))
