"""The quotas of one credential, of requests and of tokens: learned from refusals, or told in headers.

1. Refusals set a pace (pace.py): of tokens, if it is the large requests that are refused, else of requests.
2. A refusal holds back all requests for as long as the provider asks; of tokens, all that are as large: smaller
   ones may still fit.
3. What headers tell of a quota holds requests back before it is spent. It is believed while it is recent: what
   remained, less what was sent since, and what a sixtieth of the limit refills each second. What they told another
   replica counts as if they had told it here, unless something later is known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from aibridge_trio.core.adaptive.entry import Pushback
from aibridge_trio.core.adaptive.pace import Pace
from aibridge_trio.core.quota import Left
from aibridge_trio.core.snapshots import Saved, restore, save

# The longest wait that a provider's hint causes (seconds), and what is added to it at random.
_LONGEST_HINT, _HINT_JITTER = 300.0, 0.1
# Refused requests that are so much larger than accepted ones show a quota of tokens.
_LARGER = 1.5
# The least pace of requests that is guessed (per second).
_LEAST_REQUESTS = 0.1
# How fast the means of sizes follow.
_FOLLOW = 0.1
# What a header tells is believed for so many seconds.
_BELIEVED = 60.0
# What remains is news to other replicas if it is so much less than they believe (as a share of the limit).
_NEWS = 0.01
_MINUTE = 60.0
# A rounding error must not delay a request by another timer (seconds).
_EPSILON = 1e-6
# The quotas whose headers count: those of output tokens say nothing of a request that is yet to be sent.
_REQUESTS, _NAMES = "requests", ("requests", "tokens", "input-tokens")

# What survives a restart, besides the paces: headers tell of a quota anew.
_NUMBERS, _TIMES = ("_accepted_size", "_refused_size", "_held_back_size"), ("_held_back_until",)


class _Told:
    """What a header told of one quota, and what was sent since."""

    __slots__ = ("at", "left", "sent")

    def __init__(self, left: Left, at: float) -> None:
        self.left = left
        self.at = at
        self.sent = 0.0

    def remaining(self, now: float) -> float:
        """Return what remains, as far as is known."""
        limit = self.left.limit
        return min(limit, self.left.remaining - self.sent + limit / _MINUTE * (now - self.at))

    def wait(self, amount: float, now: float) -> float:
        """Return the seconds until there is enough for an amount, 0 if there is or if it is not known any more."""
        age = now - self.at
        if age > _BELIEVED:
            return 0.0
        rate = self.left.limit / _MINUTE
        # A size is an estimate, and what exceeds the limit would never go.
        lacking = min(amount, self.left.limit) - (self.left.remaining - self.sent + rate * age)
        return min(lacking / rate, _BELIEVED - age) + _EPSILON if lacking > 0 else 0.0


class Quotas:
    """The quotas of one credential; `size` is a request's tokens, estimated, 0 for unknown."""

    def __init__(self) -> None:
        self.requests = Pace(_LEAST_REQUESTS)
        self.tokens = Pace()
        self._told: dict[str, _Told] = {}
        self._told_to_all: dict[str, _Told] = {}  # what all replicas know
        self._accepted_size = self._refused_size = 0.0
        self._held_back_until = -math.inf
        self._held_back_size = math.inf

    @property
    def by_tokens(self) -> bool:
        """Whether the refusals look like those of a quota of tokens."""
        return 0 < self._accepted_size < self._refused_size / _LARGER

    @property
    def pace(self) -> float:
        """The learned pace, in requests or tokens a second; infinity for none."""
        return self.tokens.rate if self.by_tokens else self.requests.rate

    def advance(self, now: float) -> None:
        """Let time pass."""
        self.requests.advance(now)
        self.tokens.advance(now)

    def wait(self, now: float) -> float:
        """Return the seconds until a request of any size may go up, 0 if one may now."""
        wait = 0.0 if self.by_tokens else max(self.requests.wait(now), self._held_back_until - now)
        told = self._told.get(_REQUESTS)
        return max(wait, told.wait(1.0, now)) if told else wait

    def wait_for(self, size: float, now: float) -> float:
        """Return the seconds until a request of this size may go up, as far as that depends on its size."""
        wait = 0.0
        if self.by_tokens:
            wait = self.tokens.wait(now, size)
            if size >= self._held_back_size:
                wait = max(wait, self._held_back_until - now)
        for name, told in self._told.items():
            if name != _REQUESTS:
                wait = max(wait, told.wait(size, now))
        return wait

    def resumes(self, size: float, now: float) -> float:
        """Return when a request of this size may go up."""
        return now + max(self.wait(now), self.wait_for(size, now))

    def sent(self, size: float) -> None:
        """Charge a request that goes up."""
        self.requests.sent()
        self.tokens.sent(size)
        for name, told in self._told.items():
            told.sent += 1.0 if name == _REQUESTS else size

    def accepted(self, size: float, now: float) -> None:
        """Count a request that was accepted."""
        self.requests.accepted(now)
        self.tokens.accepted(now, size)
        self._accepted_size += (size - self._accepted_size) * (_FOLLOW if self._accepted_size else 1.0)

    def refused(self, pushback: Pushback, size: float, sent_at: float, now: float, chance: float) -> None:
        """Learn from a refusal; `chance` is a random number, 0 to 1."""
        self._refused_size += (size - self._refused_size) * (_FOLLOW if self._refused_size else 1.0)
        hint = min(pushback.retry_after or 0.0, _LONGEST_HINT)
        self.requests.refused(sent_at, now, 1.0, hint)
        self.tokens.refused(sent_at, now, 0.0, hint)
        if hint:
            seconds = hint * (1 + _HINT_JITTER * chance)
            self.hold_back(now + seconds, size, now)

    @property
    def held_back(self) -> tuple[float, float]:
        """Until when requests are held back, and from which size on."""
        return self._held_back_until, self._held_back_size

    def hold_back(self, until: float, size: float, now: float) -> None:
        """Hold requests of this size, and larger ones, back until then."""
        over = now >= self._held_back_until
        self._held_back_size = size if over else min(size, self._held_back_size)
        self._held_back_until = max(self._held_back_until, until)

    def told(self, quotas: Iterable[Left], now: float) -> None:
        """Take what an answer tells of the quotas."""
        for left in quotas:
            if left.limit > 0 and left.name in _NAMES:
                self._told[left.name] = _Told(left, now)

    def told_elsewhere(self, left: Left, at: float) -> None:
        """Take what an answer told another replica at a time, unless something later is known."""
        known = self._told.get(left.name)
        if left.limit > 0 and left.name in _NAMES and (known is None or known.at < at):
            self._told[left.name] = _Told(left, at)
            self._told_to_all[left.name] = _Told(left, at)

    def is_news(self, share: float, now: float) -> bool:
        """Whether less than this share of a quota remains, and less than all know of: then it is shared."""
        found = False
        for name, told in self._told.items():
            limit, remaining, known = told.left.limit, told.remaining(now), self._told_to_all.get(name)
            enough = limit if known is None else known.remaining(now) - max(1.0, _NEWS * limit)
            if remaining < share * limit and remaining < enough:
                self._told_to_all[name] = _Told(told.left._replace(remaining=math.floor(remaining)), now)
                found = True
        return found

    def words(self, now: float) -> list[tuple[Left, float]]:
        """Return what headers told of late, less what was sent since, and when they did."""
        return [
            (told.left._replace(remaining=math.floor(told.left.remaining - told.sent)), told.at)
            for told in self._told.values()
            if now - told.at < _BELIEVED
        ]

    def forget(self) -> None:
        """Forget the paces."""
        self.requests.rate = self.tokens.rate = math.inf

    def snapshot(self, now: float) -> Saved:
        """Return what refusals have taught, for a restart."""
        paces = {"requests": self.requests.snapshot(now), "tokens": self.tokens.snapshot(now)}
        return {**save(self, _NUMBERS, _TIMES, now), **paces}

    def restore(self, saved: object, at: float) -> None:
        """Take over what was saved at a time; raises ValueError for what is no snapshot."""
        found = restore(self, saved, _NUMBERS, _TIMES, at)
        self.requests.restore(found.get("requests"), at)
        self.tokens.restore(found.get("tokens"), at)

    def __repr__(self) -> str:
        return f"<Quotas {self.requests!r} {self.tokens!r}>"
