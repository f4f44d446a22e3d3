"""When a rejected request should come back: a wait that is computed, and spaced between the rejected.

The wait is the time until the provider takes requests again, and then the turns of those before this one, at the
rate since requests are held: before, the rate was that of the requests, not the provider's. A turn is an answer
that began, or a held request whose caller left. Each rejected request counts as one of those before the next, so
that they come back one after another.

The end of an outage cannot be known: during one, the wait is counted from the next start, at the rate from before
the outage. That is the shortest wait which is possible.
"""

from __future__ import annotations

from collections import deque

# Rates are measured over so many seconds: turns come in bursts, and a short span would see one, or none.
_SPAN, _ANSWERS_SPAN = 30, 10
# For the first seconds the rate from before counts.
_TRUSTED = 5.0
# Bounds of the wait (seconds), and the wait while no rate is known.
_SHORTEST, _LONGEST, _UNKNOWN = 1.0, 60.0, 5.0


class _Rate:
    """Events a second of late, counted by the second."""

    def __init__(self, span: int) -> None:
        self._span = span
        self._counts: deque[list[int]] = deque(maxlen=span + 1)  # second, events
        self._last = [-1, 0]  # of these the last: it is asked for with every request
        self._since: int | None = None

    def add(self, now: float) -> None:
        second = int(now)
        if self._last[0] == second:
            self._last[1] += 1
            return
        if self._since is None:
            self._since = second
        self._last = [second, 1]
        self._counts.append(self._last)

    def begin(self, now: float) -> None:
        """Forget what was before."""
        self._counts.clear()
        self._last = [-1, 0]
        self._since = int(now)

    def value(self, now: float) -> float:
        """Return the rate over the span, or since the first event if that is shorter."""
        if self._since is None:
            return 0.0
        start = max(int(now) - self._span, self._since)
        return sum(count for second, count in self._counts if second >= start) / max(now - start, 1.0)

    def age(self, now: float) -> float:
        """Return how long events are counted."""
        return 0.0 if self._since is None else now - self._since


class Comeback:
    """Computes waits in seconds."""

    def __init__(self) -> None:
        self._answers = _Rate(_ANSWERS_SPAN)
        self._turns = _Rate(_SPAN)
        self._before = 0.0  # the rate of turns before requests were held, or before the outage
        self._outage = False
        self._next = 0.0

    def began(self, now: float, *, outage: bool = False) -> None:
        """Note that an answer has begun; `outage`: the provider's outage goes on nevertheless."""
        if self._outage and not outage:
            self._outage = False
            self._turns.begin(now)
        self._answers.add(now)
        self._turns.add(now)

    def held(self, now: float) -> None:
        """Note that the first request is held, after there was none."""
        if not self._outage:
            self._before = self._turn_rate(now)
            self._turns.begin(now)

    def left(self, now: float) -> None:
        """Note that a held request has left the line without an answer."""
        if not self._outage:
            self._turns.add(now)

    def outage(self, now: float) -> None:
        """Note that the provider is in an outage, until an answer begins."""
        if not self._outage:
            self._before = self._turn_rate(now)
            self._outage = True

    def rate(self, now: float) -> float:
        """Return how many answers a second have begun of late."""
        return self._answers.value(now)

    def wait(self, now: float, resumes_in: float, ahead: int) -> float:
        """Return the wait of a request that is rejected now, with so many requests ahead of it."""
        rate = self._turn_rate(now)
        expected = resumes_in + (ahead / rate if rate else _UNKNOWN)
        wait = min(max(expected, self._next - now), _LONGEST)
        self._next = now + wait + (1 / rate if rate else 1.0)
        return max(wait, _SHORTEST)

    def __repr__(self) -> str:
        return f"<Comeback next={self._next:.1f}>"

    def _turn_rate(self, now: float) -> float:
        if self._outage:
            return self._before
        rate = self._turns.value(now)
        return rate if self._turns.age(now) >= _TRUSTED else max(rate, self._before)
