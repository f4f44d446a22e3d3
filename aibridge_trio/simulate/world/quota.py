"""A provider's quotas: a token bucket of requests and one of tokens for each key."""

from __future__ import annotations

from aibridge_trio.simulate.scenario.scenario import Model


class Bucket:
    """A token bucket of `size`, refilled by `rate` a second; full at first."""

    __slots__ = ("_at", "_level", "_rate", "_size")

    def __init__(self, rate: float, size: float) -> None:
        self._rate = rate
        self._size = max(1.0, size)
        self._level = self._size
        self._at = 0.0

    def wait(self, amount: float, now: float) -> float:
        """Return seconds until it holds `amount`, 0 if it does; an amount above its size counts as its size."""
        self._level = min(self._size, self._level + (now - self._at) * self._rate)
        self._at = now
        lacking = min(amount, self._size) - self._level
        # Less than a millionth is a rounding error.
        return lacking / self._rate if lacking > 1e-6 else 0.0  # noqa: PLR2004

    def take(self, amount: float) -> None:
        """Take `amount`, at most its size."""
        self._level -= min(amount, self._size)


class Keys:
    """The quotas of all keys, in requests and tokens a minute."""

    def __init__(self, model: Model) -> None:
        self._limits = (model.requests_per_minute, model.tokens_per_minute)
        self._burst = model.quota_burst
        self._keys: dict[int, tuple[Bucket | None, Bucket | None]] = {}

    def wait(self, key: int, tokens: int, now: float) -> float:
        """Return seconds until there is one request and so many tokens, 0 if there are."""
        waits = [bucket.wait(amount, now) for bucket, amount in self._amounts(key, tokens)]
        return max(waits, default=0.0)

    def take(self, key: int, tokens: int, now: float) -> float:
        """Take one request and its tokens, and return 0; or return seconds until there is enough of both."""
        if not any(self._limits):
            return 0.0
        if wait := self.wait(key, tokens, now):
            return wait
        for bucket, amount in self._amounts(key, tokens):
            bucket.take(amount)
        return 0.0

    def _amounts(self, key: int, tokens: int) -> list[tuple[Bucket, int]]:
        buckets = self._keys.get(key)
        if buckets is None:
            requests, spent = (
                Bucket(each / 60, each / 60 * self._burst) if each else None for each in self._limits
            )
            buckets = self._keys[key] = (requests, spent)
        return [(bucket, amount) for bucket, amount in zip(buckets, (1, tokens), strict=True) if bucket]
