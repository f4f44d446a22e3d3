"""The keys of one provider: which of them a request is sent with.

1. A key is ready, rests, or is out. It rests for a scope (a part of the provider, None for the whole) until some
   time, because the provider has refused it for its rate or its quota. It is out if it is not accepted.
2. Of the keys that are ready one is chosen by weight: each in its turn, as often as its weight says (smooth
   weighted round robin, as in nginx); or the one with the fewest requests in flight for its weight. One that has
   too little left of its quotas, as the provider says, is used if the others have, too.
3. If all keys are out, the fault is probably not theirs: they are tried in turn, the one that went out the longest
   ago first. The first that the provider accepts brings all of them back.
4. A key is known by its `id`. When the keys are replaced, those that stay keep their state.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from typing import Literal, Protocol

Choice = Literal["weighted", "least-used"]


class KeyState(StrEnum):
    """What a key is good for."""

    READY = "ready"
    RESTING = "resting"
    OUT = "out"


class KeyRates(Protocol):
    """What may be sent with one key."""

    def wait(self, tokens: float, now: float) -> float:
        """Return the seconds until a request of so many tokens (estimated) may go, 0 if it may now."""


class KeyQuotas(Protocol):
    """What the provider says is left of a key's quotas, as far as that is known."""

    def resumes(self, size: float, now: float) -> float:
        """Return when there is enough left for a request of this size (tokens, estimated)."""

    def sent(self, size: float) -> None:
        """Charge a request that goes up."""


@dataclass(slots=True, eq=False)
class Key:
    """One key: its `id`, the `label` that names it, its `weight`, and its state.

    `in_use` counts the requests that are sent with it. `rests` has the end of its rest for each scope. It has been
    out since `out_since`, None if it is not.
    """

    id: bytes = field(repr=False)
    label: str
    weight: int = 1
    rates: KeyRates | None = field(default=None, repr=False)
    quotas: KeyQuotas | None = field(default=None, init=False, repr=False)
    in_use: int = field(default=0, init=False)
    rests: dict[str | None, float] = field(default_factory=dict, init=False)
    out_since: float | None = field(default=None, init=False)
    credit: float = field(default=0.0, init=False, repr=False)  # in the round robin
    chosen: int = field(default=0, init=False, repr=False)  # the number of the last choice

    def free_at(self, scope: str | None, tokens: float, now: float) -> float:
        """Return when the key may be used for a scope; infinity while it is out."""
        if self.out_since is not None:
            return math.inf
        free = self.rests.get(scope, now)
        return free if self.rates is None else max(free, now + self.rates.wait(tokens, now))

    def has_enough(self, tokens: float, now: float) -> bool:
        """Return whether enough is left of its quotas, as far as the provider has said."""
        return self.quotas is None or self.quotas.resumes(tokens, now) <= now


@dataclass(frozen=True, slots=True)
class KeyStats:
    """One key's state; `left` is how long it rests in seconds (of several scopes the longest), 0 if it doesn't."""

    label: str
    state: KeyState
    in_use: int
    left: float


class KeyPool:
    """The keys of one provider, at least one; times are seconds."""

    def __init__(self, keys: Iterable[Key], choice: Choice = "weighted") -> None:
        self._keys = _distinct(keys)
        self.choice = choice
        self._numbers = count(1)
        self.rests = 0  # that began

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    @property
    def labels(self) -> tuple[str, ...]:
        """What names the keys."""
        return tuple(key.label for key in self._keys)

    def choose(
        self, now: float, scope: str | None = None, tokens: float = 0.0, tried: Collection[Key] = ()
    ) -> Key | None:
        """Return the key for a request, which is now in use; None if none is ready but those that were `tried`."""
        ready = [key for key in self._keys if key not in tried and key.free_at(scope, tokens, now) <= now]
        if ready:
            ready = [key for key in ready if key.has_enough(tokens, now)] or ready
            key = self._least_used(ready) if self.choice == "least-used" else _next_in_turn(ready)
        elif not tried and self._all_out():
            key = min(self._keys, key=lambda each: (each.out_since, each.chosen))
        else:
            return None
        key.chosen = next(self._numbers)
        key.in_use += 1
        if key.quotas:
            key.quotas.sent(tokens)
        return key

    @property
    def ready(self) -> bool:
        """Whether there is a key for every request: one that is neither out nor at rest, and has no limit."""
        for key in self._keys:  # noqa: SIM110 - any() costs three times as much
            if key.out_since is None and not key.rests and key.rates is None:
                return True
        return False

    def wait(self, now: float, scope: str | None = None, tokens: float = 0.0) -> float:
        """Return the seconds until there is a key for a request, 0 if there is one."""
        soonest = math.inf
        for key in self._keys:
            free = key.free_at(scope, tokens, now)
            if free <= now:
                return 0.0
            soonest = min(soonest, free)
        return 0.0 if self._all_out() else soonest - now

    def has_other(self, now: float, scope: str | None, tokens: float, tried: Collection[Key]) -> bool:
        """Return whether `choose` would return a key."""
        return any(key not in tried and key.free_at(scope, tokens, now) <= now for key in self._keys)

    def give_back(self, key: Key) -> None:
        """End the use of a key by one request."""
        key.in_use -= 1

    def rested(self, key: Key, until: float, scope: str | None, now: float) -> bool:
        """Let a key rest; return whether it did not rest before. A later end replaces an earlier one."""
        before = key.rests.get(scope, now)
        if until <= max(before, now):
            return False
        key.rests[scope] = until
        self.rests += before <= now
        return before <= now

    def failed(self, key: Key, now: float) -> bool:
        """Take a key out; return whether it was not out before."""
        began = key.out_since is None
        key.out_since = now
        return began

    def accepted(self, key: Key, sent_at: float) -> tuple[Key, ...]:
        """Note that the provider accepted a request that was sent at `sent_at`; return the keys that are back."""
        if key.out_since is None or sent_at < key.out_since:
            return ()
        return self.forgive(lambda each: each is key or self._all_out())

    def forgive(self, which: Callable[[Key], bool] = lambda _: True) -> tuple[Key, ...]:
        """Bring back keys that are out; return them."""
        back = tuple([key for key in self._keys if key.out_since is not None and which(key)])
        for key in back:
            key.out_since = None
        return back

    def woken(self, now: float) -> tuple[Key, ...]:
        """Forget the rests that are over; return the keys that have none any more."""
        return tuple([key for key in self._keys if key.rests and not _expire(key, now)])

    def next_due(self) -> float:
        """Return when the next rest is over, infinity without one."""
        return min((until for key in self._keys for until in key.rests.values()), default=math.inf)

    def replace(
        self, keys: Iterable[Key], choice: Choice | None = None
    ) -> tuple[tuple[Key, ...], tuple[Key, ...]]:
        """Put other keys in place of these; return those that are new and those that are gone.

        A key that stays keeps its state, and takes label, weight and rates of the new one.
        """
        before = {key.id: key for key in self._keys}
        kept: list[Key] = []
        added: list[Key] = []
        for key in _distinct(keys):
            known = before.pop(key.id, None)
            if known is None:
                added.append(key)
            else:
                known.label, known.weight, known.rates = key.label, key.weight, key.rates
            kept.append(known or key)
        self._keys = tuple(kept)
        self.choice = choice or self.choice
        return tuple(added), tuple(before.values())

    def statistics(self, now: float) -> tuple[KeyStats, ...]:
        """Return the state of each key."""
        return tuple(_statistics(key, now) for key in self._keys)

    def __repr__(self) -> str:
        return f"<KeyPool {len(self)} {self.choice}>"

    def _all_out(self) -> bool:
        return all(key.out_since is not None for key in self._keys)

    def _least_used(self, keys: list[Key]) -> Key:
        return min(keys, key=lambda key: (key.in_use / key.weight, key.chosen))


def _next_in_turn(keys: list[Key]) -> Key:
    for key in keys:
        key.credit += key.weight
    first = max(keys, key=lambda key: key.credit)
    first.credit -= sum(key.weight for key in keys)
    return first


def _distinct(keys: Iterable[Key]) -> tuple[Key, ...]:
    """Return the keys, each once."""
    found: dict[bytes, Key] = {}
    for key in keys:
        found.setdefault(key.id, key)
    assert found
    return tuple(found.values())


def _expire(key: Key, now: float) -> bool:
    """Forget a key's rests that are over; return whether any is left."""
    for scope, until in list(key.rests.items()):
        if until <= now:
            del key.rests[scope]
    return bool(key.rests)


def _statistics(key: Key, now: float) -> KeyStats:
    left = max((until - now for until in key.rests.values()), default=0.0)
    state = KeyState.OUT if key.out_since is not None else KeyState.RESTING if left > 0 else KeyState.READY
    return KeyStats(key.label, state, key.in_use, max(0.0, left))
