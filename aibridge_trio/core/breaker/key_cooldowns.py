"""Callers' own keys that got a 429: one caller's quota is no outage of the provider.

1. A 429 for a key starts a cooldown of that key alone: as long as the provider's retry hint, at most the longest
   cooldown of the breaker's policy; without a hint, the configured cooldown. A shorter one never cuts a longer one
   short.
2. The 429 counts against the provider's breaker only if it is for at least the third different key within the
   breaker's window: so many keys at once are no longer one caller's doing.
3. At most `capacity` keys are remembered. Beyond that, the key whose cooldown was started the longest ago is
   evicted, and the eviction counted.
4. A cooldown that another replica started is one here, too, with its end; it counts where it was started.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice

from aibridge_trio.core.breaker.policy import BreakerPolicy

# So many different keys with a 429 within the window are an overload of the provider.
_MANY = 3
# A key takes about 400 bytes, so all of them 4 MB. A key is remembered only after the provider answered it with
# 429.
_CAPACITY = 10_000
_SHOWN = 5
# What is shown of a key that this replica has not seen.
_UNSEEN = "…"


@dataclass(frozen=True, slots=True)
class CoolingKey:
    """A key in cooldown: its printable hint, and the seconds that remain."""

    hint: str
    remaining: float


@dataclass(frozen=True, slots=True)
class KeyCooldownStats:
    """How many keys are in cooldown, how many cooldowns began, how many keys were evicted; the `latest` keys."""

    resting: int
    total: int
    evictions: int
    latest: tuple[CoolingKey, ...]


class KeyCooldowns:
    """The keys of one provider's callers that are in cooldown; `policy` is its breaker's."""

    def __init__(self, policy: BreakerPolicy, capacity: int = _CAPACITY) -> None:
        self.apply(policy)
        self._capacity = capacity
        # In the order in which their cooldowns were started.
        self._until: OrderedDict[bytes, tuple[float, str]] = OrderedDict()
        # Each key is in it once; a key whose cooldown was extended is pushed again when its first end is due.
        self._due: list[tuple[float, bytes]] = []
        self._limited: OrderedDict[bytes, float] = OrderedDict()  # keys by the time of their last 429
        self._total = 0
        self._evictions = 0

    def apply(self, policy: BreakerPolicy) -> None:
        """Use this policy from now on; keys that are in cooldown stay in it."""
        self._policy = policy
        self._longest = max(policy.cooldown, policy.longest_cooldown)

    def remaining(self, key: bytes, now: float) -> float | None:
        """Return the seconds until a key's cooldown is over, None if it is in none."""
        self._expire(now)
        entry = self._until.get(key)
        return None if entry is None else entry[0] - now

    def start(self, key: bytes, hint: str, retry_after: float | None, now: float) -> bool:
        """Start a key's cooldown after a 429; return whether that 429 counts against the provider, too.

        `hint` is what may be shown of the key, `retry_after` the provider's retry hint in seconds.
        """
        self._expire(now)
        until = now + (self._policy.cooldown if retry_after is None else min(retry_after, self._longest))
        self._total += self._rest(key, hint, until, now)
        return self._limited_with(key, now) >= _MANY

    def started_elsewhere(self, key: bytes, left: float, now: float) -> None:
        """Take a cooldown that another replica started, with the seconds that are left of it."""
        self._expire(now)
        until = now + min(left, self._longest)
        known, hint = self._until.get(key, (now, _UNSEEN))
        if until > known:
            self._rest(key, hint, until, now)

    def statistics(self, now: float) -> KeyCooldownStats:
        """Return the cooldowns at `now`."""
        self._expire(now)
        latest = islice(reversed(self._until.values()), _SHOWN)
        return KeyCooldownStats(
            resting=len(self._until),
            total=self._total,
            evictions=self._evictions,
            latest=tuple(CoolingKey(hint, until - now) for until, hint in latest),
        )

    def __repr__(self) -> str:
        return f"<KeyCooldowns resting={len(self._until)}>"

    def _rest(self, key: bytes, hint: str, until: float, now: float) -> bool:
        """Let a key rest; return whether it did not rest before."""
        known = self._until.get(key)
        began = known is None and until > now
        if began:
            heapq.heappush(self._due, (until, key))
        if until > now or known:
            self._until[key] = (max(until, known[0]) if known else until, hint)
            self._until.move_to_end(key)
        if len(self._until) > self._capacity:
            evicted, _ = self._until.popitem(last=False)
            self._evictions += 1
            self._due = [entry for entry in self._due if entry[1] != evicted]
            heapq.heapify(self._due)
        return began

    def _limited_with(self, key: bytes, now: float) -> int:
        """Count the keys with a 429 within the window, this one included, up to `_MANY`."""
        self._limited[key] = now
        self._limited.move_to_end(key)
        while len(self._limited) > _MANY or next(iter(self._limited.values())) + self._policy.window <= now:
            self._limited.popitem(last=False)
        return len(self._limited)

    def _expire(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            _, key = heapq.heappop(self._due)
            until, _ = self._until[key]
            if until > now:
                heapq.heappush(self._due, (until, key))
            else:
                del self._until[key]
