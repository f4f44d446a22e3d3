"""How much is used in any `span` seconds, of tokens or of requests; and a turn for what does not fit.

1. A running request counts with its estimate, from `charge` on. `settle` puts in its place what the request has
   used, which counts for `span` seconds from that moment. `refund` takes away either.
2. A request is admitted if and only if its estimate and all that counts are at most the amount; or, whatever its
   estimate, if nothing counts. So what counts never exceeds the amount, but by a request that used more than its
   estimate, and by one that exceeds it alone; the next one waits until enough has left the span.
3. The wait of a refused request ends when enough has left the span, if the running requests end now and have used
   their estimates. It gets a turn, as refused requests of the rate limit do (rate.py): behind those that were
   refused before it, and a little apart from them, so that they do not come back together. A turn is no
   reservation.
4. What was settled is kept one by one up to 96 entries. Beyond, what was settled within a 64th of the span counts
   as if it had been settled at the end of it: up to a 64th too long, never too short.
5. Where replicas share the limit, the store has counted what all of them use. An estimate that it has denied, and
   any larger one, is refused here, too, until the turn that the store named (`bar`).
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections import deque
from typing import NamedTuple

from aibridge_trio.core.terms import Rate

# Entries that are kept one by one, and the parts of the span in which more of them are joined.
_EXACT, _SLICES = 96, 64
# Turns that are remembered: they decide the next one.
_TURNS = 64
# Turns lie further apart by this factor than the rate needs for what was refused before: see rate.py.
_APART = 1.05
# Turns of others put a turn off to so many seconds from now at most: SDKs give up instead of waiting longer.
_LONGEST_DELAY = 60.0


class Use(NamedTuple):
    """What counts now: `settled` and `running` of `amount`; all of what is settled has left in `reset` seconds."""

    amount: int
    settled: int
    running: int
    reset: float

    @property
    def remaining(self) -> int:
        """What one request could have now."""
        return max(0, self.amount - self.settled - self.running)


class Charge:
    """One request's part of a window: its estimate while it runs, then what it has used."""

    __slots__ = ("_counted", "_settled_at", "_window")

    def __init__(self, window: UsageWindow, estimate: int) -> None:
        self._window = window
        self._counted = estimate
        self._settled_at: float | None = None

    def settle(self, used: int, now: float) -> None:
        """End the request: it has used so much. Only the first call counts."""
        if self._settled_at is None:
            self._window.settle(self._counted, used, now)
            self._counted, self._settled_at = used, now

    def refund(self, now: float) -> None:
        """Count nothing for the request, whether it is settled or not; a second call changes nothing."""
        if self._settled_at is None:
            self._window.end(self._counted)
            self._settled_at = now
        elif self._counted:
            self._window.forget(self._counted, self._settled_at)
        self._counted = 0

    def __repr__(self) -> str:
        return f"<Charge {self._counted} {'running' if self._settled_at is None else 'settled'}>"


class UsageWindow:
    """What the requests under one limit use. `rate` may be replaced at any time; what is counted stays.

    `now` is passed in everywhere, in seconds on any monotonic clock; it never goes back.
    """

    __slots__ = (
        "_amounts",
        "_barred",
        "_left_until",
        "_requests",
        "_running",
        "_settled",
        "_times",
        "_turns",
        "rate",
    )

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._times = array("d")
        self._amounts = array("q")
        self._settled = 0
        self._running = 0
        self._requests = 0
        self._barred = (0.0, 0)  # until when, and the least estimate
        self._left_until = -math.inf  # what was settled until then has left, even if the span is longer now
        self._turns: deque[tuple[float, int]] | None = None

    def allows(self, estimate: int, now: float) -> bool:
        """Return whether a request would be admitted."""
        if self._times:
            self._expire(now)
        if self._barred[0] > now and estimate >= self._barred[1]:
            return False
        if not self._settled and not self._requests:
            return True
        return self._settled + self._running + estimate <= self.rate.amount

    def charge(self, estimate: int) -> Charge:
        """Count a running request, which the window must allow."""
        self._running += estimate
        self._requests += 1
        return Charge(self, estimate)

    def count(self, now: float) -> Charge:
        """Count one request of a limit of requests, from now on, however long it runs."""
        charge = self.charge(1)
        charge.settle(1, now)
        return charge

    def wait(self, estimate: int, now: float) -> float:
        """Return the seconds until a request would be admitted, 0 if it would be now; see 3. above."""
        if self.allows(estimate, now):
            return 0.0
        until, least = self._barred
        return max(self._free_at(estimate, now, 0), until if estimate >= least else now) - now

    def bar(self, estimate: int, until: float) -> None:
        """Refuse this estimate, and any larger one, until then: the store has denied it."""
        self._barred = until, estimate

    @property
    def exceeded(self) -> bool:
        """Whether more counts than the amount, and not one running request alone: beyond this replica's part."""
        alone = self._requests <= 1 and not self._settled
        return not alone and self._settled + self._running > self.rate.amount

    def refuse(self, estimate: int, now: float) -> float:
        """Give a refused request a turn; return the seconds until it."""
        earliest = now + self.wait(estimate, now)
        turns = self._turns
        if turns is None:
            turns = self._turns = deque(maxlen=_TURNS)
        while turns and turns[0][0] <= now:
            turns.popleft()
        turn = earliest
        if turns:
            last, before = turns[-1]
            apart = _APART * self.rate.span * before / self.rate.amount if self.rate.amount else 0.0
            behind = self._free_at(estimate, now, sum(each for _, each in turns))
            turn = max(earliest, min(max(behind, last + apart), now + _LONGEST_DELAY))
        turns.append((turn, min(estimate, self.rate.amount)))
        return turn - now

    def use(self, now: float) -> Use:
        """Return what counts now."""
        if self._times:
            self._expire(now)
        reset = self._times[-1] + self.rate.span - now if self._times else 0.0
        return Use(self.rate.amount, self._settled, self._running, reset)

    def idle(self, now: float) -> bool:
        """Return whether nothing counts, and no turn lies ahead."""
        self._expire(now)
        ahead = any(turn > now for turn, _ in self._turns or ())
        return not self._settled and not self._requests and not ahead

    def settle(self, estimate: int, used: int, now: float) -> None:
        """Put what a request has used in place of its estimate: see `Charge.settle`."""
        self._running -= estimate
        self._requests -= 1
        if not used:
            return
        self._expire(now)
        self._settled += used
        if self._times and self._times[-1] == now:
            self._amounts[-1] += used
            return
        self._times.append(now)
        self._amounts.append(used)
        if len(self._times) > _EXACT:
            self._join()

    def end(self, estimate: int) -> None:
        """Take away a running request."""
        self._running -= estimate
        self._requests -= 1

    def forget(self, used: int, at: float) -> None:
        """Take away what was settled at a time, if it still counts."""
        if at > self._left_until:
            index = bisect_left(self._times, at)  # it may have been joined with what was settled later
            self._amounts[index] -= used
            self._settled -= used

    def __repr__(self) -> str:
        rate = f"{self.rate.amount} in {self.rate.span:g} s"
        return f"<UsageWindow {self._settled} settled, {self._running} running of {rate}>"

    def _free_at(self, estimate: int, now: float, ahead: int) -> float:
        """Return when a request fits that does not fit now, behind turns of `ahead` in all."""
        amount, span = self.rate.amount, self.rate.span
        excess = self._settled + self._running + ahead + min(estimate, amount) - amount
        for at, used in zip(self._times, self._amounts, strict=True):
            excess -= used
            if excess <= 0:
                return at + span
        if excess - self._running <= 0:
            return now + span
        excess -= self._running
        for turn, taken in self._turns or ():
            excess -= taken
            if excess <= 0:
                return turn + span
        return now + span

    def _expire(self, now: float) -> None:
        gone = 0
        for at in self._times:
            if at + self.rate.span > now:
                break
            self._settled -= self._amounts[gone]
            gone += 1
        if gone:
            self._left_until = self._times[gone - 1]
            del self._times[:gone], self._amounts[:gone]

    def _join(self) -> None:
        """Join what was settled in the same 64th of the span, as of its latest."""
        width = self.rate.span / _SLICES
        times, amounts = array("d"), array("q")
        for at, used in zip(self._times, self._amounts, strict=True):
            if times and at // width == times[-1] // width:
                times[-1] = at
                amounts[-1] += used
            else:
                times.append(at)
                amounts.append(used)
        self._times, self._amounts = times, amounts
