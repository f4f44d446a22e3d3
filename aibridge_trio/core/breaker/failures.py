"""Which failures count against the provider: its own always; a caller-related one only with other evidence.

1. A failure is caller-related if its caller may have caused it: a 429 on the caller's own key, or a timeout,
   because the time to answer depends on the question.
2. Caller-related failures count, unless all of those in the window are of one caller while another caller is
   present.
3. A caller is present if it got an answer within the window. A slow answer extends that by its duration: a caller
   whose answers take 45 s rarely gets one within ten seconds. A caller is also present while an answer to it is in
   progress. A breaker that is not closed refuses most callers: then a refused caller is present until one window
   after the time at which it was asked to come back.

Times are seconds. Memory is bounded: the two latest callers of each kind are enough to know when a caller other
than a given one was last present. In addition, the callers with answers in progress are counted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable

from aibridge_trio.core.breaker.window import Window
from aibridge_trio.errors import MAX_JITTER


class LatestCallers:
    """The two callers recorded with the latest times."""

    __slots__ = ("_first", "_second")

    def __init__(self) -> None:
        self._first: tuple[Hashable, float] = (None, -math.inf)
        self._second: tuple[Hashable, float] = self._first

    @property
    def caller(self) -> Hashable:
        """The caller with the latest time; None before the first."""
        return self._first[0]

    def record(self, caller: Hashable, at: float) -> None:
        """Record a caller at a time, which may be earlier than others and may lie in the future."""
        if caller == self._first[0]:
            self._first = (caller, max(at, self._first[1]))
        elif at > self._first[1]:
            self._first, self._second = (caller, at), self._first
        elif at > self._second[1]:
            self._second = (caller, at)

    def last_other_than(self, caller: Hashable) -> float:
        """Return the latest time of a caller other than this one; minus infinity if there is none."""
        return (self._second if caller == self._first[0] else self._first)[1]


class Failures:
    """The failures of the last `span` seconds: up to `cap` of the provider's and `cap` caller-related ones."""

    def __init__(self, span: float, cap: int) -> None:
        self._span = span
        self._cap = cap
        self._of_provider = Window(span, cap)
        self._of_callers = Window(span, cap)
        self._failed = LatestCallers()
        self._succeeded = LatestCallers()
        self._refused = LatestCallers()
        self._in_progress: Counter[Hashable] = Counter()

    def add(self, now: float, retry_at: float, caller: Hashable | None) -> None:
        """Record a failure: caller-related to `caller`, or the provider's (None); `retry_at` is its retry hint."""
        if caller is None:
            self._of_provider.add(now, retry_at)
        else:
            self._of_callers.add(now, retry_at)
            self._failed.record(caller, now)

    def succeeded(self, caller: Hashable, now: float, took: float = 0.0) -> None:
        """Record a caller's success, which took so many seconds."""
        self._succeeded.record(caller, now + took)

    def answer_continues(self, caller: Hashable) -> None:
        """Record that an answer is in progress after its success; call `answer_ended` when it is over."""
        self._in_progress[caller] += 1

    def answer_ended(self, caller: Hashable, now: float) -> None:
        """Record the end of an answer that was in progress."""
        self._in_progress[caller] -= 1
        if not self._in_progress[caller]:
            del self._in_progress[caller]
        self._succeeded.record(caller, now)

    def refused(self, caller: Hashable, now: float, wait: float | None) -> None:
        """Record that a caller was refused and asked to come back in `wait` seconds."""
        self._refused.record(caller, now + (wait or 0.0) * (1 + MAX_JITTER))

    def counts(self, caller: Hashable | None, now: float) -> bool:
        """Return whether a failure counts against the provider: one of its own (None), or one of this caller's."""
        since = now - self._span
        if caller is None or self._failed.last_other_than(caller) > since:
            return True
        if len(self._in_progress) > (caller in self._in_progress):
            return False
        present = max(self._succeeded.last_other_than(caller), self._refused.last_other_than(caller))
        return present <= since

    def total(self, now: float) -> int:
        """Return how many failures in the window count, at most `cap`."""
        of_callers = self._of_callers.count(now)
        if of_callers and not self.counts(self._failed.caller, now):
            of_callers = 0
        return min(self._cap, self._of_provider.count(now) + of_callers)

    def latest_retry_at(self, now: float) -> float:
        """Return the latest retry hint of the failures that count; minus infinity without one."""
        of_callers = self._of_callers.highest(now) if self.counts(self._failed.caller, now) else -math.inf
        return max(self._of_provider.highest(now), of_callers)

    def clear(self, *, closed: bool) -> None:
        """Forget the failures; if the breaker is `closed` now, forget the refused callers too."""
        self._of_provider.clear()
        self._of_callers.clear()
        self._failed = LatestCallers()
        if closed:
            self._refused = LatestCallers()
