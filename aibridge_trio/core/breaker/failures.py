"""Which failures may open a breaker: all of the provider's; one caller's own only where no one else is served.

1. A failure may be its caller's own doing: a 429 on its own key, or a wait that was too long, because how long an
   answer takes depends on what was asked.
2. Own failures count, unless all of those in the window are one caller's and another caller is there.
3. Another caller is there if it was answered in the window, and for as much longer as that answer took: who
   waits 45 s for each answer has seldom had one in the last ten. So it is while an answer to it goes on. While
   the breaker is not closed, nobody is answered: then one that was refused is there until the window's length
   after the moment at which it was told to come back.

Times are seconds. What is kept is bounded: of callers the two latest of each kind, which is enough to know when
another than a given one was there last; and whose answers go on now.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable

from aibridge_trio.core.breaker.window import Window

# Waits are lengthened by up to a fifth before they are told.
_JITTER = 0.2


class Latest:
    """The two callers that were seen last, and when."""

    __slots__ = ("_first", "_second")

    def __init__(self) -> None:
        self._first: tuple[Hashable, float] = (None, -math.inf)
        self._second: tuple[Hashable, float] = self._first

    @property
    def caller(self) -> Hashable:
        """The one seen last, None if there was none."""
        return self._first[0]

    def see(self, caller: Hashable, at: float) -> None:
        """See a caller at this time, which may be before other times and in the future."""
        if caller == self._first[0]:
            self._first = (caller, max(at, self._first[1]))
        elif at > self._first[1]:
            self._first, self._second = (caller, at), self._first
        elif at > self._second[1]:
            self._second = (caller, at)

    def other_than(self, caller: Hashable) -> float:
        """Return when another than this one was seen last, minus infinity for never."""
        return (self._second if caller == self._first[0] else self._first)[1]


class Failures:
    """The failures of the last `span` seconds, up to `cap` of the provider's and as many of callers' own."""

    def __init__(self, span: float, cap: int) -> None:
        self._span = span
        self._cap = cap
        self._all = Window(span, cap)
        self._own = Window(span, cap)
        self._failed = Latest()
        self._answered = Latest()
        self._refused = Latest()
        self._going_on: Counter[Hashable] = Counter()

    def add(self, now: float, word: float, caller: Hashable | None) -> None:
        """Count a failure, which is this caller's own, or the provider's (None); `word` is until when it asks."""
        if caller is None:
            self._all.add(now, word)
        else:
            self._own.add(now, word)
            self._failed.see(caller, now)

    def answered(self, caller: Hashable, now: float, took: float = 0.0) -> None:
        """See a caller's success, for which it has waited so long."""
        self._answered.see(caller, now + took)

    def goes_on(self, caller: Hashable) -> None:
        """See that an answer to this caller goes on behind its success; `ended` is to be called."""
        self._going_on[caller] += 1

    def ended(self, caller: Hashable, now: float) -> None:
        """See the end of an answer that went on."""
        self._going_on[caller] -= 1
        if not self._going_on[caller]:
            del self._going_on[caller]
        self._answered.see(caller, now)

    def refused(self, caller: Hashable, now: float, wait: float | None) -> None:
        """See a caller refused, and told to come back in so many seconds."""
        self._refused.see(caller, now + (wait or 0.0) * (1 + _JITTER))

    def blames(self, caller: Hashable | None, now: float) -> bool:
        """Tell whether a failure counts that is this caller's own, or the provider's (None)."""
        since = now - self._span
        if caller is None or self._failed.other_than(caller) > since:
            return True
        if len(self._going_on) > (caller in self._going_on):
            return False
        return max(self._answered.other_than(caller), self._refused.other_than(caller)) <= since

    def count(self, now: float) -> int:
        """Return how many count, at most `cap`."""
        own = self._own.count(now)
        return min(self._cap, self._all.count(now) + (own if own and self.blames(self._failed.caller, now) else 0))

    def highest(self, now: float) -> float:
        """Return the latest word of those that count, minus infinity without one."""
        own = self._own.highest(now) if self.blames(self._failed.caller, now) else -math.inf
        return max(self._all.highest(now), own)

    def clear(self, *, closed: bool) -> None:
        """Forget all failures, and who was refused if the breaker is closed now."""
        self._all.clear()
        self._own.clear()
        self._failed = Latest()
        if closed:
            self._refused = Latest()
