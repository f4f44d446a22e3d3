"""The callers: each wish is tried as its client tries, while its caller is patient, and ends exactly once."""

from __future__ import annotations

from collections.abc import Sequence

from aibridge_trio.errors import Phase
from aibridge_trio.simulate.results.measure import Measure
from aibridge_trio.simulate.scenario.demand import Wish
from aibridge_trio.simulate.world.call import Call, CallTarget
from aibridge_trio.simulate.world.chance import BACKOFF, chance
from aibridge_trio.simulate.world.clients import BROKEN, Headers
from aibridge_trio.simulate.world.engine import Clock

WAITING, READING, OVER = range(3)


class Caller:
    """One wish on its way."""

    __slots__ = ("breaks", "call", "first_at", "retries", "state", "wish")

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.state = WAITING
        self.call: Call | None = None
        self.retries = 0
        self.breaks = 0
        self.first_at = 0.0


class Callers:
    """All wishes, each at its time; calls `door`, and hears from it what comes of its calls."""

    def __init__(self, wishes: Sequence[Wish], clock: Clock, measure: Measure) -> None:
        self.door: CallTarget | None = None
        self._clock = clock
        self._measure = measure
        self._coming = iter(wishes)
        self._let_come()

    # What callers do.

    def _let_come(self) -> None:
        """Let the next wish come at its time; one by one, so that few things are to come at any time."""
        wish = next(self._coming, None)
        if wish is not None:
            self._clock.at(wish.born, self._come, wish)

    def _come(self, wish: Wish) -> None:
        self._let_come()
        caller = Caller(wish)
        self._measure.wanted(wish)
        self._clock.at(wish.born + wish.group.patience, self._lose_patience, caller)
        self._try(caller)

    def _try(self, caller: Caller) -> None:
        if caller.state == OVER:
            return
        assert self.door
        caller.call = Call(caller.wish, caller.retries + caller.breaks, caller)
        self._measure.tried()
        self.door.call(caller.call)

    def _try_again(self, caller: Caller, seconds: float | None) -> None:
        caller.call = None
        caller.state = WAITING
        now, until = self._clock.now, caller.wish.born + caller.wish.group.patience
        if seconds is None or until <= now:
            caller.state = OVER
            self._measure.gave_up()
        elif now + seconds < until:
            self._clock.at(now + seconds, self._try, caller)
        # Who would sleep beyond their patience lose it first.

    def _lose_patience(self, caller: Caller) -> None:
        if caller.state != WAITING:
            return
        caller.state = OVER
        self._measure.left()
        if caller.call:
            assert self.door
            call, caller.call = caller.call, None
            self.door.left(call)

    # What callers hear.

    def first(self, call: Call) -> None:
        """Read what comes."""
        call.caller.state = READING
        call.caller.first_at = self._clock.now

    def ended(self, call: Call) -> None:
        """Be content."""
        caller = call.caller
        caller.state, caller.call = OVER, None
        self._measure.served(call.wish, caller.first_at, self._clock.now)

    def answered(self, call: Call, status: int, headers: Headers, *, exhausted: bool = False) -> None:  # noqa: ARG002 - clients do not look
        """Try again, if that is what the client does."""
        caller = call.caller
        luck = chance(call.wish.luck, call.number, BACKOFF)
        seconds = call.wish.group.client.again(status, headers, caller.retries, luck)
        caller.retries += 1
        self._try_again(caller, seconds)

    def broke(self, call: Call, phase: Phase) -> None:
        """Try again, if that is what the client does; of those who have begun to read, few do."""
        caller, client = call.caller, call.wish.group.client
        luck = chance(call.wish.luck, call.number, BACKOFF)
        if phase != "stream":
            seconds = client.again(BROKEN, (), caller.retries, luck)
            caller.retries += 1
        else:
            seconds = client.backoff(caller.breaks, luck) if caller.breaks < client.streams else None
            caller.breaks += 1
        self._try_again(caller, seconds)

    def overloaded(self, call: Call) -> None:
        """Take it for an answer that broke."""
        self.broke(call, "stream")
