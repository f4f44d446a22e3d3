"""The concurrency limits together: slots in all, and shares per caller, per class of callers and per provider.

A limit in shadow is counted but delays no request: a request that finds it exhausted goes on without holding any
of it, so that other requests are counted as if that one had not come.

What other replicas hold, as far as it is known, counts as taken. While the store is away, this replica has its
part of each limit.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable
from typing import Protocol

from aibridge_trio.core.limits import store_keys
from aibridge_trio.core.limits.fair_queue import FairQueue
from aibridge_trio.core.limits.keyed_limit import KeyedLimit
from aibridge_trio.core.limits.lease import Lane, Lease, Limit, Limits
from aibridge_trio.core.sharing.needs import Holding
from aibridge_trio.core.sharing.parts import part


class Slots(Protocol):
    """Counts the slots. In the program `trio.CapacityLimiter`, whose method names these are."""

    total_tokens: float

    @property
    def available_tokens(self) -> float:
        """How many slots are free."""

    def acquire_on_behalf_of_nowait(self, borrower: object) -> None:
        """Take a free slot."""

    def release_on_behalf_of(self, borrower: object) -> None:
        """Give back the slot that a borrower took."""


class Capacity:
    """Takes and gives back slots and shares. `shadow` names the limits in shadow, by their reject reasons."""

    def __init__(self, limits: Limits, slots: Slots, shadow: Collection[str]) -> None:
        self._slots = slots
        # The leases in flight, in the order in which they were granted.
        self.inside: dict[Lease, None] = {}
        # Of the slots, as `slots` counts them: asked for with every request.
        self._slots_held, self._slots_in_all = 0, slots.total_tokens
        self._replicas = 1
        self._set(limits, shadow)

    def _set(self, limits: Limits, shadow: Collection[str]) -> None:
        self.slots_in_shadow = "capacity" in shadow
        self._max_slots = max(0, limits.max_concurrency)
        self._slots_taken = 0  # by others
        own = {caller: each.max_concurrency for caller, each in limits.callers.items()}
        totals = {name: each.max_concurrency for name, each in limits.classes.items() if each.max_concurrency}
        self._callers = KeyedLimit(limits.per_caller, own)
        self._classes = KeyedLimit(0, totals)
        self._class_of = {
            key: each.class_name for key, each in limits.callers.items() if each.class_name in totals
        }
        self._providers = KeyedLimit(limits.per_provider, limits.providers)
        self.has_shares = bool(self._callers or self._classes or self._providers)
        self._callers_in_shadow = "caller_capacity" in shadow
        self._providers_in_shadow = "provider_capacity" in shadow
        self._by_key: dict[str, tuple[KeyedLimit, Hashable]] = {}  # of which is known what others hold
        self.divide(self._replicas)

    def apply(self, limits: Limits, shadow: Collection[str]) -> None:
        """Replace the limits. All that is in flight is counted anew, beyond a lowered limit too.

        Of a limit in shadow a lease holds nothing that is beyond it.
        """
        self._set(limits, shadow)
        self._slots.total_tokens = self._slots_in_all = math.inf
        for lease in self.inside:
            if not self.slots_in_shadow:
                self.acquire_slot(lease)
            take = KeyedLimit.acquire if self._callers_in_shadow else KeyedLimit.count
            lease.caller_share = take(self._callers, lease.caller)
            name = self._class_of.get(lease.caller, "")
            lease.class_share = name if name and take(self._classes, name) else ""
            take = KeyedLimit.acquire if self._providers_in_shadow else KeyedLimit.count
            lease.provider_share = bool(lease.provider) and take(self._providers, lease.provider)
        self._slots.total_tokens = self._slots_in_all = limits.max_concurrency or math.inf

    def slot_free(self) -> bool:
        """Return whether a slot is free."""
        return self._slots_held + self._slots_taken < self._slots_in_all

    def slot_available(self) -> bool:
        """Return whether a request need not wait for a slot: one is free, or their limit is in shadow."""
        return self.slots_in_shadow or self._slots_held + self._slots_taken < self._slots_in_all

    def shares_available(self, caller: Hashable, lane: Lane) -> bool:
        """Return whether a request need not wait for its shares."""
        return self.lane_available(lane) and (self._callers_in_shadow or self._caller_free(caller))

    def provider_available(self, provider: str) -> bool:
        """Return whether a request need not wait for its provider's share."""
        return self._providers_in_shadow or self._providers.available(provider)

    def class_available(self, name: str) -> bool:
        """Return whether callers of a class need not wait for its share; true for "", which is no class."""
        return self._callers_in_shadow or not name or self._classes.available(name)

    def lane_available(self, lane: Lane) -> bool:
        """Return whether a request need not wait for a share of one of these providers; true without any."""
        return not lane or self._providers_in_shadow or any(map(self._providers.available, lane))

    def missing(self, lease: Lease) -> list[Limit]:
        """Return the limits of which a lease holds nothing and nothing is available, those in shadow included."""
        missing: list[Limit] = [] if lease.slot else ["capacity"]
        if not self._caller_free(lease.caller):
            missing.append("caller_capacity")
        if (lane := lease.lane) and not any(map(self._providers.available, lane)):
            missing.append("provider_capacity")
        return missing

    def caller_bar(self, caller: Hashable) -> tuple[int, str]:
        """Return the limit that a caller has exhausted, and the name of its class if that is the class's."""
        if not self._callers.available(caller):
            return self._callers.limit(caller), ""
        name = self._class_of.get(caller, "")
        return self._classes.limit(name), name

    def acquire_slot(self, lease: Lease) -> bool:
        """Take a slot for a lease that has none, if one is free; return whether the lease has a slot now."""
        if not lease.slot and self._slots_held + self._slots_taken < self._slots_in_all:
            self._slots.acquire_on_behalf_of_nowait(lease)
            self._slots_held += 1
            lease.slot = True
        return lease.slot

    def release_slot(self, lease: Lease) -> bool:
        """Give back a lease's slot; return whether it had one."""
        if not lease.slot:
            return False
        lease.slot = False
        self._slots_held -= 1
        self._slots.release_on_behalf_of(lease)
        return True

    def acquire_shares(self, lease: Lease) -> None:
        """Take a lease's shares, as far as they are limited and available, and decide which provider it is for."""
        if lease.choice:
            lease.provider = next(filter(self._providers.available, lease.choice), lease.choice[0])
            lease.choice = ()
        self.inside[lease] = None
        if self.has_shares:
            lease.caller_share = self._callers.acquire(lease.caller)
            if name := self._class_of.get(lease.caller, ""):
                lease.class_share = name if self._classes.acquire(name) else ""
            lease.provider_share = bool(lease.provider) and self._providers.acquire(lease.provider)

    def holds(self, lease: Lease) -> bool:
        """Return whether a lease is in flight: between `acquire_shares` and `release_shares`."""
        return lease in self.inside

    def provider_full(self, provider: str) -> bool:
        """Return whether no share of a provider's limit is free, even if it is in shadow."""
        return not self._providers.available(provider)

    def move(self, lease: Lease, provider: str) -> bool:
        """Take a share of another provider in place of the one that a lease has; return False if none is free."""
        if not self.provider_available(provider):
            return False
        taken = self._providers.acquire(provider)
        if lease.provider_share:
            self._providers.release(lease.provider)
        lease.provider, lease.provider_share = provider, taken
        return True

    def release_provider(self, lease: Lease) -> None:
        """Give back the share of a provider that a lease has."""
        lease.provider_share = False
        self._providers.release(lease.provider)

    def release_shares(self, lease: Lease) -> None:
        """Give back the shares that a lease holds."""
        self.inside.pop(lease, None)
        if lease.caller_share:
            lease.caller_share = False
            self._callers.release(lease.caller)
        if lease.class_share:
            self._classes.release(lease.class_share)
            lease.class_share = ""
        if lease.provider_share:
            self.release_provider(lease)

    # What replicas share

    def divide(self, replicas: int) -> None:
        """Let this replica have its part of each limit, as one of so many, and forget what others hold."""
        for key in [*self._by_key]:
            self.others(key, 0)
        self._replicas = replicas
        most = self._max_slots
        self._beyond_part = self._slots_taken = most - part(most, replicas) if most and replicas > 1 else 0
        for limit in (self._callers, self._classes, self._providers):
            limit.divide(replicas)

    def others(self, key: str, amount: int) -> None:
        """Count that other replicas hold so much of a limit, in place of what was known before."""
        if key == store_keys.SLOTS:
            # Whatever others hold, while parts hold it has no more than its own.
            self._slots_taken = max(amount, self._beyond_part)
        elif found := self._by_key.pop(key, None):
            found[0].others(found[1], amount)
            if amount:
                self._by_key[key] = found

    def lacks(self, key: str, queue: FairQueue[Lane, Lease]) -> bool:
        """Return whether a queued request waits for the limit with this key, of which others hold something."""
        if key == store_keys.SLOTS:
            return bool(len(queue)) and not self.slot_available()
        limit, own = self._by_key.get(key, (self._callers, None))
        if own is None or limit.available(own):
            return False
        if limit is self._providers:
            return not self._providers_in_shadow and any(own in lane for lane in queue.lanes)
        waits = own in queue.groups if limit is self._classes else queue.waiting(own)
        return bool(waits) and not self._callers_in_shadow

    def know(self, lease: Lease, key: str) -> None:
        """Remember which limit of a lease has a key in the store, for `others`."""
        for holds, limit, own in self._shares(lease):
            if holds == key:
                self._by_key[key] = limit, own

    def holdings(self, lease: Lease) -> list[Holding]:
        """Return what a lease holds, as the store counts it."""
        found = []
        if lease.slot and self._max_slots:
            found.append(Holding(store_keys.SLOTS, self._max_slots, soft=self.slots_in_shadow))
        for key, limit, own in self._shares(lease):
            soft = self._providers_in_shadow if limit is self._providers else self._callers_in_shadow
            if most := limit.limit(own):
                found.append(Holding(key, most, soft=soft))
        return found

    def exceeds(self, lease: Lease) -> bool:
        """Return whether this replica holds more than its part of a limit of which a lease holds some."""
        most = self._max_slots
        if most and lease.slot and not self.slots_in_shadow and self._slots_held > part(most, self._replicas):
            return True
        shadow = {self._providers: self._providers_in_shadow}
        return any(
            limit.exceeds(own) and not shadow.get(limit, self._callers_in_shadow)
            for _, limit, own in self._shares(lease)
        )

    def drop(self, lease: Lease, key: str) -> Limit | None:
        """Give back what a lease holds under a key, of a limit in shadow that is full; return the limit."""
        if key == store_keys.SLOTS:
            self.release_slot(lease)
            return "capacity"
        for name, limit, own in self._shares(lease):
            if name != key:
                continue
            limit.release(own)
            if limit is self._callers:
                lease.caller_share = False
            elif limit is self._classes:
                lease.class_share = ""
            else:
                lease.provider_share = False
                return "provider_capacity"
            return "caller_capacity"
        return None

    def _shares(self, lease: Lease) -> list[tuple[str, KeyedLimit, Hashable]]:
        """Return the shares that a lease holds: each one's key in the store, its limit, and its key there."""
        found: list[tuple[str, KeyedLimit, Hashable]] = []
        if lease.caller_share:
            found.append((store_keys.of_caller(lease.caller), self._callers, lease.caller))
        if lease.class_share:
            found.append((store_keys.of_class(lease.class_share), self._classes, lease.class_share))
        if lease.provider_share:
            found.append((store_keys.of_provider(lease.provider), self._providers, lease.provider))
        return found

    def _caller_free(self, caller: Hashable) -> bool:
        """Return whether shares of a caller and of its class are free."""
        if not self._callers.available(caller):
            return False
        name = self._class_of.get(caller) if self._class_of else None
        return name is None or self._classes.available(name)

    def __repr__(self) -> str:
        return f"<Capacity callers={self._callers!r} providers={self._providers!r}>"
