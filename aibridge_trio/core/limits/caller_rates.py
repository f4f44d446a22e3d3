"""The rates of all callers: the default, those of known callers, and the totals of their classes.

A request of a known caller is admitted if its caller's rate and its class's total admit it, and counts for both.
Known callers and classes are never evicted: there are as many as are configured.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from aibridge_trio.core.limits import store_keys
from aibridge_trio.core.limits.lease import Limits
from aibridge_trio.core.limits.rate import Budget, RateLimiter, RateStats
from aibridge_trio.core.sharing.needs import Use
from aibridge_trio.core.terms import Rate


@dataclass(frozen=True, slots=True)
class OfClass:
    """Stands for all callers of a class, where a time is kept for one caller else."""

    name: str


class _Meter(NamedTuple):
    """One rate that a caller's requests count against, under which key, and of which class ("": its own)."""

    limiter: RateLimiter
    key: Hashable
    class_name: str = ""


_Meters = tuple[_Meter, ...]


class CallerRates:
    """Which requests the rates admit. `now` is in seconds on any monotonic clock, `chance` as in `RateLimiter`."""

    def __init__(self, limits: Limits, chance: Callable[[], float] = lambda: 0.0) -> None:
        self._chance = chance
        self._parts: Callable[[float], int] = _whole
        self._replicas = 1
        self._default: RateLimiter | None = None
        self._by_rate: dict[Rate, RateLimiter] = {}
        self._totals: dict[str, RateLimiter] = {}
        self._known: dict[Hashable, _Meters] = {}
        self.active = False  # whether there is any rate
        self.apply(limits)

    def apply(self, limits: Limits) -> None:
        """Replace the rates. What was admitted stays counted, as far as the rate before remembers it."""
        default, known = self._default, self._known
        self._default = self._renewed(default, limits.rate)
        totals = {name: self._renewed(self._totals.get(name), each.rate) for name, each in limits.classes.items()}
        self._totals = {name: limiter for name, limiter in totals.items() if limiter}
        rates = {each.rate for each in limits.callers.values() if each.rate}
        self._by_rate = {
            rate: self._by_rate.get(rate)
            or RateLimiter(rate, inf, self._chance)  # as many callers as are configured
            for rate in rates
        }
        self._known = {}
        for caller, each in limits.callers.items():
            own = (_Meter(self._by_rate[each.rate], caller),) if each.rate else ()
            total = self._totals.get(each.class_name)
            self._known[caller] = (*own, _Meter(total, each.class_name, each.class_name)) if total else own
        changed: set[RateLimiter] = set()
        for caller in known.keys() | self._known.keys():
            before = _own(known[caller]) if caller in known else default
            after = _own(self._known[caller]) if caller in self._known else self._default
            if before is not None and before is not after:
                before.hand_over(caller, after)
                changed |= {after} if after else set()
        for limiter in changed:
            limiter.sort()
        self.active = bool(self._default or self._by_rate or self._totals)
        self.divide(self._parts, self._replicas)

    def charge(self, caller: Hashable, now: float) -> Budget | None:
        """Admit and count one request, or refuse it and give it a turn; None if nothing limits its caller."""
        if not self._known or caller not in self._known:
            return self._default.charge(caller, now) if self._default else None
        meters = self._known[caller]
        if len(meters) == 1 and not meters[0].class_name:
            return meters[0].limiter.charge(caller, now)
        if not self.allows(caller, now):
            return self.refuse(caller, now)
        self.admit(caller, now)
        return self.budget(caller, now)

    def allows(self, caller: Hashable, now: float) -> bool:
        """Return whether one more request of a caller would be admitted."""
        if not self._known or caller not in self._known:  # most are, and this is asked with every request
            return self._default is None or self._default.allows(caller, now)
        return all(limiter.allows(key, now) for limiter, key, _ in self._known[caller])

    def class_allows(self, name: str, now: float) -> bool:
        """Return whether the total of a class admits one more request; true without one."""
        total = self._totals.get(name)
        return total is None or total.allows(name, now)

    def admit(self, caller: Hashable, now: float) -> None:
        """Count one request of a caller, which all its rates must allow."""
        if not self._known or caller not in self._known:
            if self._default:
                self._default.admit(caller, now)
            return
        for limiter, key, _ in self._known[caller]:
            limiter.admit(key, now)

    def refund(self, caller: Hashable, at: float) -> None:
        """Undo the admission of a request that was counted at `at`: it did not go up."""
        for limiter, key, _ in self._meters(caller):
            limiter.refund(key, at)

    def refuse(self, caller: Hashable, now: float, ahead: int = 0) -> Budget | None:
        """Refuse a request by the rate that admits it last, and give it a turn behind `ahead` of its caller."""
        meters = self._meters(caller)
        if not meters:
            return None
        limiter, key, name = max(meters, key=lambda meter: meter.limiter.turn(meter.key, now, ahead))
        return limiter.refuse(key, now, ahead)._replace(class_name=name)

    def turn(self, caller: Hashable, now: float, ahead: int = 0) -> float:
        """Return when one more request of a caller is admitted, if `ahead` others of it go before it."""
        return max((limiter.turn(key, now, ahead) for limiter, key, _ in self._meters(caller)), default=now)

    def barrier(self, caller: Hashable, now: float) -> tuple[Hashable, float] | None:
        """Return whose rate is exhausted, a caller's or its class's, and until when; None if a request may go."""
        for limiter, key, name in self._meters(caller):
            if not limiter.allows(key, now):
                return OfClass(name) if name else caller, limiter.turn(key, now)
        return None

    def class_barrier(self, caller: Hashable, now: float) -> tuple[Hashable, float] | None:
        """Return a caller's class and when its total admits one more request; None if it does now."""
        for limiter, key, name in self._known.get(caller, ()):
            if name and not limiter.allows(key, now):
                return OfClass(name), limiter.turn(key, now)
        return None

    def budget(self, caller: Hashable, now: float) -> Budget | None:
        """Return what is left of a caller's own rate, without one of its class's; None if it has neither."""
        if not self._known or caller not in self._known:
            return self._default.budget(caller, now) if self._default else None
        meters = self._known[caller]
        return meters[0].limiter.budget(meters[0].key, now) if meters else None

    # What replicas share

    def divide(self, parts: Callable[[float], int], replicas: int) -> None:
        """Admit this replica's part of each rate, as one of `parts(span)`; see `RateLimiter.divide`."""
        self._parts, self._replicas = parts, replicas
        for limiter in self._limiters:
            limiter.divide(parts(limiter.rate.span), replicas)

    @property
    def spans(self) -> list[float]:
        """The spans of all rates, in seconds."""
        return sorted({limiter.rate.span for limiter in self._limiters})

    def uses(self, caller: Hashable, *, soft: bool) -> list[Use]:
        """Return what one request of a caller is counted against, as the store counts it: its own rate first."""
        return [
            Use(store_keys.of_rate(key, name), limiter.rate.amount, limiter.rate.span, soft=soft)
            for limiter, key, name in self._meters(caller)
        ]

    def bar(self, caller: Hashable, store_key: str, until: float) -> None:
        """Refuse requests of a caller, or of its class, until then: the store has denied one by this key."""
        for limiter, key, name in self._meters(caller):
            if store_keys.of_rate(key, name) == store_key:
                limiter.bar(key, until)

    def exceeds(self, caller: Hashable, now: float) -> bool:
        """Return whether more was admitted than this replica's part of a rate."""
        return any(limiter.exceeds(key, now) for limiter, key, _ in self._meters(caller))

    @property
    def has_own(self) -> bool:
        """Whether any caller or class has a rate of its own."""
        return bool(self._by_rate or self._totals)

    def statistics(self, now: float) -> RateStats:
        """Return how many callers were admitted within their spans, and how many were evicted."""
        limiters = [*self._by_rate.values(), *([self._default] if self._default else ())]
        found = [each.statistics(now) for each in limiters]
        return RateStats(sum(each.callers for each in found), sum(each.evictions for each in found))

    def __repr__(self) -> str:
        return f"<CallerRates {self._default!r} own={len(self._by_rate)} totals={len(self._totals)}>"

    @property
    def _limiters(self) -> list[RateLimiter]:
        default = [self._default] if self._default else []
        return [*default, *self._by_rate.values(), *self._totals.values()]

    def _meters(self, caller: Hashable) -> _Meters:
        """Return the rates that a caller's requests count against, its own first."""
        known = self._known.get(caller)
        if known is None:
            return (_Meter(self._default, caller),) if self._default else ()
        return known

    def _renewed(self, limiter: RateLimiter | None, rate: Rate | None) -> RateLimiter | None:
        """Return the limiter for a rate: the same one as before, if there was one."""
        if rate is None:
            return None
        if limiter is None:
            return RateLimiter(rate, chance=self._chance)
        limiter.apply(rate)
        return limiter


def _whole(_span: float) -> int:
    return 1


def _own(meters: _Meters) -> RateLimiter | None:
    return meters[0].limiter if meters and not meters[0].class_name else None
