"""A provider's quotas: a token bucket of requests and one of tokens for each credential.

Pure: times are in seconds and passed in, amounts are requests and tokens. The simulator's provider and the mock
provider share it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable

Key = TypeVar("Key", bound="Hashable")

# Less is a rounding error.
_ROUNDING = 1e-6
# From this many credentials on, those with full buckets are forgotten now and then: a new bucket is full too.
_SWEEP = 1024


class Bucket:
    """A token bucket of `size`, refilled by `rate` a second; full at first."""

    __slots__ = ("_at", "_level", "_rate", "_size")

    def __init__(self, rate: float, size: float) -> None:
        self._rate = rate
        self._size = max(1.0, size)
        self._level = self._size
        self._at = 0.0

    @property
    def rate(self) -> float:
        """How much is refilled a second."""
        return self._rate

    def level(self, now: float) -> float:
        """Return how much it holds."""
        self._level = min(self._size, self._level + (now - self._at) * self._rate)
        self._at = now
        return self._level

    def wait(self, amount: float, now: float) -> float:
        """Return seconds until it holds `amount`, 0 if it does; an amount above its size counts as its size."""
        lacking = min(amount, self._size) - self.level(now)
        return lacking / self._rate if lacking > _ROUNDING else 0.0

    def until_full(self, now: float) -> float:
        """Return seconds until it is full."""
        return self.wait(self._size, now)

    def take(self, amount: float) -> None:
        """Take `amount`, at most its size."""
        self._level -= min(amount, self._size)


class Shortage(NamedTuple):
    """Seconds until one credential's buckets hold enough, 0 for a bucket that does."""

    requests: float
    tokens: float

    @property
    def wait(self) -> float:
        """Seconds until there is enough of both."""
        return max(self.requests, self.tokens)


class Left(NamedTuple):
    """What is left of one quota: `limit` is that of a minute, `remaining` what can be used now, at most the burst.

    After `reset` seconds the burst is whole again.
    """

    name: str
    limit: int
    remaining: int
    reset: float


_ENOUGH = Shortage(0.0, 0.0)


class Quota:
    """The buckets of one credential; None is unlimited."""

    __slots__ = ("requests", "tokens")

    def __init__(self, requests: Bucket | None, tokens: Bucket | None) -> None:
        self.requests = requests
        self.tokens = tokens

    def shortage(self, tokens: int, now: float) -> Shortage:
        """Return what lacks for one request with so many tokens."""
        requests = self.requests.wait(1, now) if self.requests else 0.0
        spent = self.tokens.wait(tokens, now) if self.tokens else 0.0
        return Shortage(requests, spent) if requests or spent else _ENOUGH

    def take(self, tokens: int, now: float) -> Shortage:
        """Take one request and its tokens, unless either lacks; return what lacks."""
        shortage = self.shortage(tokens, now)
        if shortage is _ENOUGH:
            if self.requests:
                self.requests.take(1)
            if self.tokens:
                self.tokens.take(tokens)
        return shortage

    def left(self, now: float) -> list[Left]:
        """Return what is left of requests and of tokens, if they are limited."""
        named = (("requests", self.requests), ("tokens", self.tokens))
        return [
            Left(name, round(bucket.rate * 60), math.floor(bucket.level(now) + _ROUNDING), bucket.until_full(now))
            for name, bucket in named
            if bucket
        ]

    def full(self, now: float) -> bool:
        """Whether nothing lacks in either bucket."""
        return not any(each.until_full(now) for each in (self.requests, self.tokens) if each)


class Quotas(Generic[Key]):
    """The quotas of all credentials, in requests and tokens a minute; 0 is unlimited.

    A bucket holds what is refilled in `burst` seconds.
    """

    def __init__(self, requests_per_minute: int, tokens_per_minute: int, burst: float) -> None:
        self._rates = (requests_per_minute / 60, tokens_per_minute / 60)
        self._burst = burst
        self._quotas: dict[Key, Quota] = {}
        self._sweep_at = _SWEEP

    def __len__(self) -> int:
        """Return how many credentials are remembered."""
        return len(self._quotas)

    def of(self, key: Key, now: float) -> Quota:
        """Return the quota of a credential."""
        if key not in self._quotas:
            if len(self._quotas) >= self._sweep_at:
                self._sweep(now)
            requests, tokens = (Bucket(rate, rate * self._burst) if rate else None for rate in self._rates)
            self._quotas[key] = Quota(requests, tokens)
        return self._quotas[key]

    def shortage(self, key: Key, tokens: int, now: float) -> Shortage:
        """Return what a credential lacks for one request with so many tokens."""
        return self.of(key, now).shortage(tokens, now)

    def take(self, key: Key, tokens: int, now: float) -> Shortage:
        """Charge a credential with one request and its tokens, unless either lacks; return what lacks."""
        return self.of(key, now).take(tokens, now)

    def _sweep(self, now: float) -> None:
        """Forget the credentials whose buckets are full. The next sweep is due at twice the rest."""
        self._quotas = {key: quota for key, quota in self._quotas.items() if not quota.full(now)}
        self._sweep_at = max(_SWEEP, 2 * len(self._quotas))
