"""Which failures count against the provider, and whether they are enough to open its breaker.

A failure of the provider's own always counts; a caller-related one only with other evidence.

1. A failure is caller-related if its caller may have caused it: a 429 on the caller's own key, or a timeout,
   because the time to answer depends on the question.
2. Caller-related failures count, unless all of those in the window are of one caller while another caller is
   present.
3. A caller is present if it got an answer within the window. A slow answer extends that by its duration: a caller
   whose answers take 45 s rarely gets one within ten seconds. A caller is also present while an answer to it is in
   progress. A breaker that is not closed refuses most callers: then a refused caller is present until one window
   after the time at which it was asked to come back.
4. Failures are enough if as many as the threshold count. With a `share`, they must also be at least this share of
   the judged calls in the window, which are the failures that count, and the successes. A call that failed after
   its success is a failure only.

Times are seconds. Memory is bounded: the two latest callers of each kind are enough to know when a caller other
than a given one was last present. In addition, the callers with answers in progress are counted. Without a share
the window is exact. With one, failures and successes are counted in 64ths of it: each counts up to a 64th longer.
"""

from __future__ import annotations

import math
from collections.abc import Hashable

from aibridge_trio.core.breaker.window import SlicedWindow, Window
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
            self._first = (caller, at) if at > self._first[1] else self._first
        elif at > self._first[1]:
            self._first, self._second = (caller, at), self._first
        elif at > self._second[1]:
            self._second = (caller, at)

    def last_other_than(self, caller: Hashable) -> float:
        """Return the latest time of a caller other than this one; minus infinity if there is none."""
        return (self._second if caller == self._first[0] else self._first)[1]


class Failures:
    """The failures of the last `span` seconds; with a `share` the successes, too.

    Without one, at most `threshold` failures of the provider's and as many caller-related ones are kept.
    """

    def __init__(self, span: float, threshold: int, share: float = 0.0) -> None:
        self._span, self._threshold, self._share = span, threshold, share
        self._of_provider, self._of_callers, self._successes = _windows(span, threshold, share)
        self._failed = LatestCallers()
        self._succeeded = LatestCallers()
        self._refused = LatestCallers()
        self._in_progress: dict[Hashable, int] = {}

    def apply(self, span: float, threshold: int, share: float) -> None:
        """Judge by these from now on. What is in the window stays, unless a share begins or ends to matter."""
        anew = bool(share) != bool(self._share)
        self._span, self._threshold, self._share = span, threshold, share
        if anew:
            self._of_provider, self._of_callers, self._successes = _windows(span, threshold, share)
        for window in (self._of_provider, self._of_callers, self._successes):
            if isinstance(window, Window):
                window.apply(span, threshold)
            elif window is not None:
                window.apply(span)

    def add(self, now: float, retry_at: float, caller: Hashable | None, succeeded_at: float | None = None) -> None:
        """Record a failure: caller-related to `caller`, or the provider's (None); `retry_at` is its retry hint.

        If the call had succeeded before, at `succeeded_at`, it is a success no more.
        """
        if self._successes is not None and succeeded_at is not None:
            self._successes.remove(succeeded_at)
        if caller is None:
            self._of_provider.add(now, retry_at)
        else:
            self._of_callers.add(now, retry_at)
            self._failed.record(caller, now)

    def add_success(self, now: float) -> None:
        """Record a success."""
        if self._successes is not None:
            self._successes.add(now)

    def succeeded(self, caller: Hashable, now: float, took: float = 0.0) -> None:
        """Record that a caller was present: it had a success, which took so many seconds."""
        self._succeeded.record(caller, now + took)

    def answer_continues(self, caller: Hashable) -> None:
        """Record that an answer is in progress after its success; call `answer_ended` when it is over."""
        self._in_progress[caller] = self._in_progress.get(caller, 0) + 1

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
        """Return how many failures in the window count: at most the threshold, with a share all."""
        of_callers = self._of_callers.count(now)
        if of_callers and not self.counts(self._failed.caller, now):
            of_callers = 0
        total = self._of_provider.count(now) + of_callers
        return min(self._threshold, total) if self._successes is None else total

    def share(self, now: float) -> float | None:
        """Return the share of the judged calls in the window that failed; None if none was, or without a share."""
        if self._successes is None:
            return None
        total = self.total(now)
        judged = total + self._successes.count(now)
        return total / judged if judged else None

    def enough(self, now: float) -> bool:
        """Return whether the failures in the window open the breaker."""
        if self.total(now) < self._threshold:
            return False
        share = self.share(now)
        return share is None or share >= self._share

    def described(self, now: float) -> str:
        """Return the failures in words: `5 failures in 10 s`, with a share `60 of 100 calls failed in 10 s`."""
        total = self.total(now)
        if self._successes is not None:
            return f"{total} of {total + self._successes.count(now)} calls failed in {self._span:g} s"
        return f"{total} {'failure' if total == 1 else 'failures'} in {self._span:g} s"

    def latest_retry_at(self, now: float) -> float:
        """Return the latest retry hint of the failures that count; minus infinity without one."""
        of_callers = self._of_callers.highest(now) if self.counts(self._failed.caller, now) else -math.inf
        return max(self._of_provider.highest(now), of_callers)

    def clear(self, *, closed: bool) -> None:
        """Forget the failures; if the breaker is `closed` now, forget the refused callers too."""
        self._of_provider.clear()
        self._of_callers.clear()
        self._failed = LatestCallers()
        if self._successes is not None:
            self._successes.clear()
        if closed:
            self._refused = LatestCallers()


def _windows(
    span: float, threshold: int, share: float
) -> tuple[Window | SlicedWindow, Window | SlicedWindow, SlicedWindow | None]:
    """Return empty windows: for the provider's failures, caller-related ones, and with a share successes."""
    if share:
        return SlicedWindow(span), SlicedWindow(span), SlicedWindow(span)
    return Window(span, threshold), Window(span, threshold), None
