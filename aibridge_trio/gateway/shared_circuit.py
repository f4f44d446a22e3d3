"""One breaker that replicas share, over the store: verdicts, changes of state, rights to probes.

* Verdicts are added to common counts: once in 50 ms if a failure is among them, else once in a 16th of the window.
* A change of state is set at once, if the store knows no other; else that one is adopted, or stands back.
* A request that would be a probe asks for the right to be one. It gives it back with its verdict, at the deadline
  of a probe, or if its body is not sent in time.

What comes from the store is checked; what is no state or no count changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import trio

from aibridge_trio.core.breaker.probe_permit import Permit
from aibridge_trio.core.breaker.shared_breaker import SharedBreaker
from aibridge_trio.core.breaker.shared_state import SharedState
from aibridge_trio.core.breaker.state import Mode
from aibridge_trio.core.sharing import wire
from aibridge_trio.core.sharing.needs import Ask, Denied, Granted, Holding, Leave, Message
from aibridge_trio.sharing.store import Store

TOPIC = "breaker"
# Verdicts are sent at most once in so many seconds; after a refusal of the store the next try comes after so many.
_INTERVAL, _AGAIN = 0.05, 0.01
# How often a change is tried before the store's word is taken that has come without its message.
_TRIES = 3
# How long values are kept for replicas that come later: of an override, and after a cooldown (seconds).
_KEPT_OVERRIDE, _KEPT = 31 * 86_400.0, 600.0
# Successes of probes are summed up over so many seconds.
_PROBES_SPAN = 3_600.0
# A right is given back if its request has not been sent in full after so many seconds.
_UPLOAD = 5.0
# After a denial no other request of this replica asks for so many seconds.
_DENIED = 0.1


class Right:
    """The right to be one of the probes of a `change`; `permit` is set once the request has been sent."""

    __slots__ = ("_key", "_store", "change", "given_back", "permit", "since")

    def __init__(self, store: Store, key: str, change: str, since: float) -> None:
        self._store = store
        self._key = key
        self.change = change
        self.since = since
        self.permit: Permit | None = None
        self.given_back = False

    def give_back(self) -> None:
        """Give it back; a second call does nothing."""
        if not self.given_back:
            self.given_back = True
            self._store.leave(Leave(((self._key, 1),)))

    def __repr__(self) -> str:
        return f"<Right {'given back' if self.given_back else 'held'}>"


class SharedCircuit:
    """What one breaker shares. `run` must run; `stir` must be called after whatever may have changed it."""

    def __init__(
        self,
        breaker: SharedBreaker,
        name: str,
        store: Store,
        clock: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        self.breaker = breaker
        self.name = name
        self._store = store
        self._clock = clock
        self._changed = changed
        self._stirred = trio.Event()
        self._rights: set[Right] = set()
        self._denied_until = -math.inf
        # The last message, and when it came.
        self._message: tuple[Message, float] | None = None

    def stir(self) -> None:
        """Send what there is to send."""
        breaker = self.breaker
        if breaker.untold or breaker.failures.urgent or breaker.unsent_successes:
            self._stirred.set()

    # Rights to probes

    def probe_need(self) -> Holding | None:
        """Return what a request that comes now needs to be a probe; None if it would be none."""
        if not self.breaker.needs_right(self._clock()):
            return None
        return Holding(f"probe:{self.name}:{self.breaker.change}", self.breaker.max_probes)

    async def ask_right(self) -> Right | None:
        """Ask for the right to a probe; return None if the request needs none, or gets none."""
        need, now, change = self.probe_need(), self._clock(), self.breaker.change
        if need is None or now < self._denied_until:
            return None
        match await self._store.ask(Ask((need,))):
            case Granted():
                right = Right(self._store, need.key, change, now)
                self._rights.add(right)
                return right
            case Denied():
                self._denied_until = self._clock() + _DENIED
        return None

    def expire(self) -> None:
        """Give back the rights of probes that are not waited for any more."""
        now = self._clock()
        for right in [*self._rights]:
            late = now > right.since + _UPLOAD if right.permit is None else not self.breaker.is_probe(right.permit)
            if late:
                right.give_back()
            if right.given_back:
                self._rights.discard(right)

    # What goes to the store, and comes from it

    async def run(self) -> None:
        """Send what is to be sent, until cancelled."""
        next_count = -math.inf
        while True:
            failures = self.breaker.failures
            wait = max(0.0, next_count - self._clock()) if failures.urgent else failures.send_after
            if self.breaker.untold:
                wait = min(wait, _INTERVAL)
            with trio.move_on_after(wait) as idle:
                await self._stirred.wait()
            self._stirred = trio.Event()
            self.expire()
            if self.breaker.alone:
                await self._stirred.wait()
                continue
            await self._tell()
            await self._count_successes()
            if idle.cancelled_caught or (failures.urgent and self._clock() >= next_count):
                await self._count()
                next_count = self._clock() + _INTERVAL

    def heard(self, message: Message) -> None:
        """Take the message of a change."""
        now = self._clock()
        self._message = message, now
        self.breaker.heard(message.version, message.value, message.age, now)
        self._has_changed()

    def store_changed(self, *, away: bool) -> None:
        """Note that the store is away, or is back: it may have forgotten what it knew."""
        breaker = self.breaker
        breaker.alone = away
        if away:
            breaker.judge(self._clock())
        else:
            breaker.rejoined()
        self._stirred.set()
        self._changed()

    def __repr__(self) -> str:
        return f"<SharedCircuit {self.name} {self.breaker!r}>"

    def _has_changed(self) -> None:
        self.expire()
        self.stir()
        self._changed()

    async def _tell(self) -> None:
        for tried in range(1, _TRIES + 1):
            breaker = self.breaker
            if not breaker.untold or breaker.alone:
                return
            shared, version = breaker.shared(self._clock()), breaker.version
            result = await self._store.call(
                wire.set_value(TOPIC, self.name, version, shared.value(), _keep(shared))
            )
            found = _was_set(result)
            if found is None:
                await trio.sleep(_INTERVAL)
                return
            done, known, value = found
            if done:
                breaker.taken(shared.change, known)
            elif not self._answered(known, value, version, last=tried == _TRIES):
                await trio.sleep(_AGAIN)
            self._changed()

    def _answered(self, known: int, value: object, sent: int, *, last: bool) -> bool:
        """Take what the store has in place of a change that was sent as one of a version.

        Return whether that was possible: its age is needed.
        """
        now = self._clock()
        if self._message is not None and self._message[0].version == known:
            message, at = self._message
            self.breaker.heard(known, value, message.age + now - at, now, refused=sent)
            return True
        if last:
            self.breaker.heard(known, value, 0.0, now, refused=sent)
        return last

    async def _count(self) -> None:
        failures, change = self.breaker.failures, self.breaker.change
        counts, epoch = failures.take(), failures.epoch
        if counts is not None:
            sums = await self._store.call(["tally", f"breaker:{self.name}:{change}", failures.span, counts])
            self.breaker.told(sums, epoch, self._clock())
            self._changed()

    async def _count_successes(self) -> None:
        count, change = self.breaker.unsent_successes, self.breaker.change
        if not count:
            return
        self.breaker.unsent_successes = 0
        sums = await self._store.call(["tally", f"probes:{self.name}:{change}", _PROBES_SPAN, [count]])
        match sums:
            case [int() | float() as total] if 0 <= total < math.inf:
                self.breaker.told_successes(total, change, self._clock())
                self._changed()


def _keep(shared: SharedState) -> float:
    return _KEPT_OVERRIDE if shared.mode is not Mode.AUTO else _KEPT + (shared.left or 0.0)


def _was_set(result: Any) -> tuple[bool, int, object] | None:
    """Return the result of a `set`; None if there is none, or it is a lie."""
    try:
        done, version, value = wire.was_set(result)
        return done, int(version), value
    except (ValueError, TypeError, LookupError, OverflowError):
        return None
