"""The adaptive limiter of one provider: governor, line and budgets, composed.

The calls for one request: enter → (held → its turn) → accepted or pushed_back → leave.

1. A request goes up at once if governor and key have capacity and no request is held; else it is held.
2. A request that is pushed back is held again, before its caller's others, unless its hold ends before the
   provider takes requests again, or the budget is used up. An outage's canaries are not charged to the budget.
3. What becomes free goes to the line at once; what time gives is given by `advance`, which must be called by
   `next_due` at the latest.
4. `leave` gives back all that a request holds, at whatever stage.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass

from aibridge_trio.core.adaptive.comeback import Comeback
from aibridge_trio.core.adaptive.entry import Entry, Pushback, Stage
from aibridge_trio.core.adaptive.governor import Governor, GovernorStats
from aibridge_trio.core.adaptive.line import Line
from aibridge_trio.core.adaptive.own_keys import OwnKeys
from aibridge_trio.core.adaptive.own_limits import OwnLimits, Unlimited
from aibridge_trio.core.adaptive.patience import Patience
from aibridge_trio.core.adaptive.resend_budget import ResendBudget
from aibridge_trio.core.quota import Left

# The longest hold (seconds): as long as the patience of most clients.
LONGEST_HOLD = 300.0
# The most held requests of one provider.
LINE_SIZE = 10_000
# A quota of which less remains is nearly spent.
NEARLY_SPENT = 0.1
# If the work of one event leaves some of the line for later, it goes on after so many seconds.
_NEXT_TURNS = 0.01
# Turns a second where no answer has begun of late: only lines are compared by it.
_LEAST_RATE = 1.0
# What the background pushes back rests before it is sent again (seconds): doubling, with its share of chance.
_FIRST_REST, _LONGEST_REST = 0.2, 4.0
_REST_FROM, _REST_TO = 0.6, 1.4


@dataclass(frozen=True, slots=True)
class AdaptiveStats:
    """The limiter's state: the provider's governor, the line, and what was sent again.

    `rate` is how many answers a second began of late. `paced_keys` are callers' keys with a pace. `pushbacks`,
    `resends` and `unfunded` (pushbacks that were not sent again for want of budget) count since the start.
    """

    governor: GovernorStats
    held: int
    callers: int
    rate: float
    paced_keys: int
    budget: float
    pushbacks: int
    resends: int
    unfunded: int


class AdaptiveLimiter:
    """Decides when each request goes up. `wake` is called with each held entry whose turn has come.

    `chance` returns random numbers, 0 to 1.
    """

    def __init__(
        self,
        wake: Callable[[Entry], None],
        chance: Callable[[], float],
        now: float,
        own_limits: OwnLimits | None = None,
        line_size: int = LINE_SIZE,
    ) -> None:
        self.governor = Governor(chance)
        self._wake = wake
        self._chance = chance
        self._own_limits = own_limits or Unlimited()
        self.own_keys = OwnKeys()
        self._patience = Patience()
        self._line = Line(line_size, self._patience)
        self._budget = ResendBudget(now)
        self._comeback = Comeback()
        self._entering: Entry | None = None
        self._pushbacks = self._resends = self._unfunded = 0

    @property
    def active(self) -> bool:
        """Whether a pushback has come of late: before, nothing is learned and no request waits."""
        return self.governor.active or self._line.count > 0

    @property
    def learns(self) -> bool:
        """Whether requests are more than counted: while not, the time matters of answers that begin only."""
        return self.governor.active or self._line.count > 0 or self.own_keys.known

    def accepts(self, caller: Hashable) -> bool:
        """Return whether one more request of this caller may be held."""
        return self._line.accepts(caller)

    def enter(self, entry: Entry, now: float) -> bool:
        """Take a request that is ready to be sent; return whether it goes up at once, else it is held."""
        self._budget.request(now)
        if not self.learns and self._own_limits.is_free_for(entry):
            entry.stage = Stage.STARTING
            entry.sent_at = now
            entry.level = self.governor.sent(now)
            return True
        if not self._line.count and self._when_free(entry, now) <= now and self.governor.has_capacity(now):
            self._send(entry, now)
            return True
        entry.stage = Stage.HELD
        self._push(entry, now)
        self._entering = entry  # its turn may come at once, as that of another caller's parked request did not
        self.advance(now)
        self._entering = None
        return entry.stage is Stage.STARTING

    def takes(self, size: float, key: Hashable | None, now: float) -> bool:
        """Return whether a request would go up at once, as far as the provider and its key decide it."""
        if not self.learns:
            return True
        if self._line.count or not self.governor.has_capacity(now):
            return False
        return self._of_provider(size, key, now) <= now

    def turn(self, now: float) -> float:
        """Return in how many seconds one more held request is expected to have its turn, as far as is known."""
        resumes_in = self.governor.statistics(now).resumes_in
        return resumes_in + self._line.count / max(self._comeback.rate(now), _LEAST_RATE)

    def accepted(self, entry: Entry, now: float) -> None:
        """Note that the answer to a request has begun."""
        if entry.stage is not Stage.STARTING:
            return
        entry.stage = Stage.ANSWERING
        self.governor.accepted(entry.level, entry.sent_at, now, entry.size)
        self._comeback.began(now, outage=self.governor.outage)
        if not self.learns:
            return
        self._patience.began(now - entry.sent_at)
        if quotas := self.own_keys.find(entry.key):
            quotas.accepted(entry.size, now)
        self._freed(entry, now)

    def pushed_back(self, entry: Entry, pushback: Pushback, now: float) -> bool:
        """Learn from a pushback; return whether the request is held again, else its caller gets the answer."""
        if entry.stage is not Stage.STARTING:
            return False
        self._pushbacks += 1
        rests = self._learn(entry, pushback, now)
        if self.governor.outage:
            self._comeback.outage(now)
        self._end(entry)
        of_key = pushback.quota and entry.key is not None
        limited = self.own_keys.remember(entry.key) if of_key else self.governor
        in_time = limited.resumes(entry.size, now) < entry.deadline
        held = in_time and ((self.governor.outage and not of_key) or self._budget.take(now))
        if held:
            self._resends += 1
            entry.returns += 1
            entry.stage = Stage.HELD
            entry.not_before = now + self._rest(entry) if rests else now
            self._push(entry, now, first=True)
        elif in_time:
            self._unfunded += 1
        self._freed(entry, now)
        return held

    def put_back(self, entry: Entry, now: float) -> None:
        """Hold a request again whose turn has come, and which the own limits refuse: nothing is learned."""
        self._end(entry)
        entry.stage = Stage.HELD
        self._push(entry, now, first=True)

    def told(self, entry: Entry, quotas: Collection[Left], now: float) -> None:
        """Take what the headers of an answer tell of the quotas of its request's credential."""
        spent = any(left.remaining < NEARLY_SPENT * left.limit for left in quotas)
        if entry.key is None:
            if spent or self.governor.active:
                self.governor.told(quotas, now)
        elif spent or self.own_keys.find(entry.key):
            self.own_keys.told(entry.key, quotas, now)

    def leave(self, entry: Entry, now: float, *, gone: bool = False) -> None:
        """End a request, whatever its stage; `gone`: its caller has left. A second call changes nothing."""
        if entry.stage is Stage.OUTSIDE:
            return
        if gone and entry.stage is not Stage.ANSWERING and self.learns:
            self._patience.left(entry.caller, now - entry.came)
        if entry.stage is Stage.HELD:
            self._line.remove(entry)
            self._comeback.left(now)
            entry.stage = Stage.OUTSIDE
        else:
            self._end(entry)
        self._freed(entry, now)

    def advance(self, now: float) -> None:
        """Send up the held requests that may go up by now."""
        governor, line = self.governor, self._line
        while line.count and governor.has_capacity(now) and self._own_limits.is_free():
            entry = line.pop(lambda each: self._when_free(each, now), now)
            if entry is None:
                return
            self._send(entry, now)
            if entry is not self._entering:
                self._wake(entry)

    def freed(self, caller: Hashable | None, now: float) -> None:
        """Note that the bridge's own limits have capacity again, a caller's among them, or anyone's (None)."""
        self._line.unpark(caller)
        self.advance(now)

    def next_due(self, now: float) -> float:
        """Return when `advance` must be called next; infinity if time alone changes nothing."""
        if not self._line.count:
            return math.inf
        if not (self.governor.has_capacity(now) and self._own_limits.is_free()):
            return self.governor.next_due(now)
        if self._line.has_turns:
            return now + _NEXT_TURNS
        # The provider has capacity, so all held requests rest, or wait for their keys.
        return min(self.governor.next_due(now), self._line.next_due())

    def wait(self, now: float) -> float:
        """Return when a request that is rejected now should come back (seconds)."""
        resumes_in = self.governor.statistics(now).resumes_in
        return self._comeback.wait(now, resumes_in, self._line.count + 1)

    def statistics(self, now: float) -> AdaptiveStats:
        """Return the limiter's state."""
        return AdaptiveStats(
            governor=self.governor.statistics(now),
            held=self._line.count,
            callers=self._line.callers,
            rate=self._comeback.rate(now),
            paced_keys=self.own_keys.paced,
            budget=self._budget.credit(now),
            pushbacks=self._pushbacks,
            resends=self._resends,
            unfunded=self._unfunded,
        )

    def __repr__(self) -> str:
        return f"<AdaptiveLimiter {self.governor!r} {self._line!r}>"

    def _when_free(self, entry: Entry, now: float) -> float:
        """Return when key and own limits have capacity for an entry."""
        if not self._own_limits.is_free_for(entry):
            return math.inf
        return self._of_provider(entry.size, entry.key, now)

    def _of_provider(self, size: float, key: Hashable | None, now: float) -> float:
        """Return when quotas of the provider and of the key admit a request."""
        free = now + self.governor.wait_for(size, now)
        quotas = self.own_keys.find(key)
        if quotas is None:
            return free
        quotas.advance(now)
        return max(free, quotas.resumes(size, now))

    def _push(self, entry: Entry, now: float, *, first: bool = False) -> None:
        if not self._line.count:
            self._comeback.held(now)
        self._line.push(entry, now, first=first)

    def _send(self, entry: Entry, now: float) -> None:
        entry.stage = Stage.STARTING
        entry.sent_at = now
        entry.level = self.governor.sent(now, entry.size)
        if quotas := self.own_keys.find(entry.key):
            quotas.sent(entry.size)

    def _end(self, entry: Entry) -> None:
        answering = entry.stage is Stage.ANSWERING
        entry.stage = Stage.OUTSIDE
        self.governor.ended(answering=answering)

    def _freed(self, entry: Entry, now: float) -> None:
        if self._line.count:
            self._line.unpark(entry.caller)
            self.advance(now)

    def _learn(self, entry: Entry, pushback: Pushback, now: float) -> bool:
        """Learn from a pushback; return whether its request should rest before it is sent again."""
        if pushback.quota and entry.key is not None:
            self.own_keys.refused(entry, pushback, now, self._chance())
            return False
        if self.governor.is_about_rate(pushback, entry.level):
            self.governor.quota_refused(pushback, entry.level, entry.sent_at, now, entry.size)
            return False
        return self.governor.pushed_back(pushback, entry.level, entry.sent_at, now, entry.size)

    def _rest(self, entry: Entry) -> float:
        rest = min(_LONGEST_REST, _FIRST_REST * 2.0 ** min(entry.returns, 10))
        return rest * (_REST_FROM + (_REST_TO - _REST_FROM) * self._chance())
